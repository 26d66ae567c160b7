"""One call of a model, in one shape for every provider: what is asked, and what came back."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from msgspec import Struct

from beacon.keys import Endpoint
from replay_worker.providers.sse import Event

FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error", "other"]


class ModelCall(Struct, kw_only=True):
    """`messages` and `tools` in the shape of OpenAI's chat API (content may be a list of parts, images among them);
    `params` by its parameter names. `api`: whether OpenAI is asked by chat completions or by its Responses API.
    `siblings`: calls whose answers are handed in together, and share the room there is for them."""

    model: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    response_format: Any = None
    params: dict[str, Any] = {}
    api: Literal["chat", "responses"] = "chat"
    siblings: int = 1


class Completion(Struct, kw_only=True):
    """`tool_calls` as `{"id", "type": "function", "function": {"name", "arguments": JSON text}}`, or of a tool that
    takes any text as `{"id", "type": "custom", "custom": {"name", "input"}}`; of Google with the signature it wants
    back in `extra_content` (https://ai.google.dev/gemini-api/docs/thought-signatures). Cached tokens are part of
    `tokens_input`, reasoning tokens of `tokens_output`; None where the provider did not say.
    `latency_ms`: from the question to the whole answer, retries with it; `first_text_ms`: to its first text, of a
    streamed answer. `waited_ms`: what came before, until this worker had room for the call."""

    text: str
    tool_calls: list[dict[str, Any]] = []
    finish_reason: FinishReason | None = None
    reasoning: str | None = None
    tokens_input: int | None = None
    tokens_output: int | None = None
    tokens_cached: int | None = None
    tokens_cache_write: int | None = None
    tokens_reasoning: int | None = None
    model: str | None = None
    latency_ms: float = 0.0
    first_text_ms: float | None = None
    waited_ms: float = 0.0


class HttpRequest(Struct, frozen=True, kw_only=True):
    """A request as it is sent. Its headers hold the key, so that it does not show them."""

    method: Literal["GET", "POST"]
    url: str
    headers: dict[str, str]
    body: bytes = b""

    def __repr__(self) -> str:
        return f"HttpRequest({self.method!r}, {self.url!r}, {len(self.body)} bytes)"


class StreamParser(Protocol):
    """Reads a streamed answer, event by event. Pure."""

    @property
    def done(self) -> bool:
        """Whether the provider said that nothing more comes."""
        ...

    def feed(self, event: Event) -> list[str]:
        """The new text in `event`. Raises `UpstreamFailed` for an error in the stream, and for what is no answer."""
        ...

    def result(self) -> Completion:
        """The whole answer. Raises `UpstreamFailed` when the stream ended before it."""
        ...


class Api(Protocol):
    """One API of a provider: a module of this package. Pure."""

    def build_request(self, endpoint: Endpoint, call: ModelCall, stream: bool) -> HttpRequest:
        """Raises `BadRequest` that names what the provider cannot take; nothing is left out in silence."""
        ...

    def parse_response(self, body: bytes) -> Completion:
        """Raises `UpstreamFailed` for what is no answer."""
        ...

    def new_parser(self) -> StreamParser: ...

    def models_request(self, endpoint: Endpoint) -> HttpRequest: ...

    def parse_models(self, body: bytes) -> list[str]:
        """The names of the models that can be called. Raises `UpstreamFailed`."""
        ...
