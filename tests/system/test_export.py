"""`beacon export`, beside a Beacon that goes on and without one."""

from __future__ import annotations

import json
import os
import signal
import subprocess

from tests.processes import span
from tests.stack import COMMAND, MakeStack, Stack
from tests.terminal import in_terminal


def filled(make_stack: MakeStack, traces: int = 60) -> Stack:
    stack = make_stack().start()
    stack.wait_healthy()
    for n in range(traces):
        spans = [span(f"s{n}-{i}", f"t{n}", attributes={"text": "x" * 2_000}) for i in range(20)]
        stack.post_spans([{**one, "start_time": 1_790_000_000 + n} for one in spans])
    return stack


def test_the_same_lines_with_beacon_up_and_down(make_stack: MakeStack) -> None:
    stack = filled(make_stack)
    up = stack.beacon("export", "up.jsonl")
    assert up.returncode == 0, up.stderr
    assert "60 traces, 1200 spans" in up.stdout
    assert (stack.folder / "up.jsonl").stat().st_mode & 0o777 == 0o600
    again = stack.beacon("export", "up.jsonl")
    assert (again.returncode, "exists already" in again.stderr) == (1, True)
    lines = (stack.folder / "up.jsonl").read_bytes().splitlines()
    assert json.loads(lines[0])["format"] == "beacon-archive"
    answer = stack.ask("GET", "/v1/traces/t7/export?format=json").json
    del answer["exported_at"]
    assert json.loads(lines[8]) == answer

    stack.stop()
    before = sorted(p.name for p in stack.home.iterdir())
    down = stack.beacon("export")
    assert down.returncode == 0, down.stderr
    assert down.stdout.encode().splitlines()[1:] == lines[1:]
    assert "60 traces, 1200 spans" in down.stderr
    assert sorted(p.name for p in stack.home.iterdir()) == before
    some = stack.beacon("export", "--since", "1790000010", "--until", "1790000012")
    assert [json.loads(line)["trace"]["trace_id"] for line in some.stdout.splitlines()[1:]] == ["t10", "t11"]
    wrong = stack.beacon("export", "--since", "soon")
    assert (wrong.returncode, "--since: 'soon' is no time" in wrong.stderr) == (1, True)


def test_a_reader_that_goes_away_ends_it_quietly_and_a_kill_leaves_no_half_file(make_stack: MakeStack) -> None:
    stack = filled(make_stack)
    read, write = os.pipe()
    child = subprocess.Popen(
        [*COMMAND, "export"], env=stack.env, cwd=stack.folder, stdout=write, stderr=subprocess.PIPE
    )
    os.close(write)
    assert os.read(read, 10) == b'{"format":'
    os.close(read)
    _, said = child.communicate(timeout=30)
    assert (child.returncode, said) == (0, b"")

    # a pipe in the place of the partial file holds the export up in the middle
    os.mkfifo(stack.folder / "x.jsonl.partial", 0o600)
    held = os.open(stack.folder / "x.jsonl.partial", os.O_RDWR)
    child = subprocess.Popen([*COMMAND, "export", "x.jsonl"], env=stack.env, cwd=stack.folder)
    assert os.read(held, 10) == b'{"format":'
    assert not (stack.folder / "x.jsonl").exists()
    child.send_signal(signal.SIGKILL)
    child.wait(20)
    os.close(held)
    assert not (stack.folder / "x.jsonl").exists()
    (stack.folder / "x.jsonl.partial").unlink()
    assert stack.beacon("export", "x.jsonl").returncode == 0
    assert sorted(p.name for p in stack.folder.glob("x*")) == ["x.jsonl"]


def test_a_bar_is_drawn_on_a_terminal(make_stack: MakeStack) -> None:
    stack = filled(make_stack, 3)
    with in_terminal(stack, *stack.program, "export", "t.jsonl") as terminal:
        assert terminal.wait() == 0
        assert "Exporting [##############################] 100%  60 spans of 60 spans" in terminal.screen()
