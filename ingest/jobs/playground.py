"""The group PLAYGROUND: chat, the same messages to several models, several prompts to one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from beacon import keys
from beacon.config import Settings
from beacon.contract.jobs import ChatPayload, ComparePayload, ComparePromptsPayload
from beacon.contract.llm_records import ChatRequest, ComparePromptsRequest, CompareRequest
from beacon.errors import BadRequest, Invalid
from beacon.web import Call, Reply
from ingest.jobs.board import NewJob
from ingest.jobs.limits import DEADLINES
from ingest.jobs.requests import JobRequests

COMPARED_MIN = 2
COMPARED_MAX = 10

ROLES = ("system", "developer", "user", "assistant", "tool")

CONVERSATIONS = uuid.UUID("6d0b3c7e-5a0f-4d57-9a55-0a4f3f1c2b90")
"""The namespace in which a conversation's id gives its trace's id: one trace a conversation, and never the trace of
somebody else that happens to have the name."""


class PlaygroundHandlers:
    """`environ` may hold provider keys; they are looked for, and go nowhere from here."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], jobs: JobRequests) -> None:
        self._settings = settings
        self._environ = environ
        self._jobs = jobs

    async def chat(self, call: Call) -> Reply:
        body: ChatRequest = call.body
        check_messages(body.messages)
        self._require(body.model, body.provider)
        conversation_id = body.conversation_id or str(uuid.uuid4())
        trace_id = str(uuid.uuid5(CONVERSATIONS, conversation_id))
        job = NewJob(
            kind="chat",
            label=f"Chat with {body.model}",
            payload=ChatPayload(
                conversation_id,
                trace_id,
                body.model,
                body.messages,
                body.system_prompt,
                body.provider,
                body.params,
                body.tools,
                body.stream,
            ),
            deadline_s=DEADLINES["chat"],
            trace_id=trace_id,
        )
        return await self._jobs.answer(call, lambda tx: job, stream=body.stream)

    async def compare_models(self, call: Call) -> Reply:
        body: CompareRequest = call.body
        require_several(body.models, "models")
        check_messages(body.messages)
        for model in body.models:
            self._require(model)
        trace_id = str(uuid.uuid4())
        job = NewJob(
            kind="compare",
            label=f"Comparison of {len(body.models)} models",
            payload=ComparePayload(trace_id, body.messages, body.models, body.system_prompt, body.params),
            deadline_s=DEADLINES["compare"],
            trace_id=trace_id,
        )
        return await self._jobs.answer(call, lambda tx: job)

    async def compare_prompts(self, call: Call) -> Reply:
        body: ComparePromptsRequest = call.body
        require_several(body.prompts, "prompts")
        self._require(body.model)
        trace_id = str(uuid.uuid4())
        job = NewJob(
            kind="compare_prompts",
            label=f"Comparison of {len(body.prompts)} prompts",
            payload=ComparePromptsPayload(
                trace_id, str(uuid.uuid4()), body.model, body.prompts, body.system_prompt, body.params
            ),
            deadline_s=DEADLINES["compare_prompts"],
            trace_id=trace_id,
        )
        return await self._jobs.answer(call, lambda tx: job)

    def _require(self, model: str, provider: str | None = None) -> None:
        """Raises `BadRequest` for a model nobody knows, or whose provider has no key."""
        keys.route(self._settings.home, self._environ, model, provider)


def require_several(values: Sequence[str], what: str) -> None:
    """Raises `BadRequest` unless there are as many as can be compared."""
    if not COMPARED_MIN <= len(values) <= COMPARED_MAX:
        raise BadRequest(f"{len(values)} {what} were given; {COMPARED_MIN} to {COMPARED_MAX} can be compared.")


def check_messages(messages: Sequence[dict[str, Any]]) -> None:
    """Raises `Invalid` for a message without a role, or with one that no model knows."""
    wrong = [
        (f"messages[{i}].role", f"a role is one of {', '.join(ROLES)}")
        for i, message in enumerate(messages)
        if message.get("role") not in ROLES
    ]
    if wrong:
        raise Invalid(f"{wrong[0][0]}: {wrong[0][1]}.", wrong)
