"""What went in and came out of a span of any type, put into Facts. Pure."""

from __future__ import annotations

from typing import Any

from ingest.otlp.bodies import langchain_answer, read_answer, read_request
from ingest.otlp.facts import Facts
from ingest.otlp.messages import messages_of
from ingest.otlp.values import as_dict, parsed


def put(facts: Facts, given: Any, got: Any) -> None:
    """What went in and came out, where a span of this type has it."""
    if facts.span_type == "tool_use":
        facts.tool_input = given if given is not None else facts.tool_input
        facts.tool_output = got if got is not None else facts.tool_output
    elif facts.span_type == "agent_step":
        facts.agent_input = given if given is not None else facts.agent_input
        facts.agent_output = got if got is not None else facts.agent_output
    elif facts.span_type == "chain":
        facts.chain_input = given if given is not None else facts.chain_input
        facts.chain_output = got if got is not None else facts.chain_output


def put_call(facts: Facts, given: Any, got: Any) -> None:
    """A whole request and a whole answer of a model, each perhaps only messages or a text."""
    request = as_dict(given)
    if request is not None:
        read_request(facts, request)
        facts.prompt = facts.prompt or messages_of(request) or None
    elif given is not None:
        facts.prompt = messages_of(given) or facts.prompt
    facts.model = facts.model or facts.request_model
    if got is not None:
        body = as_dict(got)
        read_answer(facts, langchain_answer(body) if body is not None and "generations" in body else parsed(got))
