from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from beacon.cli import main
from beacon.cli.banner import already_up, banner, first_span, token_hint
from beacon.cli.invocation import Invocation, invocation
from beacon.cli.running import Running
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
    text = banner(settings(backend_port=8123), Invocation("beacon", " --home x"), detached=True, now=1_790_000_000.7)
    for part in (
        VERSION,
        "http://127.0.0.1:8123",
        "/home/user/.beacon/traces.db",
        "curl http://127.0.0.1:8123/v1/spans",
        "beacon send-example --home x",
        "Stop with beacon down --home x",
    ):
        assert part in text
    assert "Stop with Ctrl-C" in banner(settings(), Invocation("beacon"), detached=False)


def test_the_first_span_is_one_that_the_api_takes() -> None:
    import msgspec

    from beacon.contract.requests import PostSpans, required_fields

    command = shlex.split(first_span(settings(), 1_790_000_000.7))
    assert command[:2] == ["curl", "http://127.0.0.1:7474/v1/spans"]
    assert "content-type: application/json" in command
    (span,) = msgspec.json.decode(command[command.index("-d") + 1], type=PostSpans).spans
    assert required_fields(span) == []
    assert span.end_time == 1_790_000_000
    (later,) = msgspec.json.decode(shlex.split(first_span(settings(), 1_790_000_009))[-1], type=PostSpans).spans
    assert later.trace_id != span.trace_id, "two of them would make one long trace"


def test_the_first_span_names_the_tokens_variable_and_not_the_token() -> None:
    text = first_span(settings(token="s3cret"), 0)
    assert "$BEACON_TOKEN" in text
    assert "s3cret" not in text


def test_a_token_from_the_env_file_has_to_be_loaded_first(tmp_path: Path) -> None:
    assert token_hint(settings(), {}) == ""
    assert token_hint(settings(token="s3cret"), {"BEACON_TOKEN": "s3cret"}) == ""
    hint = token_hint(settings(token="s3cret"), {})
    assert "s3cret" not in hint
    (command,) = (line for line in hint.splitlines() if line.startswith("  "))
    (tmp_path / ".env").write_text("BEACON_TOKEN=s3cret\n")
    shell = ["sh", "-c", f"{command}; exec sh -c 'echo $BEACON_TOKEN'"]
    done = subprocess.run(shell, cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, check=True)
    assert done.stdout == b"s3cret\n"


def test_a_second_up_says_which_flags_had_no_effect() -> None:
    running = Running(1, "http://127.0.0.1:7474", "/h", "/h/traces.db", VERSION)

    def said(port: int | None = None, workers: int | None = None) -> str:
        return already_up(running, Invocation("beacon"), argparse.Namespace(port=port, replay_workers=workers))

    assert "no effect" not in said()
    assert "no effect" not in said(port=7474)
    assert "--port 7475 had no effect" in said(port=7475)
    assert "beacon scale 3" in said(workers=3)


def test_how_to_call_beacon_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "beacon"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/nowhere")
    assert invocation(None, str(program))("up") == "bin/beacon up"
    assert invocation(Path("/x y"), str(program))("logs -f") == "bin/beacon logs -f --home '/x y'"
    monkeypatch.setenv("PATH", str(program.parent))
    assert invocation(None, str(program))("up") == "beacon up"
    assert invocation(None, "/y/beacon/cli/__main__.py")("up") == f"{sys.executable} -m beacon.cli up"


def test_a_misspelt_setting_is_warned_about_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("BEACON_RUNDIR=/x\n")
    warn_unknown_names({"BEACON_BACKEND_PROT": "1", "BEACON_AUTO_PATCH": "false", "BEACON_HOME": "/x", "PATH": "/"})
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "BEACON_BACKEND_PROT is not a setting of Beacon; did you mean BEACON_BACKEND_PORT?" in lines[0]
    assert "stands in" not in lines[0]
    assert "BEACON_RUNDIR" in lines[1]
    assert f"It stands in {tmp_path / '.env'}." in lines[1]
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


def test_a_wrong_flag_shows_the_usage_of_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong, usage in ((["up", "--bogus"], "beacon up [-h]"), (["--bogus"], "beacon [-h]")):
        with pytest.raises(SystemExit) as end:
            main(wrong)
        assert end.value.code == 2
        told = capsys.readouterr().err
        assert told.startswith(f"usage: {usage}")
        assert "--bogus" in told


@pytest.mark.parametrize(
    ("words", "flags"), [(["help"], ["--help"]), (["help", "up"], ["up", "--help"]), (["version"], ["--version"])]
)
def test_help_and_version_are_commands_too(
    words: list[str], flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = []
    for line in (words, flags):
        with pytest.raises(SystemExit) as end:
            main(line)
        assert end.value.code == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1] != ""


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
    spans = [json.loads(body)["spans"] for body in bodies if "spans" in json.loads(body)]
    assert spans
    assert all(one[0]["span_id"] for one in spans)
