"""Beacon as it is installed or run elsewhere than in this checkout."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from beacon.cli.liveness import alive
from beacon.supervision import PROGRAMS, SupervisorDown, process_states
from beacon.version import VERSION
from tests.processes import REPOSITORY
from tests.stack import MakeStack, Stack

PACKAGES = ("beacon", "ingest", "query", "replay_worker", "hub")


def copy_of_the_tree(to: Path) -> Path:
    """What a clone has, as links: a place of its own for what is made beside the sources."""
    to.mkdir()
    for name in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        (to / name).symlink_to(REPOSITORY / name)
    (to / "supervisord.conf").write_text((REPOSITORY / "supervisord.conf").read_text("utf-8"))
    return to


# ---------------------------------------------------------------- supervisord -c supervisord.conf


@contextmanager
def plain_supervisord(stack: Stack, tree: Path, cwd: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """`supervisord -c supervisord.conf`, the original one, of a checkout."""
    with (stack.folder / "screen").open("ab") as screen:
        child = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(tree / "supervisord.conf")],
            env={**{k: v for k, v in stack.env.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}, **env},
            cwd=cwd,
            stdout=screen,
            stderr=screen,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        for pid in _pids(tree):
            stack.seen[pid] = "program"
        child.terminate()
        child.wait(30)


def _pids(tree: Path) -> list[int]:
    try:
        return [state.pid for state in process_states(tree / ".supervisor.sock") if state.pid]
    except SupervisorDown:
        return []


@pytest.mark.parametrize("how", ["activated", "beside", "path"])
def test_supervisord_runs_a_checkout(make_stack: MakeStack, how: str) -> None:
    stack = make_stack()
    tree = copy_of_the_tree(stack.folder / "tree")
    venv = Path(sys.prefix)
    env = {"PATH": "/usr/bin:/bin"}
    if how == "activated":
        env["VIRTUAL_ENV"] = str(venv)
    elif how == "beside":
        (tree / ".venv").symlink_to(venv)
    else:
        env["PATH"] = f"{venv / 'bin'}:{env['PATH']}"
    with plain_supervisord(stack, tree, stack.folder, **env) as child:
        stack.wait_healthy()
        states = process_states(tree / ".supervisor.sock")
        assert {state.name for state in states} == set(PROGRAMS)
        assert (stack.home / "traces.db").exists()
        # the command line sees that somebody else runs it, and leaves it alone
        for command in ("up", "down"):
            done = stack.beacon(command)
            assert done.returncode == 0
            assert stack.url in done.stdout
            assert "started it" in done.stdout or "did not start" in done.stdout
        assert stack.beacon("doctor").returncode == 0
        pids = _pids(tree)
        child.terminate()
        assert child.wait(30) == 0
    assert not [pid for pid in pids if alive(pid)]
    screen = (stack.folder / "screen").read_text("utf-8")
    for said in ("spawned: 'hub'", "INFO hub beacon.hub: listening"):
        assert said in screen, "the supervisor's lines and those of its processes are both there"


def test_no_variable_is_needed(tmp_path: Path) -> None:
    """The file as a whole can be read with an empty environment; starting it so would use the user's own home."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from supervisor.options import ServerOptions as S; o = S(); o.realize(['-c', 'supervisord.conf']); "
            "print(len(o.process_group_configs[0].process_configs))",
        ],
        env={},
        cwd=copy_of_the_tree(tmp_path / "tree"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "4"


# ---------------------------------------------------------------- the wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built from a copy, without the network."""
    import shutil

    tree = tmp_path_factory.mktemp("wheel") / "tree"
    tree.mkdir()
    for name in PACKAGES:
        shutil.copytree(REPOSITORY / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tree / name)
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", "dist", "."],
        cwd=tree,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (tree / "dist").iterdir()
    return wheel


def test_the_wheel_has_every_file_of_the_packages(wheel: Path) -> None:
    assert wheel.name.startswith(f"beacon_debugger-{VERSION}-")
    packed = set(zipfile.ZipFile(wheel).namelist())
    there = {
        str(path.relative_to(REPOSITORY))
        for package in PACKAGES
        for path in (REPOSITORY / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and REPOSITORY / "hub" / "ui" not in path.parents
    }
    assert {name for name in packed if ".dist-info/" not in name} == there


def test_the_wheel_runs_from_anywhere(wheel: Path, make_stack: MakeStack) -> None:
    probe = make_stack()
    target = probe.folder / "site"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--target",
            str(target),
            str(wheel),
        ],
        check=True,
        capture_output=True,
    )
    # the installed command itself, with the dependencies of this environment
    stack = make_stack((sys.executable, str(target / "bin" / "beacon")), PYTHONPATH=str(target))
    stack.start()
    stack.wait_healthy()
    for pid in stack.pids().values():
        environ = Path(f"/proc/{pid}/environ")
        if environ.exists():
            assert f"PYTHONPATH={target}".encode() in environ.read_bytes().split(b"\0")
    assert stack.beacon("send-example").returncode == 0
    assert stack.ask("GET", "/docs").status == 200
    page = stack.ask("GET", "/")
    assert page.status == 200
    scripts = re.findall(r'src="(/assets/[^"]+)"', page.body.decode())
    assert len(scripts) == 2
    assert {stack.ask("GET", script).status for script in scripts} == {200}
    assert stack.ask("GET", "/v1/stats").json["total_spans"] == 5
    where = subprocess.run(
        [sys.executable, "-c", "import beacon, hub; print(beacon.__file__, hub.__file__)"],
        env=stack.env,
        cwd=stack.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(path.startswith(str(target)) for path in where.stdout.split())
    stack.stop()


# ---------------------------------------------------------------- what is written down


def test_the_locks_pin_everything_and_name_no_host() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        lines = [
            line
            for line in (REPOSITORY / name).read_text("utf-8").splitlines()
            if line.strip() and not line.startswith("#")
        ]
        assert lines
        for line in lines:
            assert "==" in line.split(";")[0]
            assert "://" not in line
            assert not line.startswith("-")


def test_the_dev_lock_agrees_with_the_runtime_lock() -> None:
    def pins(name: str) -> set[str]:
        return {line for line in (REPOSITORY / name).read_text("utf-8").splitlines() if "==" in line}

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


def test_every_direct_dependency_is_locked_and_explained() -> None:
    import tomllib

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    reasons = (REPOSITORY / "docs" / "adr" / "0002-dependencies.md").read_text("utf-8")
    wanted = {
        "requirements.lock": project["dependencies"],
        "requirements-dev.lock": project["optional-dependencies"]["dev"],
    }
    for lock, dependencies in wanted.items():
        locked = (REPOSITORY / lock).read_text("utf-8")
        for dependency in dependencies:
            name = re.match(r"[A-Za-z0-9._-]+", dependency)
            assert name is not None
            assert re.search(rf"^{re.escape(name[0])}==", locked, re.MULTILINE | re.IGNORECASE), "run `make lock`"
            assert f"| {name[0]} |" in reasons


def test_make_alone_lists_its_tasks() -> None:
    done = subprocess.run(
        ["make"], cwd=REPOSITORY, capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    )
    for task in ("run", "test", "install", "dev-backend", "lint", "bench"):
        assert f"make {task} " in done.stdout
