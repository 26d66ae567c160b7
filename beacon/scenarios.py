"""The demo agents, as cards: what the list of scenarios shows, and how a run's root span begins."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from beacon.errors import BadRequest

FRAMEWORK = "beacon-demo"
"""`agent.framework` of every demo span."""


class Card(Struct, frozen=True):
    """One demo agent. `task` is what its user asks; `model` is `provider`'s name for the model it runs on."""

    key: str
    name: str
    description: str
    provider: str
    model: str
    task: str


CARDS: tuple[Card, ...] = (
    Card(
        "research_assistant",
        "Research assistant",
        "Searches a small library, reads two of the articles and answers with its sources.",
        "openai",
        "gpt-4o-mini",
        "How much of the electricity a heat pump needs can a 6 kWp roof cover over a year in Lyon, and what limits it? "
        "Answer in one paragraph and name your sources.",
    ),
    Card(
        "code_reviewer",
        "Code reviewer",
        "Reads a change to a small Python project, runs its tests, finds the bug and writes the review.",
        "anthropic",
        "claude-haiku-4-5",
        "Review the branch retry-backoff of the project `courier`. Read what changed, run the tests, and tell me "
        "whether I can merge it.",
    ),
    Card(
        "trip_planner",
        "Trip planner",
        "Compares trains, asks for the weather, opens a museum's page and plans a day within a budget.",
        "google",
        "gemini-2.5-flash",
        "I am in Lyon and want to spend Saturday in Annecy for at most 80 euros, train included. What do you suggest?",
    ),
    Card(
        "flaky_deploy",
        "Flaky deploy (fails)",
        "Deploys a service, retries a step that timed out, and fails in the end. The cause stands in an earlier span.",
        "openai",
        "gpt-4o-mini",
        "Deploy the service `checkout` to staging and tell me when it is healthy.",
    ),
    Card(
        "endless_search",
        "Endless search (loops)",
        "Looks for an invoice that is not there, asks the same question again and again, and runs into its step limit.",
        "openai",
        "gpt-4o-mini",
        "Find the invoice 2024-1187 in the archive and tell me its total.",
    ),
)

_BY_KEY = {card.key: card for card in CARDS}


def find_card(key: str) -> Card:
    """The card with this key. Raises `BadRequest` naming the ones there are."""
    card = _BY_KEY.get(key)
    if card is None:
        raise BadRequest(f"There is no scenario {key[:60]!r}; choose one of {', '.join(_BY_KEY)}.")
    return card


def root_span(card: Card, trace_id: str, span_id: str, now: float, *, recorded: bool) -> dict[str, Any]:
    """The root span of a run that begins at `now` (epoch seconds), as it is posted: running, without an end."""
    attributes: dict[str, Any] = {
        "agent.framework": FRAMEWORK,
        "agent.step_name": card.name,
        "agent.input": card.task,
        "demo.scenario": card.key,
    }
    if recorded:
        attributes["demo.recorded"] = True
    return {
        "span_id": span_id,
        "trace_id": trace_id,
        "parent_span_id": None,
        "span_type": "agent_step",
        "name": card.name,
        "status": "unset",
        "start_time": now,
        "attributes": attributes,
    }
