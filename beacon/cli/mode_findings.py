"""What `beacon doctor` finds in the modes of folders and files: traces hold prompts, files and commands."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from beacon.cli.findings import Finding, ok
from beacon.cli.invocation import Invocation
from beacon.config import Settings, strangers


def check_modes(settings: Settings, beacon: Invocation) -> list[Finding]:
    """Folders must be 0700, but for one that holds other things too: it must only keep others from writing. Files must
    be 0600."""
    if not settings.home.exists():
        return [ok("modes", f"{settings.home} is not there yet; `{beacon('up')}` makes it")]
    found = []
    for path in (settings.home, settings.run_dir, settings.log_dir, *_files(settings)):
        try:
            found += _check(path)
        except FileNotFoundError:
            continue
        except OSError as e:
            found.append(_problem(f"{path} cannot be read: {e.strerror}", "Give it back to your user."))
    return found or [ok("modes", f"{settings.home} and what is in it belong to you alone")]


def _files(settings: Settings) -> Iterator[Path]:
    """What must be nobody else's: API keys, and the database with its WAL, its shared memory and its backups."""
    yield settings.home / "config.json"
    db = settings.db_path
    with suppress(OSError):  # another user's folder: that is said of the folder
        beside = (path for path in db.parent.iterdir() if path.name.startswith(db.name) and path.is_file())
        yield from sorted(path for path in beside if path != settings.lock_path)


def _check(path: Path) -> list[Finding]:
    status = path.stat()
    mode = stat.S_IMODE(status.st_mode)
    quoted = shlex.quote(str(path))
    if status.st_uid != os.getuid():
        return [_problem(f"{path} belongs to user {status.st_uid}", f"chown -R $(id -u) {quoted}")]
    if not mode & 0o077:
        return []
    if not stat.S_ISDIR(status.st_mode):
        return [_problem(f"{path} has mode {mode:04o}: other users of this machine can use it", f"chmod 600 {quoted}")]
    others = strangers(path)
    if not others:
        return [_problem(f"{path} has mode {mode:04o}: other users of this machine can use it", f"chmod 700 {quoted}")]
    what = f"{path} has mode {mode:04o} and holds what is not Beacon's ({others[0]})"
    if mode & 0o022:
        return [
            _problem(
                f"{what}: other users of this machine can put files of theirs in the place of Beacon's",
                f"Choose a home of its own (BEACON_HOME), or let nobody else write here: chmod go-w {quoted}",
            )
        ]
    return [
        Finding(
            "warning",
            "modes",
            f"{what}: other users of this machine can see which files there are, not read Beacon's",
            "Nothing must be done; a home of its own (BEACON_HOME) would hide the names too.",
        )
    ]


def _problem(what: str, advice: str) -> Finding:
    return Finding("problem", "modes", what, advice)
