"""What doctor finds, and what it says to do."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from beacon.cli import findings as look
from beacon.cli.database_findings import check_database
from beacon.cli.findings import Finding
from beacon.cli.health import Health
from beacon.cli.invocation import Invocation
from beacon.cli.mode_findings import check_modes
from beacon.cli.untouched import _remove_unused, reading
from beacon.config import Settings, prepare_directories
from beacon.errors import Refused
from beacon.ports import Holder
from beacon.store.connect import connect_writer
from beacon.store.version import newest_schema, upgrade
from beacon.supervision import ProcessState
from tests.processes import short_home

BEACON = Invocation("bin/beacon", " --home h")


@pytest.fixture
def settings() -> Iterator[Settings]:
    with short_home() as home:
        settings = Settings(home=home / "h", db_path=home / "h" / "traces.db", run_dir=home / "h" / "run")
        prepare_directories(settings)
        yield settings


def make_database(settings: Settings) -> None:
    with closing(connect_writer(settings.db_path)) as db:
        upgrade(db, settings.db_path)
    settings.db_path.chmod(0o600)


def one(found: list[Finding]) -> Finding:
    assert len(found) == 1, found
    return found[0]


def test_private_folders_and_files_are_well(settings: Settings) -> None:
    make_database(settings)
    assert one(check_modes(settings, BEACON)).level == "ok"


def test_what_others_can_read_is_a_problem_with_the_command_that_mends_it(settings: Settings) -> None:
    make_database(settings)
    settings.db_path.chmod(0o644)
    settings.run_dir.chmod(0o755)
    run, db = check_modes(settings, BEACON)
    assert (run.level, run.advice) == ("problem", f"chmod 700 {settings.run_dir}")
    assert (db.level, db.advice) == ("problem", f"chmod 600 {settings.db_path}")
    assert "0644" in db.what


def test_a_home_that_holds_other_things_too_is_never_closed_to_others(settings: Settings) -> None:
    make_database(settings)
    (settings.home / "notes.txt").touch()
    settings.home.chmod(0o755)
    prepare_directories(settings)
    seen = one(check_modes(settings, BEACON))
    assert (seen.level, "notes.txt" in seen.what, "chmod" in seen.advice) == ("warning", True, False)

    # in such a folder the modes of Beacon's own files are all there is; a backup is one of them
    (backup := settings.home / "traces.db.backup-1").touch(0o644)
    warning, problem = check_modes(settings, BEACON)
    assert (warning.level, problem.level, problem.advice) == ("warning", "problem", f"chmod 600 {backup}")
    backup.unlink()

    settings.home.chmod(0o777)
    open_to_all = one(check_modes(settings, BEACON))
    assert (open_to_all.level, "chmod go-w" in open_to_all.advice) == ("problem", True)
    with pytest.raises(Refused):
        prepare_directories(settings)
    settings.home.chmod(0o755)


def test_a_home_that_is_not_there_yet_is_well() -> None:
    home = Path("/tmp/there-is-no-such-home")
    found = check_modes(Settings(home=home, db_path=home / "traces.db", run_dir=home / "run"), BEACON)
    assert one(found).level == "ok"


@pytest.mark.parametrize(("free", "level"), [(50_000_000, "problem"), (500_000_000, "warning"), (5_000_000_000, "ok")])
def test_room_on_the_disk(settings: Settings, free: int, level: str) -> None:
    assert one(look.check_disk(settings, free)).level == level


def test_room_is_looked_up_where_the_database_will_be(settings: Settings) -> None:
    away = Settings(home=settings.home, db_path=settings.home / "a" / "b" / "t.db", run_dir=settings.run_dir)
    assert str(settings.home) in one(look.check_disk(away)).what


@pytest.mark.parametrize(
    ("up", "taken", "level", "says"),
    [
        (True, "127.0.0.1", "ok", "Beacon listens"),
        (True, None, "problem", "nobody listens"),
        (False, None, "ok", "is free"),
        (False, "::1", "problem", "in use on ::1 by nc (pid 7)"),
    ],
)
def test_the_port(up: bool, taken: str | None, level: str, says: str) -> None:
    finding = one(look.check_port(7474, up, taken, lambda: Holder(7, "nc", "nc -l"), lambda: 7480, BEACON))
    assert finding.level == level
    assert says in finding.what
    assert ("bin/beacon up --port 7480 --home h" in finding.advice) is ("in use" in says)


def test_a_port_nobody_can_name(settings: Settings) -> None:
    assert "does not name" in one(look.check_port(7474, False, "::1", lambda: None, lambda: 7480, BEACON)).what


def test_sockets_with_nobody_behind_them(settings: Settings) -> None:
    with socket.socket(socket.AF_UNIX) as dead, socket.socket(socket.AF_UNIX) as live:
        dead.bind(str(settings.socket_path("ingest")))
        live.bind(str(settings.socket_path("query")))
        live.listen()
        dead.close()
        while_up = one(look.check_sockets(settings, True, BEACON))
        while_down = one(look.check_sockets(settings, False, BEACON))
    assert (while_up.level, while_down.level) == ("warning", "ok")
    for finding in (while_up, while_down):
        assert "ingest.sock" in finding.what
        assert "query.sock" not in finding.what


def test_socket_paths_that_are_too_long(settings: Settings) -> None:
    long = Settings(home=settings.home, db_path=settings.db_path, run_dir=Path("/tmp") / ("x" * 90))
    found = look.check_sockets(long, False, BEACON)
    assert all(finding.level == "problem" and "BEACON_RUN_DIR" in finding.advice for finding in found)


def test_another_writer_is_named(settings: Settings) -> None:
    assert look.check_lock(settings, up=False) == []
    with settings.lock_path.open("w+") as file:
        file.write("4711\n")
        file.flush()
        assert look.check_lock(settings, up=False) == []
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "process 4711" in one(look.check_lock(settings, up=False)).what
        assert look.check_lock(settings, up=True) == [], "our own ingest holds it"


def test_a_sound_database(settings: Settings) -> None:
    assert one(check_database(settings, False, BEACON)).level == "ok"
    make_database(settings)
    whole, schema = check_database(settings, False, BEACON)
    assert (whole.level, schema.level) == ("ok", "ok")
    assert str(newest_schema()) in schema.what


def test_a_database_that_is_gone_while_ingest_runs(settings: Settings) -> None:
    finding = one(check_database(settings, True, BEACON))
    assert (finding.level, finding.check) == ("problem", "database")
    assert f"{settings.db_path} is gone" in finding.what
    assert "bin/beacon down --home h" in finding.advice
    assert "bin/beacon up --home h" in finding.advice
    make_database(settings)
    assert [found.level for found in check_database(settings, True, BEACON)] == ["ok", "ok"]


def test_a_database_without_its_row_of_counters_is_damaged(settings: Settings) -> None:
    make_database(settings)
    with closing(sqlite3.connect(settings.db_path)) as db:
        db.execute("DELETE FROM counters")
        db.commit()
    finding = one(check_database(settings, False, BEACON))
    assert finding.level == "problem"
    assert "damaged: its row of counters is gone" in finding.what
    assert "backup" in finding.advice


def test_counters_are_not_looked_for_in_a_newer_schema(settings: Settings) -> None:
    make_database(settings)
    with closing(sqlite3.connect(settings.db_path)) as db:
        db.execute("DROP TABLE counters")
        db.execute(f"PRAGMA user_version={newest_schema() + 1}")
    _, schema = check_database(settings, False, BEACON)
    assert "this Beacon knows up to" in schema.what


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("kept", [(), ("-wal",), ("-wal", "-shm")])
def test_doctor_leaves_the_folder_as_it_is(settings: Settings, tmp_path: Path, kept: tuple[str, ...]) -> None:
    """The database alone, copied with its WAL, or left by a killed ingest: only the WAL has the newest rows then."""
    make_database(settings)
    copied = settings.db_path.with_name("copied.db")
    with closing(connect_writer(settings.db_path)) as db:
        db.execute("UPDATE counters SET next_span_row = 7")
        for end in ("", *kept):
            shutil.copy(f"{settings.db_path}{end}", f"{copied}{end}")
    copied.chmod(0o644)
    here = Settings(home=settings.home, db_path=copied, run_dir=settings.run_dir)
    before = files(settings.home)
    assert [finding.level for finding in check_database(here, False, BEACON)] == ["ok", "ok"]
    assert files(settings.home).keys() == before.keys()
    assert {name: text for name, text in files(settings.home).items() if not name.endswith("-shm")} == {
        name: text for name, text in before.items() if not name.endswith("-shm")
    }
    with reading(copied) as db:
        assert (db.execute("SELECT next_span_row FROM counters").fetchone()[0] == 7) is bool(kept)


def test_a_file_of_shared_memory_that_another_program_uses_is_left_to_it(settings: Settings) -> None:
    make_database(settings)
    with reading(settings.db_path):
        pass
    code = (
        "import sqlite3, sys\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('UPDATE counters SET next_span_row = 8')\n"
        "print(flush=True)\n"
        "input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(settings.db_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        other.stdout.readline()
        shm = settings.db_path.with_name("traces.db-shm")
        _remove_unused(shm, settings.db_path)
        assert shm.exists()
        other.stdin.close()


def test_a_damaged_database(settings: Settings) -> None:
    with closing(sqlite3.connect(settings.db_path)) as db:
        db.execute("CREATE TABLE t (a, b)")
        db.executemany("INSERT INTO t VALUES (?, ?)", [(n, "x" * 500) for n in range(1_000)])
        db.execute("CREATE INDEX i ON t (a)")
        db.commit()
    raw = bytearray(settings.db_path.read_bytes())
    raw[8_192 * 4 : 8_192 * 5] = os.urandom(8_192)
    settings.db_path.write_bytes(raw)
    finding = one(check_database(settings, False, BEACON))
    assert finding.level == "problem"
    assert "backup" in finding.advice


def test_a_file_that_is_no_database(settings: Settings) -> None:
    settings.db_path.write_text("hello" * 1_000)
    assert one(check_database(settings, False, BEACON)).level == "problem"


@pytest.mark.parametrize(
    ("make", "level", "says"),
    [
        (["CREATE TABLE x (a)"], "problem", "not a Beacon database"),
        (["CREATE TABLE traces (a)", "CREATE TABLE spans (a)"], "warning", "original layout"),
    ],
)
def test_databases_of_others(settings: Settings, make: list[str], level: str, says: str) -> None:
    with closing(sqlite3.connect(settings.db_path)) as db:
        for statement in make:
            db.execute(statement)
        db.commit()
    _, schema = check_database(settings, False, BEACON)
    assert schema.level == level
    assert says in schema.what


@pytest.mark.parametrize(("step", "level"), [(1, "problem"), (-1, "warning")])
def test_a_schema_newer_or_older_than_ours(settings: Settings, step: int, level: str) -> None:
    make_database(settings)
    with closing(sqlite3.connect(settings.db_path)) as db:
        db.execute(f"PRAGMA user_version={newest_schema() + step}")
    _, schema = check_database(settings, False, BEACON)
    assert schema.level == level


def test_health_part_by_part() -> None:
    parts = {"ingest": "up", "query": "down: Connection refused", "replay_worker": "1 up"}
    finding = one(look.check_health(Health(503, "degraded", "1", "/x", parts), True, "http://x", BEACON))
    assert (finding.level, finding.advice) == ("problem", "bin/beacon logs query --home h")
    assert one(look.check_health(Health(), True, "http://x", BEACON)).level == "problem"
    assert one(look.check_health(Health(), False, "http://x", BEACON)).level == "ok"
    denied = one(look.check_health(Health(401), True, "http://x", BEACON))
    assert denied.level == "problem"
    assert "401" in denied.what
    assert "BEACON_TOKEN" in denied.advice
    waiting = Health(200, "degraded", "1", "/x", {"ingest": "up", "query": "up", "replay_worker": "1 of 2 up"})
    assert one(look.check_health(waiting, True, "http://x", BEACON)).level == "warning"


def state(name: str, word: str, **more: Any) -> ProcessState:
    return ProcessState(name, word, 1, 0.0, more.get("exit_status", 0), more.get("spawn_error", ""), "")


def test_processes_that_do_not_run() -> None:
    states = [state("hub", "RUNNING"), state("ingest", "EXITED", spawn_error="Bad exit code 78")]
    finding = one(look.check_processes(states, True, BEACON))
    assert finding.level == "problem"
    assert "ingest is EXITED (Bad exit code 78)" in finding.what
    assert one(look.check_processes(states[:1], True, BEACON)).level == "ok"
    assert one(look.check_processes(None, True, BEACON)).level == "problem"
    assert look.check_processes(None, False, BEACON) == []


def test_no_unknown_names_is_well() -> None:
    assert one(look.check_names([], {})).level == "ok"


@pytest.mark.parametrize(
    ("nearest", "exported", "says"),
    [
        ("BEACON_BACKEND_PORT", True, ["environment", "unset BEACON_PROT", "set BEACON_BACKEND_PORT"]),
        (None, True, ["environment", "unset BEACON_PROT"]),
        ("BEACON_BACKEND_PORT", False, ["/.env", "write BEACON_BACKEND_PORT there"]),
        (None, False, ["/.env", "delete the line"]),
    ],
)
def test_an_unknown_name_is_told_where_it_stands_and_what_to_do(
    nearest: str | None, exported: bool, says: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finding = one(look.check_names([("BEACON_PROT", nearest)], {"BEACON_PROT": "1"} if exported else {}))
    assert finding.level == "warning"
    assert (str(tmp_path / ".env") in finding.advice) is not exported
    assert ("unset" in finding.advice) is exported
    for words in says:
        assert words in finding.advice
