"""From a request to a job to its answer: what every route that calls a model has in common."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable

import msgspec

from beacon.contract.jobs import JobError
from beacon.errors import BadRequest, BeaconError, Conflict, Unavailable
from beacon.web import Call, Reply
from beacon.web.body import Disconnected
from ingest.database import Transaction
from ingest.jobs.board import Asked, NewJob
from ingest.jobs.dispatch import Dispatch
from ingest.jobs.waiting import Ended, Stream, Waiting

KEEPALIVE_S = 10.0
"""Seconds of silence after which a stream says that it is still there, so that nothing on the way hangs up."""

KEY_CHARS_MAX = 200
RETRY_AFTER_S = 2

EVENT_STREAM = b"text/event-stream"
STREAM_HEADERS = [(b"cache-control", b"no-cache, no-transform"), (b"x-accel-buffering", b"no")]
"""Nothing on the way may gather pieces of an answer that is read as it is written."""


class JobFailed(BeaconError):
    """A job's error, with the status it ended with."""

    def __init__(self, error: JobError) -> None:
        super().__init__(error.detail)
        self.status = error.status if 400 <= error.status <= 599 else 502


class JobRequests:
    """Makes the job a request asks for and waits for its answer. A client that goes away ends the waiting, not the job:
    it is paid for, and its result is kept for whoever asks again with the same Idempotency-Key."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    async def answer(self, call: Call, build: Callable[[Transaction], NewJob], *, stream: bool = False) -> Reply:
        """The answer of the job that `build` says, as JSON or as server-sent events. Raises what making it raises,
        `JobFailed`, `Unavailable` when no worker came for it, `Disconnected`."""
        waiting = await self.start(call, build)
        if stream:
            headers = [*STREAM_HEADERS]
            if isinstance(waiting, Waiting):
                # before the first word: who cancels has to name the job
                headers.append((b"beacon-job-id", waiting.job.job_id.encode()))
            return Reply(content_type=EVENT_STREAM, headers=headers, stream=_events(call, waiting))
        ended = waiting if isinstance(waiting, Ended) else await _until_ended(call, waiting)
        return Reply(chunks=(result_of(ended).encode(),))

    async def start(self, call: Call, build: Callable[[Transaction], NewJob]) -> Waiting | Ended:
        """Make the job, or find the one with the request's Idempotency-Key, and wait for nothing."""
        return await self._dispatch.create(build, asked_of(call))


def asked_of(call: Call) -> Asked | None:
    """The Idempotency-Key of a request with a body, and a hash of what it asks; without a body nothing is paid for that
    must not be done twice. Whether the answer is to be streamed is not part of it: who lost a stream may ask for the
    whole, and the reverse. Raises `BadRequest` for a key that is none."""
    given = call.headers.get(b"idempotency-key")
    if given is None or call.body is None:
        return None
    key = given.decode("latin-1").strip()
    if not 1 <= len(key) <= KEY_CHARS_MAX or not key.isascii() or not key.isprintable():
        raise BadRequest(f"The Idempotency-Key must be 1 to {KEY_CHARS_MAX} printable ASCII characters.")
    body = msgspec.to_builtins(call.body)
    if isinstance(body, dict):
        body.pop("stream", None)
    what = (call.operation.name, sorted(call.path.items()), body)
    return Asked(key, hashlib.sha256(msgspec.json.encode(what, order="deterministic")).hexdigest())


def result_of(ended: Ended) -> str:
    """A job's result as JSON. Raises the error it ended with instead."""
    if ended.result is not None:
        return ended.result
    error = ended.error
    if error is None:
        raise Conflict("The job was cancelled.")
    if error.status == 503:
        raise Unavailable(error.detail, RETRY_AFTER_S)
    raise JobFailed(error)


async def _until_ended(call: Call, waiting: Waiting) -> Ended:
    """Raises `Disconnected` when the client has gone."""
    gone = asyncio.ensure_future(call.disconnected())
    try:
        await asyncio.wait((waiting.ended, gone), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.ended.done():
            raise Disconnected
        return waiting.ended.result()
    finally:
        gone.cancel()


# ---------------------------------------------------------------- server-sent events


async def _events(call: Call, waiting: Waiting | Ended) -> AsyncGenerator[bytes, None]:
    """`delta` events as they come, then `result` or `error`; ends when the client has gone."""
    if isinstance(waiting, Ended):
        yield _last_event(waiting)
        return
    yield b": a job is on its way\n\n"
    stream = waiting.join()
    gone = asyncio.ensure_future(call.disconnected())
    # one thing to wait for, whatever has come: three futures a piece of text cost more than all the rest of it
    for other in (gone, waiting.ended):
        other.add_done_callback(lambda _: stream.ready.set())
    try:
        while not gone.done():
            if said := _deltas(stream):
                yield said
            elif waiting.ended.done():
                yield _last_event(waiting.ended.result())
                return
            else:
                try:
                    async with asyncio.timeout(KEEPALIVE_S):
                        await stream.ready.wait()
                except TimeoutError:
                    yield b": still at it\n\n"
    finally:
        gone.cancel()
        waiting.leave(stream)


def _deltas(stream: Stream) -> bytes:
    return b"".join(
        event("delta", msgspec.json.encode({"run": run, "text": text})) for run, text in stream.take() if text
    )


def _last_event(ended: Ended) -> bytes:
    try:
        return event("result", result_of(ended).encode())
    except BeaconError as e:
        return event("error", msgspec.json.encode(JobError(e.status, e.detail)))


def event(name: str, data: bytes) -> bytes:
    """A server-sent event (https://html.spec.whatwg.org/multipage/server-sent-events.html) whose data is JSON: its line
    breaks can only stand between tokens, where a space does as well."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data.replace(b"\r", b" ").replace(b"\n", b" "))
