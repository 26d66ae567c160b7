"""As a new user would: beacon-sdk from PyPI in an environment of its own, a small program, and what Beacon shows."""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.processes import wait_for
from tests.stack import Stack
from tests.system.live import Live

SDK = "beacon-sdk==0.1.0"
PROGRAM = Path(__file__).parent / "programs" / "trip_agent.py"
CITIES = 120

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def sdk_python() -> Iterator[str]:
    """The interpreter of a virtual environment that has beacon-sdk and nothing else."""
    with tempfile.TemporaryDirectory(prefix="bv") as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", SDK]
        done = subprocess.run(install, capture_output=True, text=True)
        assert done.returncode == 0, f"{SDK} cannot be installed:\n{done.stderr}"
        yield python


@contextmanager
def program(python: str, stack: Stack, url: str | None = None) -> Iterator[subprocess.Popen[str]]:
    """PROGRAM, pointed at the stack by BEACON_BACKEND_URL alone."""
    env = {name: value for name, value in stack.env.items() if not name.startswith(("BEACON_", "PYTHON"))}
    with subprocess.Popen(
        [python, str(PROGRAM)],
        env=env | {"BEACON_BACKEND_URL": url or stack.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def go_on(child: subprocess.Popen[str]) -> None:
    """Let the program do its second half; returns when it has ended, in good order."""
    out, err = child.communicate("\n", timeout=30)
    assert child.returncode == 0, err
    assert err == ""
    assert "no hotel" in out


def test_what_the_program_did_is_seen_as_it_happens_and_afterwards(stack: Stack, sdk_python: str) -> None:
    with Live(stack) as live, program(sdk_python, stack) as child:
        # the program is still in its first half, and what it did can be watched already
        live.wait_created(4)
        assert child.poll() is None
        assert set(names(live)) == {"look up weather", "chat", "book_hotel", "plan trip"}
        trip = live.of("trace_created")[0]["trace"]["trace_id"]
        detail = stack.ask("GET", f"/v1/traces/{trip}").json
        assert detail["span_count"] == 4
        go_on(child)
        live.wait_created(4 + 1 + CITIES + 1 + 2)
    assert live.resyncs == 0
    assert Counter(names(live)) == Counter(
        {"look up weather": 1, "chat": 1, "book_hotel": 1, "plan trip": 1, "compare cities": 1, "rate city": CITIES,
         "list files": 1, "subprocess.run": 2}
    )  # fmt: skip

    # the list, newest first
    page = stack.ask("GET", "/v1/traces").json
    assert page["total"] == 3
    found = {trace["name"]: trace for trace in page["traces"]}
    assert {name: trace["span_count"] for name, trace in found.items()} == {
        "plan trip": 4, "compare cities": CITIES + 1, "list files": 3
    }  # fmt: skip
    assert {name: trace["status"] for name, trace in found.items()} == {
        "plan trip": "error", "compare cities": "ok", "list files": "error"
    }  # fmt: skip
    assert (found["plan trip"]["total_tokens"], found["plan trip"]["total_cost_usd"]) == (30, 0.0001425)
    assert all(trace["running_count"] == 0 and trace["duration_ms"] > 0 for trace in found.values())
    assert {trace["sdk_language"] for trace in found.values()} == {"python"}

    # the detail
    spans = by_name(stack, found["plan trip"]["trace_id"])
    root = spans["plan trip"]
    assert root["parent_span_id"] is None
    assert {s["parent_span_id"] for name, s in spans.items() if name != "plan trip"} == {root["span_id"]}
    assert spans["book_hotel"]["status"] == "error"
    assert spans["book_hotel"]["error_message"] == "every hotel in Annecy is full"
    assert spans["look up weather"]["attributes"]["tool.output"] == "sunny, 21 °C ☀"
    assert spans["chat"]["attributes"]["llm.completion"] == "Take the ferry\nacross the lake."
    for one in spans.values():
        assert root["start_time"] <= one["start_time"] <= one["end_time"] <= root["end_time"]
        assert stack.ask("GET", f"/v1/spans/{one['span_id']}").json == one
    shell = [s for s in spans_of(stack, found["list files"]["trace_id"]) if s["span_type"] == "shell_command"]
    assert [s["attributes"]["shell.returncode"] for s in shell] == [0, 3]
    assert shell[0]["attributes"]["shell.stdout"] == "two files\n"

    # the graph
    graph = stack.ask("GET", f"/v1/traces/{found['plan trip']['trace_id']}/graph").json
    assert {edge["source"] for edge in graph["edges"]} == {root["span_id"]}
    assert [node["data"]["name"] for node in sorted(graph["nodes"], key=lambda n: n["data"]["sequence"])] == [
        "plan trip", "look up weather", "chat", "book_hotel"
    ]  # fmt: skip

    # search: by what was said, not by how JSON writes it
    for text, name in (("FERRY%0Aacross", "chat"), ("21%20%C2%B0c%20%E2%98%80", "look up weather"),
                       ("every%20hotel", "book_hotel"), ("two%20files", "subprocess.run")):  # fmt: skip
        hits = stack.ask("GET", f"/v1/search?q={text}").json
        assert [hit["name"] for hit in hits["results"]] == [name], text

    # the figures
    stats = stack.ask("GET", "/v1/stats").json
    assert (stats["total_traces"], stats["total_spans"]) == (3, 4 + CITIES + 1 + 3)
    (dearest,) = stack.ask("GET", "/v1/stats/top-costs").json["prompts"]
    assert (dearest["name"], dearest["model"], dearest["cost"]) == ("chat", "gpt-4o", 0.0001425)
    today = stack.ask("GET", "/v1/stats/trends?days=2").json["buckets"]
    assert sum(bucket["trace_count"] for bucket in today) == 3
    assert sum(bucket["error_count"] for bucket in today) == 2


def test_nothing_is_lost_when_ingest_restarts_under_the_program(stack: Stack, sdk_python: str) -> None:
    """The SDK sends everything once, and drops what fails: Beacon has to hold it."""
    with Live(stack) as live, program(sdk_python, stack) as child:
        live.wait_created(4)
        stack.wait_settled("ingest")
        pid = stack.kill("ingest")
        go_on(child)
        stack.wait_replaced("ingest", pid)
        stack.wait_healthy()
        live.wait_created(4 + 1 + CITIES + 3)
    assert stack.ask("GET", "/v1/stats").json["total_spans"] == 4 + 1 + CITIES + 3


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
def test_localhost_works_as_well_as_127_0_0_1(stack: Stack, sdk_python: str, host: str) -> None:
    """The SDK's default is http://localhost:7474, and many systems try ::1 first for it."""
    if host == "[::1]" and not has_ipv6():
        pytest.skip("this machine has no ::1")
    with program(sdk_python, stack, f"http://{host}:{stack.port}") as child:
        go_on(child)
    wait_for(lambda: stack.ask("GET", "/v1/stats").json["total_spans"] == 4 + 1 + CITIES + 3, "all spans")


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def names(live: Live) -> list[str]:
    return [event["span"]["name"] for event in live.of("span_created")]


def spans_of(stack: Stack, trace_id: str) -> list[dict[str, Any]]:
    spans: list[dict[str, Any]] = stack.ask("GET", f"/v1/traces/{trace_id}").json["spans"]
    return spans


def by_name(stack: Stack, trace_id: str) -> dict[str, dict[str, Any]]:
    return {span["name"]: span for span in spans_of(stack, trace_id)}
