"""A database of the original layout becomes one of ours: real files, real processes killed in the middle."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from beacon.contract.units import NS
from beacon.errors import REFUSED_EXIT, Refused, StoreBusy
from beacon.store.connect import PAGE_SIZE, connect_reader, connect_writer
from beacon.store.rows import SPAN_COLUMNS, TRACE_COLUMNS, span_of, trace_of
from beacon.store.version import kind_of, newest_schema, upgrade
from ingest.legacy.migrate import migrate_if_legacy
from ingest.legacy.report import MigrationReport
from tests import legacy_files as legacy
from tests.processes import Process, short_home, wait_for
from tests.processes import span as posted_span

STEPS = (
    "held", "backup written", "new file written", "backup kept", "new file synced", "old file without WAL", "replaced",
    "backup named",
)  # fmt: skip
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def db_path(tmp_path: Path) -> Path:
    return tmp_path / "traces.db"


def silent(done: int, total: int) -> None:
    pass


def migrate(path: Path) -> MigrationReport:
    report = migrate_if_legacy(path, silent)
    assert report is not None, "there was something to migrate"
    return report


def make(path: Path, *rows: tuple[str, legacy.Row], newest: bool = True, indexes: bool = True) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA foreign_keys=OFF")  # as the original ran: hence its orphans
        db.execute("BEGIN")
        legacy.create(db, newest, indexes)
        for table, row in rows:
            legacy.insert(db, table, row)
        db.execute("COMMIT")


def spans_in(path: Path) -> dict[str, dict[str, Any]]:
    """Every span as the contract's record, decoded, by id and in the order of its rows, with `created_at`."""
    sql = (
        f"SELECT {SPAN_COLUMNS}, s.created_ns FROM spans s JOIN traces t USING (trace_row)"
        " JOIN span_attributes a USING (span_row) ORDER BY span_row"
    )
    with closing(connect_reader(path)) as db:
        found = {}
        for row in db.execute(sql):
            span = span_of(row)
            fields = {name: getattr(span, name) for name in span.__struct_fields__}
            fields["attributes"] = json.loads(bytes(span.attributes))
            fields["annotations"] = json.loads(bytes(span.annotations))
            found[span.span_id] = {**fields, "created_at": row[-1] / NS}
        return found


def traces_in(path: Path) -> dict[str, dict[str, Any]]:
    """Every trace as the contract's record, decoded, by id and in the order of its rows."""
    with closing(connect_reader(path)) as db:
        found = {}
        for row in db.execute(f"SELECT {TRACE_COLUMNS} FROM traces t ORDER BY trace_row"):
            trace = trace_of(row)
            found[trace.trace_id] = {name: getattr(trace, name) for name in trace.__struct_fields__}
            found[trace.trace_id]["tags"] = json.loads(bytes(trace.tags))
        return found


def names_in(folder: Path) -> set[str]:
    """What lies in `folder`, the time in a backup's name replaced by `*`."""
    return {re.sub(r"\d{8}T\d{6}Z(-\d+)?$", "*", p.name) for p in folder.iterdir()}


AFTER = {"traces.db", "traces.db.backup-*"}


class TestRows:
    def test_every_field_of_a_plain_trace(self, db_path: Path) -> None:
        llm = {"llm.model": "gpt-4o", "llm.tokens.input": 10, "llm.tokens.output": 5, "llm.cost_usd": 0.25}
        note = [{"id": "n1", "text": "look", "created_at": 1500.0}]
        make(
            db_path,
            ("traces", legacy.trace("t1", tags='{"env": "dev"}', created_at=1001.5, sdk_language="python")),
            (
                "spans",
                legacy.span(
                    "s2", "t1", parent_span_id="s1", span_type="llm_call", name="ask", status="error",
                    error_message="no answer", start_time=1795374542.3475487, end_time=1795374542.3491664,
                    attributes=json.dumps(llm), annotations=json.dumps(note), sdk_language="node", created_at=1003.25,
                ),
            ),
            ("spans", legacy.span("s1", "t1", name="root", span_type="agent_step", created_at=1002.0, end_time=None)),
        )  # fmt: skip
        report = migrate(db_path)
        assert spans_in(db_path) == {
            "s1": {
                "span_id": "s1", "trace_id": "t1", "parent_span_id": None, "span_type": "agent_step", "name": "root",
                "status": "ok", "error_message": None, "start_time": 1000.5, "end_time": None, "duration_ms": None,
                "attributes": {}, "annotations": [], "sdk_language": "python", "interrupted": False,
                "created_at": 1002.0,
            },
            "s2": {
                "span_id": "s2", "trace_id": "t1", "parent_span_id": "s1", "span_type": "llm_call", "name": "ask",
                "status": "error", "error_message": "no answer", "start_time": 1795374542.3475487,
                "end_time": 1795374542.3491664, "duration_ms": pytest.approx(1.6177, abs=1e-3), "attributes": llm,
                "annotations": note, "sdk_language": "node", "interrupted": False, "created_at": 1003.25,
            },
        }  # fmt: skip
        assert list(spans_in(db_path)) == ["s1", "s2"], "in the order they arrived, not as they were inserted"
        assert traces_in(db_path) == {
            "t1": {
                "trace_id": "t1", "name": "root", "start_time": 1000.5, "end_time": 1795374542.3491664,
                "duration_ms": pytest.approx((1795374542.3491664 - 1000.5) * 1e3), "span_count": 2, "status": "error",
                "total_cost_usd": 0.25, "total_tokens": 15, "tags": {"env": "dev"}, "sdk_language": "python",
                "session_id": None, "error_count": 1, "running_count": 1, "unpriced_count": 0, "created_at": 1001.5,
                "interrupted_count": 0, "models": ["gpt-4o"],
            }
        }  # fmt: skip
        assert (report.traces, report.spans, report.mended, report.left_behind) == (1, 2, {}, ())
        with closing(connect_reader(db_path)) as db:
            assert db.execute("SELECT model, tokens, cost_pico FROM spans WHERE span_id = 's2'").fetchall() == [
                ("gpt-4o", 15, 250_000_000_000)
            ]

    def test_the_oldest_layout_without_the_columns_and_the_table_that_came_later(self, db_path: Path) -> None:
        make(
            db_path,
            ("traces", legacy.trace("t1")),
            ("spans", legacy.span("s1", "t1", attributes='{"a": 1}')),
            ("replay_runs", {"replay_id": "r1", "original_span_id": "s1", "new_output": "{}", "created_at": 5.0}),
            newest=False,
            indexes=False,
        )
        report = migrate(db_path)
        assert (report.spans, report.replay_runs, report.prompt_versions) == (1, 1, 0)
        span = spans_in(db_path)["s1"]
        assert (span["attributes"], span["annotations"], span["sdk_language"]) == ({"a": 1}, [], None)

    def test_rollups_are_those_of_the_spans(self, db_path: Path) -> None:
        calls = [("a", 0.1, 10), ("b", 0.2, 20), ("c", 0.3, None)]
        make(
            db_path,
            ("traces", legacy.trace("t1", status="error", total_cost_usd=99.0, total_tokens=12345, span_count=17)),
            *(
                (
                    "spans",
                    legacy.span(
                        i, "t1", span_type="llm_call",
                        attributes=json.dumps({"llm.cost_usd": cost, "llm.tokens.total": tokens}),
                    ),
                )
                for i, cost, tokens in calls
            ),
        )  # fmt: skip
        migrate(db_path)
        trace = traces_in(db_path)["t1"]
        assert (trace["status"], trace["span_count"], trace["total_tokens"]) == ("ok", 3, 30)
        assert trace["total_cost_usd"] == 0.6, "summed as integers: 0.1 + 0.2 + 0.3 is 0.6"

    def test_traces_and_spans_keep_the_order_they_arrived_in(self, db_path: Path) -> None:
        make(
            db_path,
            ("traces", legacy.trace("late", created_at=30.0)),
            ("traces", legacy.trace("early", created_at=10.0)),
            ("traces", legacy.trace("same-1", created_at=20.0)),
            ("traces", legacy.trace("same-2", created_at=20.0)),
            ("spans", legacy.span("s4", "late", created_at=30.0)),
            ("spans", legacy.span("s3", "same-2", created_at=20.0)),
            ("spans", legacy.span("s3b", "same-1", created_at=20.0)),
            ("spans", legacy.span("s1", "early", created_at=10.0)),
            ("spans", legacy.span("s5", "early", created_at=31.0)),
        )
        migrate(db_path)
        assert list(traces_in(db_path)) == ["early", "same-1", "same-2", "late"]
        assert list(spans_in(db_path)) == ["s1", "s3", "s3b", "s4", "s5"]
        with closing(connect_reader(db_path)) as db:
            seqs = [seq for (seq,) in db.execute("SELECT created_seq FROM spans ORDER BY span_row")]
            assert seqs == sorted(set(seqs)), "a span's row and its created_seq rise together"
            first = db.execute("SELECT max(created_seq) FROM traces").fetchone()[0]
            assert first < seqs[0], "trace_created comes before the trace's first span_created"

    def test_what_does_not_fit_is_mended_and_counted(self, db_path: Path) -> None:
        make(
            db_path,
            ("traces", legacy.trace("weird id/1", tags="[]")),
            ("spans", legacy.span("näh", "weird id/1", attributes="[1]", span_type="robot", status=None)),
            ("spans", legacy.span("kid", "weird id/1", parent_span_id="näh", start_time="?", attributes="{oops")),
            ("spans", legacy.span(None, "weird id/1", end_time=1e300, annotations="{}")),
            ("spans", legacy.span("orphan", "no row", created_at=500.0)),
            ("spans", legacy.span("lost", None)),
            ("traces", legacy.trace("empty-1")),
            ("traces", legacy.trace("empty-2")),
        )
        report = migrate(db_path)
        spans, traces = spans_in(db_path), traces_in(db_path)
        assert len(spans) == 5
        assert len(traces) == 3
        by_original = {s["attributes"].get("beacon.legacy.span_id", i): s for i, s in spans.items()}
        odd, kid = by_original["näh"], by_original["kid"]
        assert (odd["span_type"], odd["status"]) == ("custom", "unset")
        assert odd["attributes"]["beacon.legacy.attributes"] == "[1]"
        assert kid["parent_span_id"] == odd["span_id"]
        assert kid["start_time"] == kid["created_at"] == 1002.0
        assert kid["trace_id"] == odd["trace_id"] == by_original[None]["trace_id"]
        assert traces[kid["trace_id"]]["tags"] == {"beacon.legacy.tags": "[]"}
        assert traces[spans["orphan"]["trace_id"]]["created_at"] == 500.0
        assert spans["lost"]["trace_id"] == "legacy-no-trace"
        assert report.traces_without_spans == 2
        assert report.mended["beacon.legacy.trace_id"] == 5
        assert report.mended["beacon.legacy.span_id"] == 2
        assert report.mended["beacon.legacy.tags"] == 1
        text = "\n".join(report.lines())
        assert "only the backup has: 2 traces without any span" in text
        assert "beacon.legacy.attributes 2" in text

    def test_ids_that_become_one_are_told_apart(self, db_path: Path) -> None:
        make(
            db_path,
            ("traces", legacy.trace("t")),
            *(("spans", legacy.span(f"s{n}", "t", created_at=float(n))) for n in range(200)),
            ("spans", legacy.span(b"s100", "t", created_at=100.5)),
        )
        report = migrate(db_path)
        spans = spans_in(db_path)
        assert len(spans) == report.spans == 201
        other = [s for s in spans.values() if "beacon.legacy.span_id" in s["attributes"]]
        assert [(s["attributes"]["beacon.legacy.span_id"], s["created_at"]) for s in other] == [("s100", 100.5)]
        assert spans["s100"]["created_at"] == 100.0, "the first keeps the id"

    def test_replay_runs_and_prompt_versions(self, db_path: Path) -> None:
        run = {"trace_id": "t1", "modified_input": '{"llm.prompt": "x"}', "new_output": "text", "diff": None}
        make(
            db_path,
            ("traces", legacy.trace("t1")),
            ("spans", legacy.span("s1", "t1")),
            ("spans", legacy.span("s 2", "t1")),
            ("replay_runs", {"replay_id": "r2", "original_span_id": "s1", **run, "created_at": 7.5}),
            ("replay_runs", {"replay_id": "r1", "original_span_id": "s 2", **run, "created_at": 6.5}),
            ("replay_runs", {"replay_id": "r3", "original_span_id": "gone", **run, "created_at": 8.5}),
            ("prompt_versions", {"version_id": "v1", "span_id": "s1", "prompt_text": "hi", "created_at": 9.0}),
            ("prompt_versions", {"version_id": "v 2", "span_id": "s1", "label": "best", "created_at": "?"}),
            ("prompt_versions", {"version_id": "v3", "span_id": "gone", "prompt_text": "hi", "created_at": 9.0}),
        )
        report = migrate(db_path)
        assert (report.replay_runs, report.replay_runs_without_span) == (2, 1)
        assert (report.prompt_versions, report.prompt_versions_without_span) == (2, 1)
        odd = next(i for i in spans_in(db_path) if i != "s1")
        with closing(connect_reader(db_path)) as db:
            runs = db.execute(
                "SELECT replay_id, t.trace_id, span_id, modified_input, new_output, diff, r.created_ns"
                " FROM replay_runs r JOIN traces t USING (trace_row) ORDER BY replay_row"
            ).fetchall()
            versions = db.execute("SELECT version_id, span_id, prompt_text, label, created_ns FROM prompt_versions")
            kept = '{"llm.prompt": "x"}', '{"beacon.legacy.text":"text"}', "{}"
            assert runs == [("r1", "t1", odd, *kept, 6_500_000_000), ("r2", "t1", "s1", *kept, 7_500_000_000)]
            first, second = sorted(versions, key=lambda v: v[4], reverse=True)
            assert first == ("v1", "s1", "hi", None, 9 * NS)
            assert second[1:] == ("s1", "", "best", 0)

    def test_tables_and_columns_nobody_knows_are_named(self, db_path: Path) -> None:
        make(db_path, ("traces", legacy.trace("t1")), ("spans", legacy.span("s1", "t1")))
        with closing(sqlite3.connect(db_path)) as db:
            db.execute("CREATE TABLE plugins (name TEXT)")
            db.execute("ALTER TABLE spans ADD COLUMN colour TEXT")
        report = migrate(db_path)
        assert report.left_behind == ("plugins", "spans.colour")
        assert "the unknown plugins, the unknown spans.colour" in "\n".join(report.lines())

    def test_a_file_with_no_rows_at_all(self, db_path: Path) -> None:
        make(db_path)
        report = migrate(db_path)
        assert (report.traces, report.spans) == (0, 0)
        with closing(connect_reader(db_path)) as db:
            assert db.execute("SELECT seq, next_trace_row, next_span_row FROM counters").fetchall() == [(0, 1, 1)]

    def test_spans_of_megabytes(self, db_path: Path) -> None:
        text = json.dumps({"browser.screenshot": "A" * 3_000_000})
        make(
            db_path,
            ("traces", legacy.trace("t")),
            *(("spans", legacy.span(f"s{n}", "t", attributes=text)) for n in range(12)),
        )
        migrate(db_path)
        assert [len(s["attributes"]["browser.screenshot"]) for s in spans_in(db_path).values()] == [3_000_000] * 12


class TestFile:
    def test_the_new_file_is_one_of_ours_to_the_last_setting(self, db_path: Path) -> None:
        make(db_path)
        with closing(sqlite3.connect(db_path, isolation_level=None)) as db:
            legacy.fill(db, 500)
        db_path.chmod(0o644)
        migrate(db_path)
        assert names_in(db_path.parent) == AFTER
        for file in db_path.parent.iterdir():
            assert file.stat().st_mode & 0o777 == 0o600, file
        with closing(connect_writer(db_path)) as db:
            assert kind_of(db) == "beacon"
            assert db.execute("PRAGMA user_version").fetchone() == (newest_schema(),)
            assert db.execute("PRAGMA page_size").fetchone() == (PAGE_SIZE,)
            assert db.execute("PRAGMA auto_vacuum").fetchone() == (2,)
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []
            counters = db.execute(
                "SELECT seq, next_trace_row, next_span_row, trace_count, span_count, tombstone_floor FROM counters"
            ).fetchone()
            assert counters == (550, 51, 501, 50, 500, 0)
            assert db.execute(
                "SELECT max(seq) FROM (SELECT seq FROM spans UNION SELECT seq FROM traces)"
            ).fetchone() == (550,)
            upgrade(db, db_path)
        assert migrate_if_legacy(db_path, silent) is None, "there is nothing left to do"

    def test_the_backup_is_the_original(self, db_path: Path) -> None:
        make(db_path)
        with closing(sqlite3.connect(db_path, isolation_level=None)) as db:
            legacy.fill(db, 200)
        before = legacy.rows_of(db_path)
        report = migrate(db_path)
        assert legacy.rows_of(report.backup) == before
        with closing(sqlite3.connect(report.backup)) as db:
            assert kind_of(db) == "legacy"

    def test_content_that_is_in_the_wal_alone(self, db_path: Path) -> None:
        legacy.make_with_wal(db_path, "legacy.create(db); legacy.fill(db, 300)")
        report = migrate(db_path)
        assert report.spans == len(spans_in(db_path)) == 300
        assert len(legacy.rows_of(report.backup)["spans"]) == 300
        assert names_in(db_path.parent) == AFTER

    def test_a_journal_that_has_to_be_played_back_first(self, db_path: Path) -> None:
        make(db_path, ("traces", legacy.trace("t1")), ("spans", legacy.span("s1", "t1")))
        code = (
            "import os, sqlite3, sys\n"
            "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "db.execute('PRAGMA cache_size=5')\ndb.execute('BEGIN')\n"
            "db.execute(\"UPDATE spans SET name = 'never committed'\")\n"
            "db.execute(\"UPDATE spans SET attributes = json_object('a', hex(randomblob(200000)))\")\n"
            "os._exit(0)\n"
        )
        subprocess.run([sys.executable, "-c", code, str(db_path)], check=True)
        assert db_path.with_name("traces.db-journal").stat().st_size > 0
        migrate(db_path)
        assert spans_in(db_path)["s1"]["name"] == "name of 's1'"
        assert names_in(db_path.parent) == AFTER

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "disk").mkdir()
        real, link = tmp_path / "disk" / "traces.db", tmp_path / "link.db"
        make(real, ("spans", legacy.span("s1", "t1")))
        link.symlink_to(real)
        report = migrate(link)
        assert link.is_symlink()
        assert report.backup.parent == real.parent
        assert list(spans_in(real)) == ["s1"]

    def test_two_backups_of_one_second_do_not_meet(self, db_path: Path) -> None:
        first = None
        for name in ("one", "two"):
            db_path.unlink(missing_ok=True)
            make(db_path, ("spans", legacy.span(name, "t")))
            backup = migrate(db_path).backup
            assert legacy.rows_of(backup)["spans"][0][0] == name
            assert backup != first
            first = backup


class TestProgress:
    def test_it_is_shown_and_logged(self, db_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        make(db_path)
        with closing(sqlite3.connect(db_path, isolation_level=None)) as db:
            legacy.fill(db, 20_000)
        shown: list[tuple[int, int]] = []
        with caplog.at_level(logging.INFO):
            migrate_if_legacy(db_path, lambda done, total: shown.append((done, total)))
        assert shown[0] == (0, 20_000)
        assert shown[-1] == (20_000, 20_000)
        assert shown == sorted(shown)
        assert any(0 < done < 20_000 for done, _ in shown)
        assert any("migrated 20,000 spans in 2,000 traces" in line for line in caplog.messages)
        assert any("traces.db" in line and "backing up" in line for line in caplog.messages)

    @pytest.mark.parametrize("at", [0, 1, 5_000])
    def test_raising_from_it_stops_and_leaves_the_old_file(self, db_path: Path, at: int) -> None:
        make(db_path)
        with closing(sqlite3.connect(db_path, isolation_level=None)) as db:
            legacy.fill(db, 10_000)
        before = legacy.rows_of(db_path)

        def stop(done: int, total: int) -> None:
            if done >= at:
                raise StoreBusy("stopping")

        with pytest.raises(StoreBusy, match=r"^stopping$"):
            migrate_if_legacy(db_path, stop)
        assert legacy.rows_of(db_path) == before
        assert names_in(db_path.parent) == {"traces.db"}


class TestRefused:
    def untouched(self, path: Path) -> Callable[[], None]:
        """Call the result to see that `path` and its folder are as they are now."""
        before, names = path.read_bytes(), names_in(path.parent)

        def check() -> None:
            assert path.read_bytes() == before
            assert names_in(path.parent) == names

        return check

    def test_no_room(self, db_path: Path) -> None:
        make(db_path)
        with closing(sqlite3.connect(db_path, isolation_level=None)) as db:
            legacy.fill(db, 2_000, attribute_bytes=1_000)
        size = db_path.stat().st_size
        check = self.untouched(db_path)
        with pytest.raises(Refused) as refused:
            migrate_if_legacy(db_path, silent, free_bytes=lambda folder: 2 * size)
        assert f"needs {(size * 2.2 + 2**20) / 1e6:.1f} MB free in {db_path.parent}" in refused.value.detail
        assert f"{2 * size / 1e6:.1f} MB are free" in refused.value.detail
        assert "BEACON_DB_PATH" in refused.value.detail
        check()
        assert migrate_if_legacy(db_path, silent, free_bytes=lambda folder: int(2.2 * size) + 2**20)

    def test_the_wal_counts_too(self, db_path: Path) -> None:
        legacy.make_with_wal(db_path, "legacy.create(db); legacy.fill(db, 2000)")
        wal = db_path.with_name("traces.db-wal").stat().st_size
        assert wal > 1_000_000
        with pytest.raises(Refused, match="needs"):
            migrate_if_legacy(db_path, silent, free_bytes=lambda folder: 2 * wal)
        migrate(db_path)

    def test_a_disk_that_fills_up_on_the_way(self, small_disk: Path) -> None:
        path = small_disk / "traces.db"
        make(path)
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            legacy.fill(db, 3_000, attribute_bytes=1_000)  # 4 MB on a disk of 10
        before = legacy.rows_of(path)
        with pytest.raises(Refused, match="MB are free"):
            migrate_if_legacy(path, silent)
        for free in ("backup", "new file"):
            filler = small_disk / "filler"
            filler.write_bytes(bytes((5 if free == "backup" else 1) << 20))
            with pytest.raises(Refused, match="MB are free"):
                migrate_if_legacy(path, silent, free_bytes=lambda folder: 1 << 40)
            filler.unlink()
            assert names_in(small_disk) == {"traces.db"}
            assert legacy.rows_of(path) == before

    @pytest.fixture
    def small_disk(self) -> Iterator[Path]:
        folder = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
        mount = ["mount", "-t", "tmpfs", "-o", "size=10m", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
            folder.rmdir()
            pytest.skip("only root may mount a small disk")
        try:
            yield folder
        finally:
            subprocess.run(["umount", str(folder)], check=True)
            folder.rmdir()

    @pytest.mark.parametrize("wal", [True, False])
    def test_a_server_that_still_has_the_file_open(self, db_path: Path, wal: bool) -> None:
        make(db_path)
        code = (
            "import sqlite3, sys\n"
            "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
            "db.execute('PRAGMA journal_mode=' + sys.argv[2])\n"
            "db.execute('SELECT count(*) FROM spans').fetchall()\n"
            "if sys.argv[2] == 'DELETE': db.execute('BEGIN IMMEDIATE')\n"  # with no WAL only a writer is seen
            "print('open', flush=True)\nsys.stdin.read()\n"
        )
        arguments = [sys.executable, "-c", code, str(db_path), "WAL" if wal else "DELETE"]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
            assert server.stdout is not None
            assert server.stdout.readline() == b"open\n"
            with pytest.raises(StoreBusy, match=re.escape(str(db_path))):
                migrate_if_legacy(db_path, silent, busy_s=0.05)
            server.communicate()
        migrate(db_path)
        assert names_in(db_path.parent) == AFTER

    def test_nobody_gets_in_until_the_new_file_is_in_place(self, db_path: Path) -> None:
        legacy.make_with_wal(db_path, "legacy.create(db); legacy.fill(db, 50)")
        code = (
            "import sqlite3, sys\n"
            "db = sqlite3.connect(sys.argv[1], timeout=0)\n"
            "try: print(db.execute('SELECT count(*) FROM spans').fetchone())\n"
            "except sqlite3.OperationalError as e: print(e)\n"
        )
        seen: dict[str, str] = {}

        def ask(step: str) -> None:
            done = subprocess.run(
                [sys.executable, "-c", code, str(db_path)], capture_output=True, text=True, check=True
            )
            seen[step] = done.stdout.strip()

        migrate_if_legacy(db_path, silent, on_step=ask)
        assert tuple(seen) == STEPS
        for step in STEPS[: STEPS.index("replaced")]:
            assert seen[step] == "database is locked", step
        assert seen["backup named"] == "(50,)"

    def test_a_newer_schema_by_name_and_path(self, db_path: Path) -> None:
        with closing(connect_writer(db_path)) as db:
            upgrade(db, db_path)
            db.execute("PRAGMA user_version=99")
        check = self.untouched(db_path)
        with pytest.raises(Refused) as refused:
            migrate_if_legacy(db_path, silent)
        assert str(db_path) in refused.value.detail
        assert f"schema 99; this Beacon knows up to {newest_schema()}" in refused.value.detail
        check()
        with closing(sqlite3.connect(db_path)) as db, pytest.raises(Refused, match="schema 99"):
            upgrade(db, db_path)

    @pytest.mark.parametrize("mode", ["DELETE", "WAL"])
    def test_another_programs_database(self, db_path: Path, mode: str) -> None:
        with closing(sqlite3.connect(db_path)) as db:
            db.execute(f"PRAGMA journal_mode={mode}")
            db.execute("CREATE TABLE notes (id)")
        check = self.untouched(db_path)
        with pytest.raises(Refused, match=re.escape(f"{db_path} is not a Beacon database")):
            migrate_if_legacy(db_path, silent)
        check()

    def test_another_programs_database_with_tables_of_the_same_names(self, db_path: Path) -> None:
        with closing(sqlite3.connect(db_path)) as db:
            db.execute("CREATE TABLE traces (id)")
            db.execute("CREATE TABLE spans (id, span_id, trace_id)")
        check = self.untouched(db_path)
        with pytest.raises(Refused, match=r"but traces\.trace_id, .* and 15 more columns? are missing.*left untouched"):
            migrate_if_legacy(db_path, silent)
        check()

    @pytest.mark.parametrize("content", [b"dear diary" * 200, b"SQLite format 3\0" + bytes(2000)])
    def test_no_database_at_all(self, db_path: Path, content: bytes) -> None:
        db_path.write_bytes(content)
        check = self.untouched(db_path)
        with pytest.raises(Refused, match=re.escape(str(db_path))) as refused:
            migrate_if_legacy(db_path, silent)
        assert "not an SQLite database" in refused.value.detail
        check()

    def test_a_folder(self, db_path: Path) -> None:
        db_path.mkdir()
        with pytest.raises(Refused, match="is not a file"):
            migrate_if_legacy(db_path, silent)

    def test_a_damaged_table(self, db_path: Path) -> None:
        make(db_path)
        with closing(sqlite3.connect(db_path, isolation_level=None)) as db:
            legacy.fill(db, 1_000)
            page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'spans'").fetchone()[0]
            size = db.execute("PRAGMA page_size").fetchone()[0]
        with db_path.open("rb+") as file:
            file.seek((page - 1) * size)
            file.write(b"\xa5" * 300)
        self.check_damaged(db_path)

    @pytest.mark.parametrize("index", ["idx_spans_start", "idx_spans_trace_id"])
    def test_damage_that_reading_every_row_does_not_meet(self, db_path: Path, index: str) -> None:
        """A row that an index lacks."""
        make(db_path)
        with closing(sqlite3.connect(db_path, isolation_level=None)) as db:
            legacy.fill(db, 100)
            db.execute("PRAGMA writable_schema=ON")
            row = db.execute("SELECT * FROM sqlite_master WHERE name = ?", (index,)).fetchone()
            db.execute("DELETE FROM sqlite_master WHERE name = ?", (index,))
        with closing(sqlite3.connect(db_path, isolation_level=None)) as db:
            legacy.insert(db, "spans", legacy.span("not in the index", None))
            db.execute("PRAGMA writable_schema=ON")
            db.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)
        self.check_damaged(db_path)

    def check_damaged(self, db_path: Path) -> None:
        check = self.untouched(db_path)
        with pytest.raises(Refused, match=re.escape(f"{db_path} is damaged")):
            migrate_if_legacy(db_path, silent)
        check()

    def test_nothing_to_do(self, db_path: Path) -> None:
        assert migrate_if_legacy(db_path, silent) is None
        assert not db_path.exists()
        db_path.touch()
        assert migrate_if_legacy(db_path, silent) is None
        with closing(connect_writer(db_path)) as db:
            upgrade(db, db_path)
            assert migrate_if_legacy(db_path, silent) is None, "while others have it open, too"


class Original:
    """A file of the original layout whose newest rows are in its WAL alone, and what may be found after a kill."""

    def __init__(self, folder: Path, spans: int) -> None:
        self._made = folder / "made"
        self._made.mkdir()
        legacy.make_with_wal(self._made / "traces.db", f"legacy.create(db); legacy.fill_in_two(db, {spans})")
        self.old = self._rows(self.copy(folder / "old").parent)  # a look at a file ends its WAL
        migrated = self.copy(folder / "migrated")
        migrate(migrated)
        self.new = self._rows(migrated.parent)
        assert self.old.keys() != self.new.keys()

    def copy(self, folder: Path) -> Path:
        """The file and its WAL in `folder`, made anew."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._made, folder)
        assert (folder / "traces.db-wal").stat().st_size > 0
        return folder / "traces.db"

    def found(self, path: Path) -> str:
        """Which is at `path`, whole: "old" or "new". Anything else fails the test. Looks at a copy."""
        copy = path.parent.with_name(path.parent.name + "-look")
        shutil.copytree(path.parent, copy)
        try:
            rows = self._rows(copy)
        finally:
            shutil.rmtree(copy)
        assert rows in (self.old, self.new), "neither the old rows nor the new ones"
        return "old" if rows == self.old else "new"

    def finish(self, path: Path) -> None:
        """Start again after a kill: it ends with the new file, one backup, and nothing else."""
        migrate_if_legacy(path, silent)
        assert self.found(path) == "new"
        assert names_in(path.parent) == AFTER
        backups = [p for p in path.parent.iterdir() if "backup" in p.name]
        assert len(backups) == 1
        assert {**legacy.rows_of(backups[0]), "counters": []} == self.old

    def _rows(self, folder: Path) -> dict[str, list[tuple[Any, ...]]]:
        path = folder / "traces.db"
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        rows = legacy.rows_of(path)
        rows["counters"] = [row[2:] for row in rows.get("counters", [])]  # less the epoch, which is random
        return rows


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Original:
    return Original(tmp_path_factory.mktemp("original"), 60)


CHILD = """
import os, signal, sys
from pathlib import Path
from ingest.legacy.migrate import migrate_if_legacy

def kill():
    os.kill(os.getpid(), signal.SIGKILL)

def on_step(step):
    if step == sys.argv[2]:
        kill()

migrate_if_legacy(Path(sys.argv[1]), lambda done, total: print(done, flush=True), on_step=on_step)
"""


class TestKilled:
    @pytest.mark.parametrize("step", STEPS)
    def test_after_a_step(self, original: Original, tmp_path: Path, step: str) -> None:
        path = original.copy(tmp_path / "killed")
        child = subprocess.run([sys.executable, "-c", CHILD, str(path), step], cwd=ROOT, stdout=subprocess.DEVNULL)
        assert child.returncode == -signal.SIGKILL
        replaced = STEPS.index(step) >= STEPS.index("replaced")
        assert original.found(path) == ("new" if replaced else "old")
        original.finish(path)

    @pytest.mark.parametrize("step", ["backup written", "backup kept", "new file synced"])
    def test_what_a_killed_run_left_takes_no_room_from_the_next(
        self, original: Original, tmp_path: Path, step: str
    ) -> None:
        path = original.copy(tmp_path / "killed")
        subprocess.run([sys.executable, "-c", CHILD, str(path), step], cwd=ROOT, stdout=subprocess.DEVNULL)
        assert len(names_in(path.parent)) > 3
        seen: set[str] = set()

        def nothing_free(folder: Path) -> int:
            seen.update(names_in(folder))
            return 0

        with pytest.raises(Refused, match="MB free"):
            migrate_if_legacy(path, silent, free_bytes=nothing_free)
        assert seen <= {"traces.db", "traces.db-wal", "traces.db-shm"}
        assert original.found(path) == "old"
        original.finish(path)

    def test_again_and_again(self, original: Original, tmp_path: Path) -> None:
        path = original.copy(tmp_path / "killed")
        for step in STEPS[:-1]:
            subprocess.run([sys.executable, "-c", CHILD, str(path), step], cwd=ROOT, stdout=subprocess.DEVNULL)
        assert original.found(path) == "new"
        original.finish(path)

    @pytest.mark.slow
    def test_from_outside_while_rows_are_copied(self, tmp_path: Path) -> None:
        large = Original(tmp_path, 6_000)
        for line in range(0, 12, 2):
            path = large.copy(tmp_path / "killed")
            arguments = [sys.executable, "-c", CHILD, str(path), "none"]
            with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE) as child:
                assert child.stdout is not None
                for _ in range(line + 1):
                    child.stdout.readline()
                child.kill()
            large.found(path)
            large.finish(path)

    @pytest.mark.slow
    def test_at_every_call_that_touches_a_file(self, original: Original, tmp_path: Path) -> None:
        """Each call that the migration makes into Python's or SQLite's C code is a moment to die at."""
        path = original.copy(tmp_path / "counted")
        calls = self.calls_until_killed(path, None)
        assert calls > 100, "the calls are no longer counted"
        outcomes = []
        for n in range(1, calls + 1):
            path = original.copy(tmp_path / "killed")
            assert self.calls_until_killed(path, n) == n
            outcomes.append(original.found(path))
            original.finish(path)
        assert outcomes == sorted(outcomes, reverse=True), "the old file, then at one moment the new one"
        assert {"old", "new"} == set(outcomes)

    def calls_until_killed(self, path: Path, kill_at: int | None) -> int:
        """Migrate in a fork, killed right before its call number `kill_at`; how many calls it came to."""
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            calls = 0

            def count(frame: types.FrameType, event: str, argument: Any) -> None:
                nonlocal calls
                # rows are converted and written the same way thousands of times: their files are left out
                if event == "c_call" and frame.f_code.co_filename.endswith(
                    ("legacy/files.py", "legacy/backup.py", "legacy/migrate.py", "pathlib.py")
                ):
                    calls += 1
                    if calls == kill_at:
                        os.write(write, str(calls).encode())
                        os.kill(os.getpid(), signal.SIGKILL)

            try:
                sys.setprofile(count)
                migrate_if_legacy(path, silent)
                sys.setprofile(None)
                os.write(write, str(calls).encode())
            finally:
                os._exit(0)
        os.close(write)
        with os.fdopen(read) as pipe:
            said = pipe.read()
        os.waitpid(pid, 0)
        return int(said)


class TestIngest:
    """The process that does it, as a user starts it."""

    @pytest.fixture
    def home(self) -> Iterator[Path]:
        with short_home() as home:
            yield home

    def test_it_migrates_says_so_and_goes_on_from_there(self, home: Path) -> None:
        legacy.make_with_wal(home / "traces.db", "legacy.create(db); legacy.fill(db, 3000)")
        with Process("ingest", home) as ingest, Process("query", home) as query:
            wait_for(
                lambda: ingest.ask("POST", "/v1/spans", {"spans": [posted_span("new", "t-new")]}).status == 200,
                "ingest",
            )
            old = next(iter(spans_in(home / "traces.db").values()))
            more = posted_span("new", old["trace_id"], parent_span_id=old["span_id"])
            assert ingest.ask("POST", "/v1/spans", {"spans": [more]}).json["accepted"] == 1
            trace = query.ask("GET", f"/v1/traces/{old['trace_id']}").json
            assert trace["span_count"] == len(trace["spans"]) == 11
            assert old["attributes"] in [span["attributes"] for span in trace["spans"]]
            page = query.ask("GET", "/v1/traces?limit=2").json
            assert (page["total"], page["traces"][0]["trace_id"]) == (301, "t-new")
            assert ingest.end(signal.SIGTERM) == 0
        log = ingest.log.read_text()
        assert "backing up traces.db" in log
        assert "migrated 3,000 spans in 300 traces" in log
        assert names_in(home) >= AFTER

    def test_killed_again_and_again_it_ends_well(self, home: Path) -> None:
        path = home / "traces.db"
        legacy.make_with_wal(path, "legacy.create(db); legacy.fill(db, 20000)")
        for started in ("traces.db.backup-partial", "traces.db.migrating"):
            ingest = Process("ingest", home)
            ingest.start(wait=False)
            wait_for((home / started).exists, started)
            ingest.end(signal.SIGKILL)
            assert len(legacy.rows_of(path)["spans"]) == 20_000
        with Process("ingest", home) as ingest:
            assert len(spans_in(path)) == 20_000
            assert {name for name in names_in(home) if "traces.db." in name} == {"traces.db.backup-*", "traces.db.lock"}

    @pytest.mark.parametrize("kind", ["newer", "foreign", "no database"])
    def test_what_it_must_not_open_makes_it_stay_down(self, home: Path, kind: str) -> None:
        path = home / "traces.db"
        if kind == "no database":
            path.write_bytes(b"dear diary" * 200)
        else:
            with closing(connect_writer(path)) as db:
                if kind == "newer":
                    upgrade(db, path)
                    db.execute("PRAGMA user_version=99")
                else:
                    db.execute("CREATE TABLE notes (id)")
        before = path.read_bytes()
        ingest = Process("ingest", home)
        ingest.start(wait=False)
        wait_for(ingest.ended, "the refusal")
        assert ingest.child is not None
        assert ingest.child.returncode == REFUSED_EXIT
        assert str(path) in ingest.log.read_text()
        assert path.read_bytes() == before
