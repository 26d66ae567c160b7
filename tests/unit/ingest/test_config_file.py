"""config.json is written whole or not at all, for its owner alone, one change after the other."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from beacon.errors import Unavailable
from ingest.config_file import Config, ConfigFile, write_private
from tests.processes import REPOSITORY

SECRET = "sk-secret-0123456789"
BEFORE = {"providers": {"openai": {"base_url": "https://api.openai.com/v1", "api_key": "sk-before-0123456789"}}}


def set_key(key: str) -> Any:
    return lambda config: {**config, "providers": {"openai": {"api_key": key}}}


def run(home: Path, before_the_change: str) -> subprocess.CompletedProcess[str]:
    """Change the file in a process of its own, `before_the_change` being done to it first."""
    code = f"""
import os, signal, sys
from pathlib import Path
import ingest.config_file as file
{before_the_change}
file.ConfigFile(Path({str(home)!r})).change(lambda config: {{"providers": {{"openai": {{"api_key": {SECRET!r}}}}}}})
"""
    return subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(BEFORE))
    return tmp_path


KILL = "os.kill(os.getpid(), signal.SIGKILL)"


@pytest.mark.parametrize("step", ["fchmod", "fsync", "Path.replace"])
def test_killed_in_the_middle_of_a_write_the_old_file_is_whole(home: Path, step: str) -> None:
    owner = "Path.replace" if step == "Path.replace" else f"os.{step}"
    done = run(home, f"{owner} = lambda *_: {KILL}")
    assert done.returncode == -signal.SIGKILL
    assert json.loads((home / "config.json").read_text()) == BEFORE
    left = home / "config.json.tmp"
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    if step == "Path.replace":
        assert SECRET in left.read_text(), "it was killed with all but the last step done"
    ConfigFile(home).change(lambda config: {**config, "more": 1})
    assert json.loads((home / "config.json").read_text()) == {**BEFORE, "more": 1}
    assert not left.exists(), "a key that a crash left behind goes with the next write"


def test_what_was_written_is_synced_before_it_takes_the_old_files_place(home: Path) -> None:
    steps = """
sync, move = os.fsync, Path.replace
os.fsync = lambda fd: (print("sync", os.readlink(f"/proc/self/fd/{fd}").rpartition("/")[2]), sync(fd))
Path.replace = lambda a, b: (print("replace"), move(a, b))
"""
    if not Path("/proc/self/fd").exists():
        pytest.skip("the system does not tell the name of an open file")
    done = run(home, steps)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:3] == ["sync config.json.tmp", "replace", f"sync {home.name}"]


@pytest.mark.parametrize("mask", ["0", "0777", "077"])
def test_whatever_the_umask_it_is_the_owners_alone_from_its_first_byte(home: Path, mask: str) -> None:
    (home / "config.json").chmod(0o644)
    seen = """
write = os.fdopen
def watched(fd, mode):
    import stat
    print(oct(stat.S_IMODE(os.fstat(fd).st_mode) & 0o077), os.fstat(fd).st_size)
    return write(fd, mode)
os.fdopen = watched
"""
    done = run(home, f"os.umask(0o{mask}){seen}")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "0o0 0\n"
    assert stat.S_IMODE((home / "config.json").stat().st_mode) == 0o600


def test_a_file_that_waits_in_its_place_is_not_written_into(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    theirs = tmp_path_factory.mktemp("theirs") / "file"
    theirs.write_text("not ours")
    (home / "config.json.tmp").symlink_to(theirs)
    ConfigFile(home).change(set_key(SECRET))
    assert theirs.read_text() == "not ours"
    assert not (home / "config.json").is_symlink()


def test_without_room_the_old_file_stays_and_nothing_is_left_behind(home: Path) -> None:
    done = run(home, "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))")
    assert done.returncode == 1
    assert f"StoreBusy: {home / 'config.json'} cannot be written: File too large" in done.stderr
    assert json.loads((home / "config.json").read_text()) == BEFORE
    assert [path.name for path in home.iterdir()] == ["config.json"]


def test_changes_at_once_come_one_after_the_other(home: Path) -> None:
    file = ConfigFile(home)
    start = threading.Barrier(16)

    def add(number: int) -> None:
        start.wait()
        for step in range(5):
            file.change(lambda config, name=f"{number}-{step}": {**config, name: 1})  # type: ignore[misc]

    threads = [threading.Thread(target=add, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = json.loads((home / "config.json").read_text())
    assert len(written) == 1 + 16 * 5


def test_a_broken_file_is_not_written_over(home: Path) -> None:
    (home / "config.json").write_text('{"providers": {"openai": {"api_key": "sk-precious')

    def never(config: Config) -> Config:
        raise AssertionError("the change was asked for")

    with pytest.raises(Unavailable, match="cannot be used"):
        ConfigFile(home).change(never)
    assert (home / "config.json").read_text().endswith("sk-precious")


def test_nothing_to_change_writes_nothing(home: Path) -> None:
    before = (home / "config.json").stat()
    ConfigFile(home).change(lambda config: None)
    assert (home / "config.json").stat() == before


def test_a_folder_that_cannot_be_written_to_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_private(tmp_path / "none" / "config.json", b"{}")
    assert os.listdir(tmp_path) == []
