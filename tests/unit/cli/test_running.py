from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from beacon.cli.liveness import alive
from beacon.cli.running import is_up, read_record, record_path, take_lock, write_private, write_record
from beacon.config import Settings
from tests.processes import REPOSITORY, wait_for


def settings(home: Path) -> Settings:
    return Settings(home=home, db_path=home / "traces.db", run_dir=home, token="s3cret")


def test_one_holder_of_a_run_folder(tmp_path: Path) -> None:
    assert not is_up(tmp_path)
    lock = take_lock(tmp_path)
    assert lock is not None
    assert is_up(tmp_path)
    assert take_lock(tmp_path, 0) is None
    os.close(lock)
    assert not is_up(tmp_path)


def test_no_run_folder_is_not_up(tmp_path: Path) -> None:
    assert not is_up(tmp_path / "none")


def test_a_look_at_the_lock_does_not_make_up_think_that_beacon_is_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`beacon status` holds the lock for a moment while it looks; `beacon up` tries for longer than that."""
    held = take_lock(tmp_path)
    assert held is not None
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        os.close(held)

    monkeypatch.setattr(time, "sleep", sleep)
    lock = take_lock(tmp_path)
    assert lock is not None
    assert len(waits) == 1
    os.close(lock)


def test_the_lock_outlives_exec_and_ends_with_the_process(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib\n"
        "from beacon.cli.running import take_lock\n"
        "lock = take_lock(pathlib.Path(sys.argv[1]))\n"
        "os.set_inheritable(lock, True); os.execv('/bin/sleep', ['sleep', '60'])"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=REPOSITORY) as holder:
        try:
            comm = Path(f"/proc/{holder.pid}/comm")
            wait_for(lambda: not comm.exists() or comm.read_text() == "sleep\n", "exec")
            assert wait_for(lambda: is_up(tmp_path), "the lock")
        finally:
            holder.kill()
    assert not is_up(tmp_path)


def test_the_record_says_where_and_not_the_token(tmp_path: Path) -> None:
    assert read_record(tmp_path) is None
    write_record(settings(tmp_path), 17, "1.2.3")
    record = read_record(tmp_path)
    assert record is not None
    assert (record.pid, record.url, record.home) == (17, "http://127.0.0.1:7474", str(tmp_path))
    assert "s3cret" not in record_path(tmp_path).read_text()
    record_path(tmp_path).write_text("{")
    assert read_record(tmp_path) is None


def test_files_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write_private(tmp_path / "f", b"x")
        write_private(tmp_path / "f", b"y")
    finally:
        os.umask(before)
    assert (tmp_path / "f").read_bytes() == b"y"
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / "f"]


def test_a_process_that_nobody_has_reaped_is_not_alive() -> None:
    child = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
    assert alive(child)
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: not alive(child), "the end")
    assert alive(os.getpid())
