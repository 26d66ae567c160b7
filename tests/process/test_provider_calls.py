"""Calls of models over real HTTP, to a provider that misbehaves on cue."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, TypeVar

import pytest
import uvloop

from beacon.catalog import Style
from beacon.errors import BadRequest, UpstreamFailed
from beacon.keys import Endpoint
from replay_worker.providers import client, pool
from replay_worker.providers.calls import Completion, ModelCall
from replay_worker.providers.client import ERROR_BYTES_MAX, Providers
from replay_worker.providers.errors import MESSAGE_MAX
from tests.fake_provider import FakeProvider, Reply

KEY = "sk-secret-0123456789abcdef"

APIS: list[tuple[Style, Any]] = [("openai", "chat"), ("openai", "responses"), ("anthropic", "chat"), ("google", "chat")]

Result = TypeVar("Result")


@pytest.fixture
def fake() -> Iterator[FakeProvider]:
    with FakeProvider() as provider:
        yield provider


def endpoint(fake: FakeProvider, style: Style = "openai", key: str | None = KEY) -> Endpoint:
    return Endpoint(provider=style, style=style, base_url=fake.base_url(style), key=key)


def asked(api: Any = "chat", text: str = "Hi", **fields: Any) -> ModelCall:
    return ModelCall(model="m", messages=[{"role": "user", "content": text}], api=api, **fields)


def with_providers(work: Callable[[Providers], Awaitable[Result]], **deadlines: Any) -> Result:
    async def run() -> Result:
        async with Providers(**deadlines) as providers:
            return await work(providers)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as the worker does
        return runner.run(run())


async def until(condition: Callable[[], Any]) -> None:
    """Let the loop run until `condition` holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def called(
    fake: FakeProvider, style: Style = "openai", api: Any = "chat", stream: bool = False, **deadlines: float
) -> tuple[Completion, list[str]]:
    """One call's answer, and its text as it came."""
    said: list[str] = []
    answer = with_providers(
        lambda providers: providers.call(endpoint(fake, style), asked(api), said.append if stream else None),
        **deadlines,
    )
    return answer, said


def failed(
    fake: FakeProvider, style: Style = "openai", api: Any = "chat", stream: bool = False, **deadlines: float
) -> UpstreamFailed:
    """How a call failed; never with the key in it, and with nothing raised before it that may hold the key."""
    with pytest.raises(UpstreamFailed) as failure:
        called(fake, style, api, stream, **deadlines)
    assert KEY not in str(failure.value)
    assert failure.value.__cause__ is None
    assert failure.value.__context__ is None
    return failure.value


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("style", "api"), APIS)
def test_every_api_answers(fake: FakeProvider, style: Style, api: Any, stream: bool) -> None:
    fake.key = KEY
    fake.script(
        Reply(
            text="Hällo there, you",
            reasoning="A greeting.",
            tool_calls=[("look", {"at": "ü"})],
            tokens_input=40,
            tokens_output=30,
            tokens_cached=8,
            tokens_reasoning=5,
        )
    )
    answer, said = called(fake, style, api, stream)
    assert (answer.text, answer.finish_reason, answer.reasoning) == ("Hällo there, you", "tool_calls", "A greeting.")
    assert answer.tool_calls[0]["function"]["name"] == "look"
    assert (answer.tokens_input, answer.tokens_output, answer.tokens_cached) == (40, 30, 8)
    assert answer.tokens_reasoning == (None if style == "anthropic" else 5)
    assert said == (["Hällo ", "there, ", "you"] if stream else [])
    assert fake.requests[0].streamed is stream
    assert fake.requests[0].last_user_text == "Hi"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("style", "api"), APIS)
def test_an_answer_in_single_bytes_is_the_same(fake: FakeProvider, style: Style, api: Any, stream: bool) -> None:
    fake.script(Reply(text="Zwölf 🌧 drops", tool_calls=[("f", {"a": [1]})]))
    fake.script(Reply(text="Zwölf 🌧 drops", tool_calls=[("f", {"a": [1]})], chunk=1))
    whole, pieces = called(fake, style, api, stream)
    odd, odd_pieces = called(fake, style, api, stream)
    for answer in (whole, odd):
        answer.latency_ms, answer.waited_ms, answer.first_text_ms = 0.0, 0.0, None
    assert odd == whole
    assert odd_pieces == pieces


def test_text_comes_as_it_is_sent_and_times_are_told(fake: FakeProvider) -> None:
    fake.script(Reply(pieces=["a", "b", "c"], first_byte_s=0.2, gate="rest", gate_after=1))
    said: list[str] = []

    def first(text: str) -> None:
        said.append(text)
        fake.open("rest")  # not before the first piece was heard is the second sent

    answer = with_providers(lambda providers: providers.call(endpoint(fake), asked(), first))
    assert said == ["a", "b", "c"]
    assert answer.first_text_ms is not None
    assert 190 <= answer.first_text_ms < answer.latency_ms


@pytest.mark.parametrize("kind", ["application/json", "text/plain; charset=utf-8", "application/octet-stream", ""])
@pytest.mark.parametrize("chunk", [None, 1])
def test_a_server_that_does_not_stream_is_heard_all_the_same(fake: FakeProvider, kind: str, chunk: int | None) -> None:
    whole = (
        b'\xef\xbb\xbf\r\n {"choices": [{"message": {"content": "whole %b"}, "finish_reason": "stop"}]}' % KEY.encode()
    )
    if kind == "application/json":
        whole = whole[3:]  # with a mark of its byte order it would be none
    fake.script(Reply(body=whole, headers={"content-type": kind}, chunk=chunk))
    answer, said = called(fake, stream=True)
    assert (answer.text, said) == ("whole [API key]", [])


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", ""])
@pytest.mark.parametrize("chunk", [None, 1])
def test_a_stream_that_does_not_say_so_is_one(fake: FakeProvider, kind: str, chunk: int | None) -> None:
    fake.script(Reply(pieces=["a", "b"], headers={"content-type": kind}, chunk=chunk))
    answer, said = called(fake, stream=True)
    assert (answer.text, said) == ("ab", ["a", "b"])


@pytest.mark.parametrize("style", ["openai", "anthropic", "google"])
def test_models_are_listed(fake: FakeProvider, style: Style) -> None:
    fake.key = KEY
    assert with_providers(lambda providers: providers.list_models(endpoint(fake, style))) == [
        "fake-large",
        "fake-small",
    ]
    with pytest.raises(UpstreamFailed) as failure:
        with_providers(lambda providers: providers.list_models(endpoint(fake, style, "sk-wrong-0123456789")))
    assert failure.value.upstream_status == 401
    assert "Incorrect API key provided." in failure.value.detail


def test_one_connection_serves_call_after_call_streamed_or_not(fake: FakeProvider) -> None:
    async def run(providers: Providers) -> None:
        for stream in (False, True, False, True):
            await providers.call(endpoint(fake), asked(), (lambda text: None) if stream else None)
        await providers.list_models(endpoint(fake))

    with_providers(run)
    assert fake.connections == 1


def test_two_hundred_calls_are_made_at_once(fake: FakeProvider) -> None:
    fake.default = Reply(gate="all")

    async def run(providers: Providers) -> None:
        calls = [asyncio.create_task(providers.call(endpoint(fake), asked())) for _ in range(200)]
        await asyncio.to_thread(fake.wait, lambda: fake.in_flight() == 200, "200 calls in flight")
        fake.open("all")
        await asyncio.gather(*calls)

    with_providers(run)


def test_more_calls_than_there_is_room_for_wait_for_their_turn(fake: FakeProvider) -> None:
    fake.default = Reply(gate="all")

    async def run(providers: Providers) -> None:
        calls = [asyncio.create_task(providers.call(endpoint(fake), asked())) for _ in range(8)]
        await asyncio.to_thread(fake.wait, lambda: fake.in_flight() == 3, "three calls in flight")
        assert await providers.list_models(endpoint(fake)), "a list of models waits for no turn"
        assert fake.in_flight() == 3
        calls[7].cancel()  # who does not wait any more takes nobody's turn
        fake.open("all")
        assert len(await asyncio.gather(*calls[:7])) == 7

    with_providers(run, calls_max=3)
    assert len(fake.requests) == 7 + 1


def test_a_server_that_answers_nobody_holds_up_no_other(fake: FakeProvider) -> None:
    fake.default = Reply(hang=True)

    async def run(providers: Providers, other: FakeProvider) -> Completion:
        stuck = [asyncio.create_task(providers.call(endpoint(fake), asked())) for _ in range(4)]
        await asyncio.to_thread(fake.wait, lambda: fake.in_flight() == 2, "no room for more there")
        answer = await providers.call(endpoint(other), asked())
        for call in stuck:
            call.cancel()
        await asyncio.wait(stuck)
        return answer

    with FakeProvider() as other:
        assert with_providers(lambda providers: run(providers, other), calls_max=2).text


def test_answers_that_are_handed_in_together_share_the_room(fake: FakeProvider) -> None:
    fake.default = Reply(huge=3 << 20)
    assert len(with_providers(lambda providers: providers.call(endpoint(fake), asked(siblings=4))).text) == 3 << 20
    with pytest.raises(UpstreamFailed, match=r"larger than 2\.67 MiB"):
        with_providers(lambda providers: providers.call(endpoint(fake), asked(siblings=6)))


def test_no_half_of_a_key_is_left_of_what_is_no_http(fake: FakeProvider) -> None:
    """The library that reads HTTP shows the line it cannot read, whatever stands in it."""
    said = []
    for before in (420, 440, 460, 480):
        with Garbage(b"HTTP/1.1 " + b"x" * before + KEY.encode() + b"\r\n\r\n") as port:
            there = Endpoint(provider="p", style="openai", base_url=f"http://127.0.0.1:{port}/v1", key=KEY)
            with pytest.raises(UpstreamFailed) as failure:
                with_providers(partial(Providers.call, endpoint=there, call=asked()))
            said.append(failure.value.detail)
    assert not [detail for detail in said if KEY[:6] in detail]
    assert any("xxxx" in detail for detail in said), "the line is shown"


class Garbage:
    """A server that answers every connection with `said`; use it as a context, which gives its port."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> int:
        self._thread.start()
        return int(self._listener.getsockname()[1])

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(65_536)
                connection.sendall(self._said)


def test_waiting_for_a_turn_is_not_the_providers_time(fake: FakeProvider) -> None:
    """The third waits longer than a call may take, and does not fail for it."""
    fake.script(Reply(first_byte_s=1.2), Reply(first_byte_s=1.2), Reply())

    async def run(providers: Providers) -> list[Completion]:
        return await asyncio.gather(*(providers.call(endpoint(fake), asked()) for _ in range(3)))

    first, second, third = with_providers(run, calls_max=1, total_s=2.0)
    assert first.waited_ms < 1_100 < second.waited_ms < 2_300 < third.waited_ms
    assert third.latency_ms < 1_000 < second.latency_ms < 2_000


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("style", "api"), APIS)
def test_a_failure_is_the_providers_own_words_without_the_key(
    fake: FakeProvider, style: Style, api: Any, stream: bool
) -> None:
    fake.script(Reply(status=500, error="The engine is on fire", echo_key=True))
    failure = failed(fake, style, api, stream)
    base_url = fake.base_url(style)
    assert failure.detail == f"{style} at {base_url}: HTTP 500: The engine is on fire (key: [API key])."
    assert failure.upstream_status == 500
    assert len(fake.requests) == 1


def test_no_half_of_a_key_is_left_where_a_message_is_cut(fake: FakeProvider) -> None:
    """Wherever the key stands to a cut: none of it may be left, and half a key is found by nobody who looks for it."""
    for before in (*range(465, 501, 5), MESSAGE_MAX - 1):
        fake.script(Reply(status=401, error="x" * before + KEY))
        assert KEY[:6] not in failed(fake).detail, before
    for before in range(170, 205, 5):
        fake.script(Reply(body=b"not JSON " + b"x" * before + KEY.encode()))
        assert KEY[:6] not in failed(fake).detail, before
    for before in range(1, len(KEY)):
        fake.script(Reply(status=500, body=b"<p>" + b" " * (ERROR_BYTES_MAX - 3 - before) + KEY.encode()))
        assert KEY[:6] not in failed(fake).detail, before


@pytest.mark.parametrize("before", [480, 490])
def test_nor_in_an_error_that_comes_in_a_stream(fake: FakeProvider, before: int) -> None:
    error = json.dumps({"error": {"message": "x" * before + KEY}})
    fake.script(Reply(body=f"data: {error}\n\n".encode(), headers={"content-type": "text/event-stream"}))
    assert KEY[:6] not in failed(fake, stream=True).detail


@pytest.mark.parametrize(("style", "api"), APIS)
def test_a_stream_that_breaks_or_ends_early_is_no_answer(fake: FakeProvider, style: Style, api: Any) -> None:
    fake.script(Reply(pieces=["a", "b", "c"], cut_after=2), Reply(pieces=["a", "b", "c"], cut_after=2, ends_early=True))
    assert "the connection ended in the middle of the answer" in failed(fake, style, api, stream=True).detail
    assert "its stream ended before the answer did" in failed(fake, style, api, stream=True).detail
    assert len(fake.requests) == 2


@pytest.mark.parametrize(("style", "api"), APIS)
def test_an_answer_that_breaks_is_no_answer(fake: FakeProvider, style: Style, api: Any) -> None:
    fake.script(Reply(cut_after=0), Reply(close=True))
    assert "the connection ended in the middle of the answer" in failed(fake, style, api).detail
    assert "the connection ended before an answer came" in failed(fake, style, api).detail
    assert len(fake.requests) == 2, "a call that may have been paid for is not made again"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("style", "api"), APIS)
@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"{}", b"[1, 2", b"\xff\xfe\x00", b"null"])
def test_garbage_is_called_what_it_is(fake: FakeProvider, style: Style, api: Any, stream: bool, body: bytes) -> None:
    fake.script(Reply(body=body))
    assert failed(fake, style, api, stream).detail.startswith(f"{style} at {fake.base_url(style)}: its answer ")


@pytest.mark.parametrize("stream", [False, True])
def test_a_huge_answer_is_cut_off(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    monkeypatch.setattr(client, "ANSWER_BYTES_MAX", 4 * 1024 * 1024)
    fake.script(Reply(huge=64 * 1024 * 1024))

    async def run(providers: Providers) -> None:
        with pytest.raises(UpstreamFailed, match="its answer is larger than 4 MiB"):
            await providers.call(endpoint(fake), asked(), (lambda _: None) if stream else None)
        await asyncio.to_thread(fake.wait, lambda: fake.requests[0].disconnected, "the connection to be closed")

    with_providers(run)


def test_a_huge_failure_is_trimmed(fake: FakeProvider) -> None:
    fake.script(Reply(status=500, error="x" * 5_000_000))
    assert len(failed(fake).detail) < 700


def test_a_redirect_is_not_followed_with_a_key(fake: FakeProvider) -> None:
    fake.script(Reply(status=307, headers={"location": f"{fake.url}/elsewhere"}))
    assert "where the key must not go" in failed(fake).detail
    assert len(fake.requests) == 1


def test_nothing_in_the_environment_sends_a_key_elsewhere(fake: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeProvider() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        called(fake)
        assert (len(fake.requests), proxy.connections) == (1, 0)


def test_what_cannot_be_sent_is_refused_before_anything_is(fake: FakeProvider) -> None:
    call = asked(params={"seed": 1})
    with pytest.raises(BadRequest, match="seed"):
        with_providers(lambda providers: providers.call(endpoint(fake, "anthropic"), call))
    assert fake.connections == 0


# ---------------------------------------------------------------- deadlines


def test_a_provider_that_says_nothing_is_waited_for_so_long(fake: FakeProvider) -> None:
    fake.script(Reply(hang=True), Reply(hang_after=0), Reply(pieces=["a", "b"], hang_after=1), Reply(hang=True))
    assert "it did not begin to answer within 0.2 s" in failed(fake, stream=True, read_s=0.2).detail
    assert "it fell silent for 0.2 s in the middle" in failed(fake, stream=True, read_s=0.2).detail
    assert "it fell silent for 0.2 s in the middle" in failed(fake, stream=True, read_s=0.2).detail
    assert "the answer was not there after 0.3 s" in failed(fake, stream=False, read_s=0.1, total_s=0.3).detail
    fake.wait(lambda: all(one.disconnected for one in fake.requests), "every connection to be closed")


def test_a_stream_that_drips_for_ever_ends_at_the_deadline(fake: FakeProvider) -> None:
    fake.script(Reply(pieces=["x"] * 1_000, piece_s=0.02))
    assert "the answer was not there after 0.4 s" in failed(fake, stream=True, read_s=0.2, total_s=0.4).detail


def test_a_long_silence_is_no_failure_of_a_call_that_does_not_stream(fake: FakeProvider) -> None:
    fake.script(Reply(text="thought about it", first_byte_s=0.4))
    assert called(fake, read_s=0.1, total_s=5)[0].text == "thought about it"


# ---------------------------------------------------------------- retries


@pytest.mark.parametrize("status", [429, 503])
def test_a_provider_that_says_when_is_asked_again_then(fake: FakeProvider, status: int) -> None:
    fake.script(Reply(status=status, headers={"retry-after": "0.3"}), Reply(text="Now."))
    answer, _ = called(fake)
    assert answer.text == "Now."
    assert fake.requests[1].at - fake.requests[0].at >= 0.3
    assert answer.latency_ms >= 300


def test_it_is_asked_twice_more_at_most(fake: FakeProvider) -> None:
    fake.default = Reply(status=429, error="Slow down", headers={"retry-after-ms": "10"})
    failure = failed(fake)
    assert len(fake.requests) == 3
    assert failure.detail.endswith("HTTP 429 (it asks to wait 0.01 s): Slow down.")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=429),
        Reply(status=503),
        Reply(status=429, headers={"retry-after": "3600"}),
        Reply(status=500, headers={"retry-after": "0"}),
        Reply(status=529, headers={"retry-after": "0"}),
    ],
)
def test_others_are_not_asked_again(fake: FakeProvider, reply: Reply) -> None:
    fake.default = reply
    failed(fake)
    assert len(fake.requests) == 1


def test_a_wait_beyond_the_deadline_is_not_begun(fake: FakeProvider) -> None:
    fake.default = Reply(status=429, headers={"retry-after": "20"})
    began = time.monotonic()
    assert "it asks to wait 20 s" in failed(fake, total_s=5).detail
    assert time.monotonic() - began < 2


def test_a_server_that_is_being_restarted_is_waited_for(fake: FakeProvider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)  # the HTTP library says there how far it is
    fake.refuse()

    async def run(providers: Providers) -> str:
        calling = asyncio.create_task(providers.call(endpoint(fake), asked()))
        await until(lambda: "connect_tcp.failed" in caplog.text)
        await asyncio.to_thread(fake.listen)
        return (await calling).text

    assert with_providers(run) == "This is m. You said: Hi"


def test_a_server_that_is_not_there_is_said_so(fake: FakeProvider) -> None:
    fake.refuse()
    began = time.monotonic()
    assert "it cannot be reached" in failed(fake).detail
    assert time.monotonic() - began < 3
    fake.listen()


def test_a_server_that_takes_no_connection_is_given_up(fake: FakeProvider) -> None:
    """Here one that speaks no TLS: it waits for the end of a request, its caller for the handshake."""
    silent = Endpoint(provider="openai", style="openai", base_url=fake.base_url().replace("http:", "https:"), key=KEY)
    with pytest.raises(UpstreamFailed, match=r"it cannot be reached: no connection within 0.2 s"):
        with_providers(lambda providers: providers.call(silent, asked()), connect_s=0.2)


def test_a_connection_its_server_closed_meanwhile_is_not_used(
    fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the call is lost with it, and may not be made again."""
    monkeypatch.setattr(pool, "IDLE_S", 60.0)

    async def run(providers: Providers) -> str:
        await providers.call(endpoint(fake), asked())
        await asyncio.to_thread(fake.refuse)
        await asyncio.to_thread(fake.listen)
        return (await providers.call(endpoint(fake), asked())).text

    assert with_providers(run)
    assert fake.connections == 2


# ---------------------------------------------------------------- cancelling


@pytest.mark.parametrize(
    ("reply", "reached"),
    [
        (Reply(hang=True), "receive_response_headers.started"),
        (Reply(hang_after=0), "receive_response_body.started"),
        (Reply(pieces=["a", "b"], hang_after=1), "said a"),
    ],
    ids=["head", "body", "text"],
)
@pytest.mark.parametrize("stream", [False, True])
def test_cancelling_a_call_closes_its_connection_at_once(
    fake: FakeProvider, caplog: pytest.LogCaptureFixture, reply: Reply, reached: str, stream: bool
) -> None:
    caplog.set_level(logging.DEBUG)  # the HTTP library says there how far it is
    if not stream:
        reply, reached = Reply(hang=True), "receive_response_headers.started"
    fake.script(reply)

    async def run(providers: Providers) -> None:
        on_text = (lambda text: logging.debug("said %s", text)) if stream else None
        call = asyncio.create_task(providers.call(endpoint(fake), asked(), on_text))
        await asyncio.to_thread(fake.wait, lambda: fake.requests)
        await until(lambda: reached in caplog.text)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.to_thread(fake.wait, lambda: fake.requests[0].disconnected, "the disconnect", 1.0)

    with_providers(run)


def test_a_cancelled_call_leaves_the_others_alone(fake: FakeProvider) -> None:
    fake.script(Reply(hang=True))

    async def run(providers: Providers) -> list[str]:
        lost = asyncio.create_task(providers.call(endpoint(fake), asked()))
        await asyncio.to_thread(fake.wait, lambda: fake.requests)
        fake.default = Reply(text="here", gate="others")
        others = [asyncio.create_task(providers.call(endpoint(fake), asked())) for _ in range(5)]
        await asyncio.to_thread(fake.wait, lambda: fake.in_flight() == 6, "all calls to be under way")
        lost.cancel()
        await asyncio.to_thread(fake.wait, lambda: fake.requests[0].disconnected, "the lost one to be closed")
        fake.open("others")
        return [(await other).text for other in others]

    assert with_providers(run) == ["here"] * 5


# ---------------------------------------------------------------- keys


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("style", "api"), APIS)
def test_an_answer_that_repeats_the_key_does_not_show_it(
    fake: FakeProvider, style: Style, api: Any, stream: bool
) -> None:
    fake.script(Reply(text=f"You sent {KEY}, did you?", pieces=["You sent ", KEY[:7], KEY[7:], ", did you?"]))
    answer, said = called(fake, style, api, stream)
    assert answer.text == "You sent [API key], did you?"
    assert "".join(said) == (answer.text if stream else "")


def test_a_key_goes_to_its_own_base_url_alone_and_in_no_url(fake: FakeProvider) -> None:
    with FakeProvider() as other:

        async def run(providers: Providers) -> None:
            await providers.call(endpoint(fake), asked())
            await providers.call(endpoint(other, key=None), asked())
            await providers.call(endpoint(fake, "google"), asked())

        with_providers(run)
        assert other.requests[0].key is None
        assert KEY not in repr(other.requests)
    assert [one.key for one in fake.requests] == [KEY, KEY]
    assert all(KEY not in one.path + one.query for one in fake.requests)


def test_no_log_line_holds_a_key(fake: FakeProvider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    called(fake, stream=True)
    fake.script(Reply(status=401, echo_key=True))
    failed(fake, "google")
    assert "httpcore" in caplog.text, "the HTTP library logs what it does"
    assert KEY not in caplog.text


def test_a_key_that_no_header_can_hold_is_not_shown_either(fake: FakeProvider) -> None:
    broken = Endpoint(provider="openai", style="openai", base_url=fake.base_url(), key="sk-broken\r\nkey-0123456789")
    with pytest.raises(UpstreamFailed) as failure:
        with_providers(lambda providers: providers.call(broken, asked()))
    assert "sk-broken" not in repr(failure.value)
    assert "key-0123456789" not in str(failure.value)


def test_pools_of_base_urls_that_are_not_called_any_more_make_room(
    fake: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "POOLS_MAX", 2)

    async def run(providers: Providers) -> None:
        for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.1"):
            base_url = fake.base_url().replace("127.0.0.1", host)
            with_host = Endpoint(provider="openai", style="openai", base_url=base_url)
            if host == "127.0.0.1":
                await providers.call(with_host, asked())
            else:
                with pytest.raises(UpstreamFailed):
                    await providers.call(with_host, asked())

    with_providers(run)
    assert fake.connections == 2
