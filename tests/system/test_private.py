"""Local means private: nothing but loopback is listened on, and nobody else on the machine can open its files."""

from __future__ import annotations

import ipaddress
import shutil
import stat
from pathlib import Path

import psutil

from tests.processes import span, wait_for
from tests.stack import COMMAND, MakeStack, Stack


def test_only_loopback_is_listened_on(stack: Stack) -> None:
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for pid in stack.pids().values()
        for connection in psutil.Process(pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert ("127.0.0.1", stack.port) in listening
    assert {port for _, port in listening} == {stack.port}
    assert all(ipaddress.ip_address(ip).is_loopback for ip, _ in listening), listening


def test_a_loose_umask_and_an_open_home_open_nothing(make_stack: MakeStack) -> None:
    stack = make_stack(("sh", "-c", 'umask 0; exec "$@"', "sh", *COMMAND))
    stack.home.mkdir()
    stack.home.chmod(0o777)
    stack.start()
    stack.post_spans([span("s1", attributes={"secret": "prompt"})])
    wait_for(lambda: any("spawned" in line for line in stack.log("supervisord").splitlines()), "the logs")
    for folder in (stack.home, stack.settings.run_dir, stack.settings.log_dir):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700, folder
    files = [path for path in stack.home.rglob("*") if path.is_file()]
    assert {"traces.db", "traces.db.lock", "ingest.log", "supervisord.conf"} <= {path.name for path in files}
    open_to_others = {str(path): oct(mode) for path in files if (mode := _mode(path)) & 0o077}
    assert not open_to_others


def test_a_folder_shared_with_other_files_keeps_its_mode_and_opens_none_of_ours(make_stack: MakeStack) -> None:
    stack = make_stack(("sh", "-c", 'umask 0; exec "$@"', "sh", *COMMAND))
    stack.home.mkdir()
    stack.home.chmod(0o755)
    notes = stack.home / "notes.txt"
    notes.write_text("not Beacon's")
    before = _mode(notes)
    stack.start()
    stack.post_spans([span("s1", attributes={"secret": "prompt"})])
    assert (_mode(stack.home), _mode(notes)) == (0o755, before)
    folders = {path: oct(_mode(path)) for path in stack.home.iterdir() if path.is_dir()}
    assert set(folders.values()) == {"0o700"}, folders
    ours = [path for path in stack.home.iterdir() if path.is_file() and path != notes]
    assert {"traces.db", "traces.db-wal"} <= {path.name for path in ours}
    assert not {str(path): oct(_mode(path)) for path in ours if _mode(path) & 0o077}


def test_a_database_that_was_copied_there_is_closed_with_all_that_belongs_to_it(make_stack: MakeStack) -> None:
    stack = make_stack(("sh", "-c", 'umask 022; exec "$@"', "sh", *COMMAND))
    stack.start()
    stack.post_spans([span("s1", attributes={"secret": "prompt"})])
    stack.stop()
    copy = stack.home.with_name("copy.db")
    copy.write_bytes((stack.home / "traces.db").read_bytes())
    shutil.rmtree(stack.home)
    stack.home.mkdir(mode=0o755)
    (stack.home / "notes.txt").write_text("not Beacon's")
    copy.rename(stack.home / "traces.db")
    (stack.home / "traces.db").chmod(0o644)
    stack.start()
    stack.post_spans([span("s2", attributes={"secret": "prompt"})])
    modes = {path.name: oct(_mode(path)) for path in stack.home.glob("traces.db*")}
    assert {"traces.db", "traces.db-wal", "traces.db-shm"} <= set(modes)
    assert set(modes.values()) == {"0o600"}, modes


def test_a_folder_that_others_can_write_to_is_refused(make_stack: MakeStack) -> None:
    stack = make_stack(COMMAND)
    stack.home.mkdir()
    (stack.home / "notes.txt").write_text("not Beacon's")
    stack.home.chmod(0o775)
    result = stack.beacon("up")
    assert result.returncode == 1
    assert f"chmod 700 {stack.home}" in result.stderr
    assert not (stack.home / "traces.db").exists()


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:  # a log that was just emptied, say
        return 0
