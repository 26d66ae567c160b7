"""An existing database of the original layout becomes one of ours; killed at any moment it is the old file or the new.

look        what is there, unchanged; anything but the original layout ends here
room        for a backup and a new file, or nothing is begun
hold        every other program is kept out of the old file until the end
back up     with SQLite's backup API
rewrite     the backup's rows into a new file, synced; meanwhile the backup is checked and synced
drop WAL    the old file becomes a single file
replace     the new file takes the old one's name: this is the moment
name        the backup gets the name it stays under
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from beacon.errors import StoreBusy
from beacon.store.connect import BUSY_MS, reader_uri
from beacon.store.version import kind_of
from ingest.legacy import files
from ingest.legacy.backup import checked_meanwhile, keep_backup, write_backup
from ingest.legacy.layout import count_spans, count_traces_without_spans, read_layout
from ingest.legacy.progress import Progress
from ingest.legacy.report import MigrationReport
from ingest.legacy.rewrite import Tally, rewrite

log = logging.getLogger(__name__)


def migrate_if_legacy(
    db_path: Path,
    progress: Callable[[int, int], None],
    *,
    free_bytes: Callable[[Path], int] = files.free_bytes_of,
    on_step: Callable[[str], None] = lambda step: None,
    busy_s: float = BUSY_MS / 1000,
) -> MigrationReport | None:
    """Migrate the database at `db_path` if it has the original layout; None when there was nothing to do.

    Call it with ingest's lock held and before anything opens the file. `progress(done, total)` counts spans, is called
    about ten times a second, and stops the migration by raising (the old file stays). `on_step(name)` is called after
    each step is done. Also ends what an earlier run that was killed left to do.

    Raises `Refused` for a file that Beacon cannot use (no SQLite, another program's, damaged, a newer schema) and when
    there is no room; `StoreBusy` while another program has the file open: then try again later. The file is as it was.
    """
    path = db_path.resolve()  # a link stays a link
    kind = files.look(path)
    with files.plain_errors(path):
        files.remove_unfinished(path)
        if kind != "legacy":
            backup = files.name_backup(path)
            if backup is not None:
                log.info("the last migration of %s was complete; the original is kept as %s", path.name, backup)
            return None
        files.remove_pending_backup(path)
        needed, free = files.room_needed(path), free_bytes(path.parent)
        if free < needed:
            raise files.no_room(path, needed, free)
        report = _migrate(path, Progress(path.name, progress), on_step, busy_s)
    for line in report.lines():
        log.info("%s", line)
    return report


def _migrate(path: Path, progress: Progress, on_step: Callable[[str], None], busy_s: float) -> MigrationReport:
    started = time.monotonic()
    replaced = False
    try:
        with files.hold(path, busy_s) as old:
            if kind_of(old) != "legacy":
                raise StoreBusy(f"{path} was changed by another program just now.")
            log.info("%s has Beacon's original layout: it is backed up and migrated", path)
            on_step("held")
            progress.start(count_spans(old))
            write_backup(old, path, progress)
            on_step("backup written")
            with checked_meanwhile(path):
                tally, facts = _rewrite(path, progress)
                on_step("new file written")
                progress.doing("checking the backup of")
            keep_backup(path)
            on_step("backup kept")
            files.sync_file(files.new_file(path))
            on_step("new file synced")
            progress.beat()
            files.drop_wal(old, path)
            on_step("old file without WAL")
            files.replace(files.new_file(path), path)
            replaced = True
            progress.beat()
            on_step("replaced")
    except BaseException:
        if not replaced:
            with suppress(OSError):
                files.remove_unfinished(path)
                files.remove_pending_backup(path)
        raise
    backup = files.name_backup(path)
    assert backup is not None, "the pending backup is gone"
    on_step("backup named")
    progress.end()
    return MigrationReport(
        backup=backup,
        traces=tally.traces,
        spans=tally.spans,
        prompt_versions=tally.prompt_versions,
        replay_runs=tally.replay_runs,
        prompt_versions_without_span=tally.prompt_versions_without_span,
        replay_runs_without_span=tally.replay_runs_without_span,
        traces_without_spans=facts[0],
        left_behind=facts[1],
        mended=dict(tally.mended),
        seconds=time.monotonic() - started,
    )


def _rewrite(path: Path, progress: Progress) -> tuple[Tally, tuple[int, tuple[str, ...]]]:
    """Write the new file from the backup: what is kept is what was read, and was read in full."""
    files.create_private(files.new_file(path), path)
    uri = f"{reader_uri(files.partial_backup(path))}&immutable=1"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as backup:
        backup.text_factory = bytes
        layout = read_layout(backup, path)
        with progress.during(backup):
            empty = count_traces_without_spans(backup)
        tally = rewrite(backup, layout, files.new_file(path), progress)
    return tally, (empty, layout.left_behind)
