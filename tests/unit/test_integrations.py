"""docs/integrations.md against the clients that are tested, and against what `beacon run` sets."""

from __future__ import annotations

import re

import pytest

from beacon.cli.run_environment import ADDRESSES
from tests.clients.environments import REQUIREMENTS
from tests.clients.expected import CLIENTS, PROGRAMS
from tests.clients.test_counted_once import PAIRS
from tests.processes import REPOSITORY

DOC = (REPOSITORY / "docs" / "integrations.md").read_text("utf-8")
ASKED_FOR = {path.stem: path.read_text("utf-8").split() for path in REQUIREMENTS.glob("*.in")}


@pytest.mark.parametrize("name", sorted(ASKED_FOR))
def test_a_tested_client_is_named_with_its_version(name: str) -> None:
    pins = dict(line.split("==") for line in ASKED_FOR[name])
    main = next(package for package in pins if package.startswith(_MAIN[name]))
    assert re.search(
        rf"{re.escape(main.partition('[')[0].removesuffix('-slim'))}[^\n]*\| {re.escape(pins[main])} \|", DOC
    )


_MAIN = {
    "sdk-proto": "opentelemetry-exporter-otlp-proto-http",
    "sdk-json": "opentelemetry-exporter-otlp-json-http",
    "openinference": "openinference-",
    "openllmetry": "opentelemetry-instrumentation-openai",
    "openllmetry-indexed": "opentelemetry-instrumentation-openai",
    "genai-openai": "opentelemetry-instrumentation-genai-openai",
    "pydantic-ai": "pydantic-ai",
    "logfire": "logfire",
    "langchain": "openinference-instrumentation-langchain",
    "anthropic": "opentelemetry-instrumentation-anthropic",
}


def test_every_lock_has_its_requirements_and_a_client() -> None:
    locks = {path.stem for path in REQUIREMENTS.glob("*.txt")}
    assert locks == set(ASKED_FOR) == set(_MAIN)
    assert locks == {client.lock for client in CLIENTS.values()} | {pair.lock for pair in PAIRS}
    for name in locks:
        locked = set((REQUIREMENTS / f"{name}.txt").read_text("utf-8").split())
        assert {re.sub(r"\[.*\]", "", pin) for pin in ASKED_FOR[name]} <= locked, f"{name}: run `make clients-lock`"


def test_every_client_has_a_program() -> None:
    programs = {client.program[0] for client in CLIENTS.values()} | {pair.program for pair in PAIRS}
    assert programs <= {path.name for path in PROGRAMS.glob("*.py")}


def test_what_a_user_sets_by_hand_is_what_beacon_run_sets() -> None:
    assert {name for name in ADDRESSES if name.startswith("OTEL_")} <= set(re.findall(r"\bOTEL_[A-Z_]+", DOC))
    assert "http://127.0.0.1:7474" in DOC
