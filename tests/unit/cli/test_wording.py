from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from beacon.cli import main
from beacon.cli.banner import banner, first_span, invocation
from beacon.cli.words import duration, size, table, warn_unknown_names
from beacon.config import Settings
from beacon.version import VERSION
from tests.processes import REPOSITORY


def settings(**more: Any) -> Settings:
    home = Path("/home/user/.beacon")
    return Settings(home=home, db_path=home / "traces.db", run_dir=home / "run", **more)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (312, "5 min 12 s"), (3_600, "1 h"), (90_061, "1 d 1 h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (14_200_000, "14.2 MB"), (2.5e12, "2,500.0 GB")],
)
def test_sizes(count: float, text: str) -> None:
    assert size(count) == text


def test_a_table_has_no_blanks_at_line_ends() -> None:
    assert table([["A", "LONG"], ["xyz", "1"]]) == "A    LONG\nxyz  1"


def test_the_banner_tells_where_what_and_how() -> None:
    text = banner(settings(backend_port=8123), "beacon {} --home x", detached=True, now=1_790_000_000.7)
    for part in (
        VERSION,
        "http://127.0.0.1:8123",
        "/home/user/.beacon/traces.db",
        "curl http://127.0.0.1:8123/v1/spans",
        "beacon send-example --home x",
        "Stop with beacon down --home x",
    ):
        assert part in text
    assert "Stop with Ctrl-C" in banner(settings(), "beacon {}", detached=False)


def test_the_first_span_is_one_that_the_api_takes() -> None:
    import msgspec

    from beacon.contract.requests import PostSpans, required_fields

    command = shlex.split(first_span(settings(), 1_790_000_000.7))
    assert command[:2] == ["curl", "http://127.0.0.1:7474/v1/spans"]
    assert "content-type: application/json" in command
    (span,) = msgspec.json.decode(command[command.index("-d") + 1], type=PostSpans).spans
    assert required_fields(span) == []
    assert span.end_time == 1_790_000_000


def test_the_first_span_names_the_tokens_variable_and_not_the_token() -> None:
    text = first_span(settings(token="s3cret"), 0)
    assert "$BEACON_TOKEN" in text
    assert "s3cret" not in text


def test_how_to_call_beacon_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "beacon"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert invocation(None, str(program)) == "bin/beacon {}"
    assert invocation(Path("/x y"), str(program)) == "bin/beacon {} --home '/x y'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert invocation(None, str(program)) == "beacon {}"
    assert invocation(None, "/y/beacon/cli/__main__.py") == f"{sys.executable} -m beacon.cli {{}}"


def test_a_misspelt_setting_is_warned_about_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("BEACON_RUNDIR=/x\n")
    warn_unknown_names({"BEACON_BACKEND_PROT": "1", "BEACON_AUTO_PATCH": "false", "BEACON_HOME": "/x", "PATH": "/"})
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "BEACON_BACKEND_PROT is not a setting of Beacon; did you mean BEACON_BACKEND_PORT?" in lines[0]
    assert "BEACON_RUNDIR" in lines[1]
    assert "BEACON_RUN_DIR?" in lines[1]


@pytest.mark.parametrize("command", ["up", "down", "status", "logs", "doctor", "open", "send-example"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([command, "-h"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "--home DIR" in text
    with pytest.raises(SystemExit):
        main(["-h"])
    assert re.search(rf"\n    {command}\s", capsys.readouterr().out)


@pytest.mark.parametrize(
    "wrong",
    [["up", "--port", "0"], ["up", "--port", "x"], ["up", "--replay-workers", "65"], ["logs", "-n", "-1"], ["x"]],
)
def test_a_wrong_command_line_is_2(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(wrong)
    assert end.value.code == 2
    assert wrong[-1] in capsys.readouterr().err


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "beacon up" in capsys.readouterr().out


def test_the_command_imports_nothing_heavy_before_it_knows_what_to_do() -> None:
    """The cold start has 1.2 s: pydantic's 140 ms belong to the command that reads settings, not to --version."""
    code = (
        "import sys, beacon.cli\n"
        "print([m for m in ('pydantic', 'psutil', 'http.client', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_up_imports_neither_psutil_nor_http_on_its_way_to_exec() -> None:
    code = (
        "import sys, beacon.cli.up\n"
        "heavy = ('psutil', 'http.client', 'httpx', 'xmlrpc', 'zmq', 'uvicorn', 'sqlite3')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_readme_and_the_example_file_name_every_setting() -> None:
    from beacon.environment import KNOWN_NAMES

    readme = (REPOSITORY / "README.md").read_text("utf-8")
    example = (REPOSITORY / ".env.example").read_text("utf-8")
    for name in KNOWN_NAMES:
        assert f"| `{name}` |" in readme
        assert f"#{name}=" in example


def test_json_in_the_readme_is_json() -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    bodies = re.findall(r"-d '(\{.*?\})'", readme, re.DOTALL)
    assert bodies
    for body in bodies:
        assert json.loads(body)["spans"][0]["span_id"]
