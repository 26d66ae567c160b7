"""The operations of OpenTelemetry: decode, map, store, answer after COMMIT."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence

from beacon.contract.otlp import encoding_of
from beacon.errors import BadRequest, BeaconError
from beacon.web import Call, Reply
from ingest.decode import Arrival
from ingest.otlp.answers import answer, older_answer
from ingest.otlp.arrived import Content
from ingest.otlp.contents import map_log
from ingest.otlp.decoded import Decoded, DecodedLogs, DecodedTraces
from ingest.otlp.dialects import plain
from ingest.otlp.mapping import Mapped, map_span
from ingest.otlp.prices import Prices
from ingest.otlp.records import OtlpSpan
from ingest.separate import SpanWrong
from ingest.separate_contents import CONTENT_CHARACTERS_MAX, CONTENTS_MAX
from ingest.writer import GROUP_SPANS, Writer

_CROWDED = (
    f"a span takes up to {CONTENTS_MAX:,} pieces and {CONTENT_CHARACTERS_MAX // 1024**2} MiB of content that comes "
    "apart from it, and has as much already"
)

log = logging.getLogger("beacon.otlp")

MAP_SLICE = 16
"""Spans mapped between two turns of the event loop: about 1.5 ms."""

THREAD_FROM = 1024 * 1024
"""Bytes of a request from which it is mapped on a thread: one span may be all of it, and one of 47 MB held up every
other request for 5 s."""


class OtlpHandlers:
    """Traces and logs, over the writer."""

    def __init__(self, writer: Writer, prices: Prices) -> None:
        self._writer = writer
        self._prices = prices

    async def otlp_traces(self, call: Call) -> Reply:
        content_type = call.headers.get(b"content-type")
        return answer(content_type, await self._take_traces(call), "spans", "rejectedSpans")

    async def otlp_traces_older(self, call: Call) -> Reply:
        return older_answer(await self._take_traces(call))

    async def otlp_logs(self, call: Call) -> Reply:
        content_type = call.headers.get(b"content-type")
        size = len(call.body)
        decoded = DecodedLogs()
        await _run(_logs_decoder(content_type)(call.body, decoded))
        call.body = None
        _refuse_malformed(decoded)
        bug = _Bug()
        contents: list[Content] = []
        for i, record in enumerate(decoded.records):
            try:
                content = map_log(record)
            except Exception as e:
                decoded.reject(f"logRecords[{record.index}]", bug.told(e))
            else:
                if content is not None:
                    contents.append(content)
            if i % MAP_SLICE == MAP_SLICE - 1:
                await asyncio.sleep(0)
        decoded.records = []
        await self._store((), contents, size, decoded, bug)
        return answer(content_type, decoded, "log records", "rejectedLogRecords")

    async def _take_traces(self, call: Call) -> Decoded:
        """Store what can be stored of a request; what was found in it, without its spans. Raises `BadRequest`,
        `QueueFull`, `StoreBusy`."""
        size = len(call.body)
        decoded = DecodedTraces()
        await _run(_traces_decoder(call.headers.get(b"content-type"))(call.body, decoded))
        call.body = None
        _refuse_malformed(decoded)
        spans, decoded.spans = decoded.spans, []
        if self._prices.wanted(spans):
            await self._prices.load()
        bug = _Bug()
        arrivals: list[Arrival] = []
        contents: list[Content] = []
        if size > THREAD_FROM:
            await asyncio.to_thread(self._map_all, spans, arrivals, contents, decoded, bug)
        else:
            for at in range(0, len(spans), MAP_SLICE):
                self._map_all(spans[at : at + MAP_SLICE], arrivals, contents, decoded, bug)
                await asyncio.sleep(0)
        del spans
        await self._store_in_slices(arrivals, contents, size, decoded, bug)
        return decoded

    def _map_all(
        self,
        spans: Sequence[OtlpSpan],
        arrivals: list[Arrival],
        contents: list[Content],
        decoded: Decoded,
        bug: _Bug,
    ) -> None:
        for span in spans:
            mapped = self._map(span, decoded, bug)
            if mapped is not None:
                arrivals += mapped.arrivals
                contents += mapped.contents

    def _map(self, span: OtlpSpan, decoded: Decoded, bug: _Bug) -> Mapped | None:
        """None for a span that is left out. A bug in a dialect costs what the dialect would have said, not the span."""
        try:
            try:
                return map_span(span, self._prices)
            except SpanWrong:
                raise
            except Exception as e:
                bug.told(e)
                return map_span(span, self._prices, (plain,))
        except SpanWrong as e:
            decoded.reject(f"spans[{span.index}].{e.loc}", e.msg)
        except Exception as e:
            decoded.reject(f"spans[{span.index}]", bug.told(e))
        return None

    async def _store_in_slices(
        self, arrivals: Sequence[Arrival], contents: Sequence[Content], size: int, decoded: Decoded, bug: _Bug
    ) -> None:
        """Store a large request in turns: at once it would fill the writer's queue, and be refused, or have others
        refused, for as long as it is written. What is stored of one that is refused halfway is stored again."""
        for at in range(0, max(1, len(arrivals)), GROUP_SPANS):
            some = arrivals[at : at + GROUP_SPANS]
            last = at + GROUP_SPANS >= len(arrivals)
            share = size * len(some) // max(1, len(arrivals)) if arrivals else size
            await self._store(some, contents if last else (), share, decoded, bug)

    async def _store(
        self, arrivals: Sequence[Arrival], contents: Sequence[Content], size: int, decoded: Decoded, bug: _Bug
    ) -> None:
        """Store both. Where a bug keeps them from it, store each half by itself, down to what is to blame: the client
        would not send the others again either. Raises `QueueFull`, `StoreBusy`."""
        if not arrivals and not contents:
            return
        try:
            stored = await self._writer.submit(list(arrivals), size, contents)
        except BeaconError:
            raise
        except Exception as e:
            told = bug.told(e)
            if arrivals and contents:
                await self._store(arrivals, (), size, decoded, bug)
                await self._store((), contents, 0, decoded, bug)
            elif len(arrivals) + len(contents) > 1:
                half = (len(arrivals) + len(contents)) // 2
                await self._store(arrivals[:half], contents[:half], size // 2, decoded, bug)
                await self._store(arrivals[half:], contents[half:], size // 2, decoded, bug)
            else:
                decoded.reject(f"spans[{arrivals[0].index}]" if arrivals else "content of a span", told)
        else:
            for error in stored.errors:
                decoded.reject(error.loc, error.msg)
            for _ in range(stored.refused_contents):
                # a span whose content is one too many is stored itself
                (decoded.warn if arrivals else decoded.reject)("content of a span", _CROWDED)


class _Bug:
    """A bug met in one request: logged once, and named by one id however many spans meet it."""

    def __init__(self) -> None:
        self._id = ""

    def told(self, error: Exception) -> str:
        """What to tell the client of it."""
        if not self._id:
            self._id = secrets.token_hex(6)
            log.error("bug %s", self._id, exc_info=error)
        return f"Beacon failed to take it; that is a bug, and its log has the details under {self._id}"


async def _run(decoding: Iterator[None]) -> None:
    """A large body lets others in between its slices."""
    for _ in decoding:
        await asyncio.sleep(0)


def _refuse_malformed(decoded: Decoded) -> None:
    """Raises `BadRequest` for a body that is no OTLP at all, rather than a span here or there that is not."""
    if decoded.malformed and decoded.rejected == decoded.count:
        raise BadRequest(decoded.malformed)


def _traces_decoder(content_type: bytes | None) -> Callable[[bytes, DecodedTraces], Iterator[None]]:
    if encoding_of(content_type) == "protobuf":
        from ingest.otlp.decode_protobuf import decode_traces  # 45 ms and 8 MB, for those who are sent some

        return decode_traces
    from ingest.otlp.decode_json import decode_traces as decode_json_traces

    return decode_json_traces


def _logs_decoder(content_type: bytes | None) -> Callable[[bytes, DecodedLogs], Iterator[None]]:
    if encoding_of(content_type) == "protobuf":
        from ingest.otlp.decode_protobuf import decode_logs

        return decode_logs
    from ingest.otlp.decode_json import decode_logs as decode_json_logs

    return decode_json_logs
