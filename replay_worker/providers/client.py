"""Calls of models over HTTP: pooled connections, deadlines, retries, and every failure as one sentence without a key.

The transports of httpx2 are used without its client (https://httpx2.pydantic.dev): a client would look for proxies and
passwords in the environment, follow redirects with the key, and keep cookies.
"""

from __future__ import annotations

import asyncio
import time
from codecs import BOM_UTF8
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from types import TracebackType
from typing import TypeVar, cast
from weakref import WeakValueDictionary

import httpx2 as httpx

from beacon.errors import UpstreamFailed
from beacon.keys import Endpoint
from replay_worker.providers import anthropic, google, openai_chat, openai_responses
from replay_worker.providers.calls import Api, Completion, HttpRequest, ModelCall, StreamParser
from replay_worker.providers.errors import message_in, trimmed
from replay_worker.providers.pool import Pool
from replay_worker.providers.retrying import RECONNECT_S, RETRIES_MAX, retry_after, wait_before_retry
from replay_worker.providers.secrets import StreamScrubber, scrub, scrubbed, scrubbed_body
from replay_worker.providers.sse import Event, SseParser

CONNECT_S = 10.0
"""Seconds a connection may take, its TLS handshake included: a server that is there answers within one."""

READ_S = 120.0
"""Seconds a stream may be silent: a model that thinks for long sends pings or thoughts meanwhile. An answer that is not
streamed is silent until it is whole, so that only TOTAL_S bounds it."""

TOTAL_S = 600.0
"""Seconds of one call, retries included: what the providers' own clients allow."""

LIST_S = 30.0
"""Seconds for a list of models."""

CALLS_MAX = 256
"""Calls of models at once at one server. A worker runs 128 jobs, and one may make ten calls side by side: 1,280
connections are more than the 1,024 descriptors a process usually has. Twice as many calls as jobs leaves room for those
that fan out."""

SERVERS_MAX = 3
"""Servers that may have so many calls each: one that answers nobody holds up nobody else's."""

ANSWER_BYTES_MAX = 16 * 1024 * 1024
"""Bytes of one answer: fifty times the longest text a model gives, and room for an image. Its text stands three times
in what ingest is handed (the answer, its diff, the hunks), and 64 MiB is what ingest takes."""

ERROR_BYTES_MAX = 64 * 1024
"""Bytes read of an answer that says it failed."""

DRAIN_S = 0.05
"""Seconds a stream has to end after its last event, so that its connection can be used again."""

Answer = TypeVar("Answer")


class Providers:
    """Calls models. Use it as a context, or call `aclose`. `transport` stands in for the network, for every provider.

    At most `calls_max` calls are made at once at one server, and SERVERS_MAX times as many in all; the others wait for
    their turn, which no deadline and no latency counts.
    Lists of models wait for none: they are free and short, and tell whether a key works.

    Cancelling a call closes its connection at once.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
        total_s: float = TOTAL_S,
        calls_max: int = CALLS_MAX,
    ) -> None:
        self._pool = Pool(transport)
        self._calls_max = calls_max
        self._turns = asyncio.Semaphore(calls_max * SERVERS_MAX)
        self._turns_at: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._connect_s = connect_s
        self._read_s = read_s
        self._total_s = total_s

    async def __aenter__(self) -> Providers:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def call(
        self, endpoint: Endpoint, call: ModelCall, on_text: Callable[[str], None] | None = None
    ) -> Completion:
        """The model's answer, streamed when `on_text` is there to get its text as it comes. Raises `BadRequest` for
        what the provider cannot take, `UpstreamFailed` for whatever goes wrong there."""
        api = api_of(endpoint, call)
        request = api.build_request(endpoint, call, on_text is not None)
        bytes_max = ANSWER_BYTES_MAX // call.siblings
        asked = time.perf_counter()
        turns_there = self._turns_at.get(endpoint.base_url)
        if turns_there is None:
            self._turns_at[endpoint.base_url] = turns_there = asyncio.Semaphore(self._calls_max)
        async with turns_there, self._turns:
            waited_ms = _ms_since(asked)
            completion = await self._answer(endpoint, api, request, on_text, bytes_max)
        completion.waited_ms = waited_ms
        return completion

    async def _answer(
        self,
        endpoint: Endpoint,
        api: Api,
        request: HttpRequest,
        on_text: Callable[[str], None] | None,
        bytes_max: int,
    ) -> Completion:
        began = time.perf_counter()
        first_text: list[float] = []

        async def read(response: httpx.Response) -> Completion:
            kind = response.headers.get("content-type", "").lower()
            async with aclosing(_pieces(response, bytes_max)) as pieces:
                opening = b""
                if on_text is not None and not kind.startswith(("application/json", "text/event-stream")):
                    opening = await _opening(pieces)
                # a server that does not stream
                if on_text is None or kind.startswith("application/json") or opening.startswith(b"{"):
                    return api.parse_response(scrubbed_body(opening + await _rest(pieces), endpoint.key))
                scrubber = StreamScrubber(endpoint.key)
                parser = api.new_parser()
                async for text in _streamed(opening, pieces, parser, endpoint.key):
                    if not first_text:
                        first_text.append(_ms_since(began))
                    if shown := scrubber.feed(text):
                        on_text(shown)
                if rest := scrubber.end():
                    on_text(rest)
                return parser.result()

        silence_s = self._read_s if on_text is not None else self._total_s
        completion = await self._ask(endpoint, request, read, silence_s, self._total_s)
        completion.latency_ms = _ms_since(began)
        completion.first_text_ms = first_text[0] if first_text else None
        scrub(completion, endpoint.key)
        return completion

    async def list_models(self, endpoint: Endpoint) -> list[str]:
        """The models a server says it has: a real request with the key, and free. Raises `UpstreamFailed`."""
        api = api_of(endpoint)

        async def read(response: httpx.Response) -> list[str]:
            return api.parse_models(scrubbed_body(await _whole(response), endpoint.key))

        names = await self._ask(endpoint, api.models_request(endpoint), read, LIST_S, LIST_S)
        return [scrubbed(name, endpoint.key) for name in names]

    # ------------------------------------------------------------ one question, asked up to three times

    async def _ask(
        self,
        endpoint: Endpoint,
        request: HttpRequest,
        read: Callable[[httpx.Response], Awaitable[Answer]],
        silence_s: float,
        total_s: float,
    ) -> Answer:
        """What `read` makes of the answer. Raises `UpstreamFailed` that names the provider, with no key in it."""
        who = f"{endpoint.provider} at {endpoint.base_url}"
        deadline = asyncio.get_running_loop().time() + total_s
        try:
            async with asyncio.timeout_at(deadline):
                return await self._ask_again(endpoint, request, read, silence_s, deadline)
        except UpstreamFailed as e:
            detail, status = e.detail, e.upstream_status
        except TimeoutError:
            detail, status = f"the answer was not there after {total_s:g} s", None
        # outside of `except`: what a library raised may hold the request's headers, and must not come along as a cause
        raise UpstreamFailed(_sentence(f"{who}: {scrubbed(detail, endpoint.key)}"), status)

    async def _ask_again(
        self,
        endpoint: Endpoint,
        request: HttpRequest,
        read: Callable[[httpx.Response], Awaitable[Answer]],
        silence_s: float,
        deadline: float,
    ) -> Answer:
        retries = 0
        while True:
            try:
                async with self._response(endpoint, request, silence_s) as response:
                    if 200 <= response.status_code < 300:
                        return await _read_through(response, read, silence_s, endpoint.key)
                    wait_s = wait_before_retry(response.status_code, response.headers, retries)
                    failure = await _failure(response, endpoint.key)
            except _NotConnectedError as e:
                wait_s = RECONNECT_S[retries] if retries < RETRIES_MAX else None
                failure = UpstreamFailed(f"it cannot be reached: {e}")
            if wait_s is None or asyncio.get_running_loop().time() + wait_s >= deadline:
                raise failure
            retries += 1
            await asyncio.sleep(wait_s)

    @asynccontextmanager
    async def _response(
        self, endpoint: Endpoint, request: HttpRequest, silence_s: float
    ) -> AsyncIterator[httpx.Response]:
        """The answer's head. Raises `_NotConnectedError` before the first byte was sent, `UpstreamFailed` after."""
        timeouts = {"connect": self._connect_s, "read": silence_s, "write": silence_s, "pool": None}
        async with self._pool.transport(endpoint.base_url) as transport:
            try:
                sent = httpx.Request(
                    request.method,
                    request.url,
                    headers=request.headers,
                    content=request.body or None,
                    extensions={"timeout": timeouts},
                )
                response = await transport.handle_async_request(sent)
            except httpx.ConnectTimeout:  # not tried again: who is silent for so long is not being restarted
                raise UpstreamFailed(f"it cannot be reached: no connection within {self._connect_s:g} s") from None
            except httpx.ConnectError as e:
                raise _NotConnectedError(trimmed(scrubbed(str(e), endpoint.key)) or "no connection") from None
            except httpx.TimeoutException:
                raise UpstreamFailed(f"it did not begin to answer within {silence_s:g} s") from None
            except (httpx.LocalProtocolError, httpx.InvalidURL):  # its message would show the header, and the key in it
                raise UpstreamFailed("its base URL or key holds characters that cannot be sent; correct it") from None
            except httpx.TransportError as e:
                raise UpstreamFailed(f"the connection ended before an answer came: {_why(e, endpoint.key)}") from None
            try:
                yield response
            finally:
                await response.aclose()


class _NotConnectedError(Exception):
    pass


def api_of(endpoint: Endpoint, call: ModelCall | None = None) -> Api:
    """The API that a server is spoken to in."""
    if endpoint.style == "anthropic":
        return cast("Api", anthropic)
    if endpoint.style == "google":
        return cast("Api", google)
    return cast("Api", openai_responses if call is not None and call.api == "responses" else openai_chat)


# ---------------------------------------------------------------- reading


async def _read_through(
    response: httpx.Response, read: Callable[[httpx.Response], Awaitable[Answer]], silence_s: float, key: str | None
) -> Answer:
    try:
        return await read(response)
    except httpx.TimeoutException:
        raise UpstreamFailed(f"it fell silent for {silence_s:g} s in the middle of the answer") from None
    except (httpx.TransportError, httpx.DecodingError) as e:
        raise UpstreamFailed(f"the connection ended in the middle of the answer: {_why(e, key)}") from None


async def _pieces(response: httpx.Response, bytes_max: int = ANSWER_BYTES_MAX) -> AsyncGenerator[bytes, None]:
    """The body as it comes. Raises `UpstreamFailed` above `bytes_max`."""
    size = 0
    async with aclosing(response.aiter_bytes()) as chunks:
        async for chunk in chunks:
            size += len(chunk)
            if size > bytes_max:
                raise UpstreamFailed(f"its answer is larger than {bytes_max / 2**20:.3g} MiB, and was cut off there")
            yield chunk


async def _whole(response: httpx.Response) -> bytes:
    async with aclosing(_pieces(response)) as pieces:
        return await _rest(pieces)


async def _rest(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def _opening(pieces: AsyncIterator[bytes]) -> bytes:
    """How a body begins whose content type does not say what it is: some servers send a whole answer as text/plain, and
    others their stream. JSON begins with a brace, and no event does."""
    opening = b""
    async for piece in pieces:
        opening = (opening + piece).removeprefix(BOM_UTF8).lstrip()
        if opening and not BOM_UTF8.startswith(opening):
            return opening
    return opening


async def _streamed(
    opening: bytes, pieces: AsyncIterator[bytes], parser: StreamParser, key: str | None
) -> AsyncIterator[str]:
    """The text of the answer as it comes, until the provider or the body says that it ends."""
    sse = SseParser()

    def said(events: list[Event]) -> Iterator[str]:
        for event in events:
            yield from parser.feed(event._replace(data=scrubbed(event.data, key)))

    async with aclosing(_after(opening, pieces)) as body:
        async for piece in body:
            for text in said(sse.feed(piece)):
                yield text
            if parser.done:
                break
        else:
            for text in said(sse.end()):
                yield text
    await _drain(pieces)


async def _after(opening: bytes, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    yield opening
    async for piece in pieces:
        yield piece


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    try:
        async with asyncio.timeout(DRAIN_S):
            async for _ in pieces:
                pass
    except (TimeoutError, httpx.TransportError, httpx.DecodingError, UpstreamFailed):
        pass  # the answer is whole; only the connection is lost


async def _failure(response: httpx.Response, key: str | None) -> UpstreamFailed:
    """What an answer with a status of failure says, in the provider's own words."""
    body = b""
    try:
        async with aclosing(_pieces(response)) as pieces:
            async for piece in pieces:
                body += piece
                if len(body) > ERROR_BYTES_MAX:
                    break
    except (httpx.TransportError, httpx.DecodingError, UpstreamFailed):
        pass  # what came of it will do
    status = response.status_code
    said = message_in(scrubbed_body(body[:ERROR_BYTES_MAX], key, cut=len(body) > ERROR_BYTES_MAX))
    if 300 <= status < 400:
        said = "it sends the call on to another address, where the key must not go; correct the base URL"
    asked = retry_after(response.headers)
    later = f" (it asks to wait {asked:g} s)" if asked else ""
    return UpstreamFailed(f"HTTP {status}{later}: {said}", status)


def _why(error: Exception, key: str | None) -> str:
    """A library's words, which may hold a line of the answer: without the key before anything is cut off."""
    return trimmed(scrubbed(str(error), key)) or type(error).__name__


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?", "…")) else f"{text}."


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
