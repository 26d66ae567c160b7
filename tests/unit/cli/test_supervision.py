"""The configurations made from the template, read back by supervisord's own reader."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from supervisor.options import ServerOptions

from beacon.config import Settings
from beacon.errors import Refused
from beacon.supervision import PROGRAMS, render_home, render_tree
from tests.processes import REPOSITORY


def settings(home: Path, **more: Any) -> Settings:
    return Settings(home=home, db_path=home / "traces.db", run_dir=home / "run", **more)


def read_back(text: str, folder: Path) -> tuple[ServerOptions, dict[str, Any]]:
    """What supervisord makes of a configuration: its options, and its processes by name."""
    file = folder / "supervisord.conf"
    file.write_text(text)
    options = ServerOptions()
    options.realize(["-c", str(file)])
    (group,) = options.process_group_configs
    assert group.name == "beacon"
    return options, {process.name: process for process in group.process_configs}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    for name in ("run", "logs"):
        (home / name).mkdir(parents=True)
    return home


def test_the_trees_file_is_the_template_rendered() -> None:
    assert (REPOSITORY / "supervisord.conf").read_text("utf-8") == render_tree(), "run `make conf`"


def test_the_trees_file_asks_for_no_variable() -> None:
    assert "%(ENV_" not in render_tree()


def test_the_trees_file_keeps_to_its_own_folder(tmp_path: Path) -> None:
    options, processes = read_back(render_tree(), tmp_path)
    assert set(processes) == set(PROGRAMS)
    assert options.nodaemon
    assert options.serverurl == f"unix://{tmp_path}/.supervisor.sock"
    for process in processes.values():
        assert process.directory == str(tmp_path)
        assert process.stdout_logfile == "/dev/stdout"


def test_every_program_is_restarted_unless_it_refused(home: Path) -> None:
    _, processes = read_back(render_home(settings(home)), home)
    assert set(processes) == set(PROGRAMS)
    for name, process in processes.items():
        assert process.command == f"{sys.executable} -P -m {name}"
        assert process.exitcodes == [78]
        assert process.startsecs == 0
        assert process.autorestart.__name__ == "RestartWhenExitUnexpected"
        assert process.stopasgroup
        assert process.killasgroup
        assert process.redirect_stderr
        assert process.umask == 0o077, "nobody else reads what they write"
        assert process.stopwaitsecs == (600 if name == "replay_worker" else 10)
        assert process.stdout_logfile == str(home / "logs" / f"{name}.log")
        assert process.stdout_logfile_maxbytes == 5 * 1024 * 1024
        assert process.stdout_logfile_backups == 3


def test_several_workers_have_names_and_logs_of_their_own(home: Path) -> None:
    _, processes = read_back(render_home(settings(home, replay_workers=3)), home)
    workers = {name: process for name, process in processes.items() if name.startswith("replay_worker")}
    assert set(workers) == {"replay_worker_1", "replay_worker_2", "replay_worker_3"}
    assert {Path(process.stdout_logfile).name for process in workers.values()} == {f"{name}.log" for name in workers}


def test_no_worker_is_possible(home: Path) -> None:
    _, processes = read_back(render_home(settings(home, replay_workers=0)), home)
    assert set(processes) == {"ingest", "query", "hub"}


def test_odd_paths_arrive_unchanged(tmp_path: Path) -> None:
    home = tmp_path / "100% mine; 'really' \"é\""
    for name in ("run", "logs"):
        (home / name).mkdir(parents=True)
    python = "/opt/my python%/it's;python"
    options, processes = read_back(render_home(settings(home), python), home)
    assert options.serverurl == f"unix://{home}/run/supervisor.sock"
    assert processes["hub"].directory == str(home)
    assert processes["hub"].stdout_logfile == str(home / "logs" / "hub.log")
    assert shlex.split(processes["hub"].command) == [python, "-P", "-m", "hub"]


@pytest.mark.parametrize("name", ["a ;b", "a #b", "a\n[program:x]\ncommand=true"])
def test_a_path_supervisord_cannot_read_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="BEACON_HOME"):
        render_home(settings(Path("/tmp") / name))


def test_root_is_told_to_supervisord_only_when_it_is_root(home: Path) -> None:
    assert "\nuser=root\n" in render_home(settings(home), root=True)
    assert "user=" not in render_home(settings(home), root=False)
    assert ("user=root" in render_home(settings(home))) == (os.getuid() == 0)
