"""The demo agents' tools: deterministic, believable, and patient with what a model gets wrong."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from typing import Any

import pytest

from beacon.contract.records import SpanType
from beacon.errors import BadRequest
from beacon.scenarios import CARDS, find_card, root_span
from replay_worker.demo.scenario import load_scenario
from replay_worker.demo.tools import Outcome, World, use


def tools_of(key: str) -> dict[str, Any]:
    return {tool.name: tool for tool in load_scenario(key).tools}


def used(key: str, name: str, world: World | None = None, **arguments: Any) -> Outcome:
    return use(tools_of(key), name, json.dumps(arguments), {} if world is None else world)


# ---------------------------------------------------------------- cards


def test_there_are_the_three_agents_one_that_fails_and_one_that_loops() -> None:
    assert [card.key for card in CARDS] == [
        "research_assistant", "code_reviewer", "trip_planner", "flaky_deploy", "endless_search",
    ]  # fmt: skip
    assert all(load_scenario(card.key).tools for card in CARDS)


def test_an_unknown_scenario_names_the_known_ones() -> None:
    with pytest.raises(BadRequest, match=r"'nobody'.*research_assistant.*endless_search"):
        find_card("nobody")


def test_a_root_span_runs_and_says_when_it_is_recorded() -> None:
    card = find_card("trip_planner")
    root = root_span(card, "t", "s", 12.5, recorded=True)
    assert "end_time" not in root
    assert (root["start_time"], root["span_type"], root["attributes"]["agent.input"]) == (12.5, "agent_step", card.task)
    assert root["attributes"]["demo.recorded"] is True
    assert "demo.recorded" not in root_span(card, "t", "s", 0, recorded=False)["attributes"]


# ---------------------------------------------------------------- what a model gets wrong


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("fly", "{}", "no tool 'fly'; there are search_library"),
        ("calculate", "{broken", "not JSON"),
        ("calculate", "[" * 100_000, "not JSON"),
        ("calculate", "[1]", "not a JSON object"),
        ("calculate", "{}", "expression: missing"),
        ("calculate", '{"expression": 3}', "expression: missing, or not"),
        ("read_article", '{"article_id": "nothing"}', "no article 'nothing'"),
    ],
)
def test_it_is_told_what_was_wrong(name: str, arguments: str, told: str) -> None:
    outcome = use(tools_of("research_assistant"), name, arguments, {})
    assert outcome.error is not None
    assert told in outcome.error
    assert not outcome.fatal


def test_a_choice_outside_the_schema_is_refused() -> None:
    assert "mode" in str(used("flaky_deploy", "run_migrations", mode="force").error)
    assert "prices_eur" in str(used("trip_planner", "add_up", prices_eur=["1"], budget_eur=2).error)


def test_every_tool_tells_its_schema_as_openai_takes_it() -> None:
    for card in CARDS:
        for tool in load_scenario(card.key).tools:
            function = tool.schema["function"]
            assert (function["name"], function["parameters"]["required"]) == (tool.name, list(tool.parameters))


# ---------------------------------------------------------------- what the tools do


def test_the_library_is_searched_by_words() -> None:
    found = used("research_assistant", "search_library", query="solar yield of a roof in Lyon").output["results"]
    assert found[0]["id"] == "pv-yield-cities"
    assert used("research_assistant", "search_library", query="zzz").output["results"] == []
    read = used("research_assistant", "read_article", article_id="pv-yield-cities")
    assert "Lyon 1,230" in read.output["text"]
    (deed,) = read.deeds
    kind: SpanType = deed.type
    assert (kind, deed.given["file.path"]) == ("file_operation", "library/pv-yield-cities.md")
    assert deed.came["file.size_bytes"] == len(deed.came["file.content"].encode())


@pytest.mark.parametrize(("expression", "value"), [("6 * 1230", 7380), ("-(1+2)*4/3", -4), ("0.1+0.2", 0.3)])
def test_it_calculates(expression: str, value: float) -> None:
    assert used("research_assistant", "calculate", expression=expression).output == {"value": value}


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "2 ** 9999999",
        "1/0",
        "(lambda: 1)()",
        "'a' * 9",
        "True + 1",
        "(" * 150,
        "",
        "\0",
    ],
)
def test_it_calculates_nothing_else(expression: str) -> None:
    assert "cannot be calculated" in str(used("research_assistant", "calculate", expression=expression).error)


def test_the_deployment_fails_late_for_what_was_done_early() -> None:
    world: World = {}
    first = used("flaky_deploy", "run_migrations", world, mode="upgrade")
    assert "lock timeout" in str(first.error)
    assert (first.deeds[0].came["shell.returncode"], first.fatal) == (1, False)
    assert "Refused" in str(used("flaky_deploy", "roll_out", world, version="2.14.0").error)
    stamped = used("flaky_deploy", "run_migrations", world, mode="stamp")
    assert stamped.error is None
    assert "without running it" in stamped.deeds[0].came["shell.stdout"]  # the cause, in a span that is ok
    assert used("flaky_deploy", "check_health", world, service="checkout").error is None  # the old version still runs
    assert used("flaky_deploy", "roll_out", world, version="2.14.0").error is None
    last = used("flaky_deploy", "check_health", world, service="checkout")
    assert "discount_code does not exist" in str(last.error)
    assert last.fatal
    assert load_scenario("flaky_deploy").fault({}) is not None  # whatever the agent says in the end


def test_the_archive_answers_the_same_each_time() -> None:
    outcomes = [used("endless_search", "search_archive", query="invoice 2024-1187") for _ in range(3)]
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert "again" in outcomes[0].output["hint"]


def test_an_opened_page_has_a_picture() -> None:
    opened = used("trip_planner", "open_page", url="https://lake-museum.example/visit")
    picture = base64.b64decode(opened.deeds[0].came["browser.screenshot"])
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    at, kinds, pixels = 8, [], b""
    while at < len(picture):
        (size,) = struct.unpack_from(">I", picture, at)
        kind, data = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", picture, at + 8 + size) == (zlib.crc32(kind + data),)
        kinds.append(kind)
        pixels += data if kind == b"IDAT" else b""
        at += size + 12
    assert kinds == [b"IHDR", b"IDAT", b"IEND"]
    assert len(zlib.decompress(pixels)) == 200 * (1 + 3 * 320)
    assert used("trip_planner", "open_page", url="https://other.example/").deeds[0].error == "404 Not Found"
