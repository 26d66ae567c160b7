"""What query answers: each read's handler, on the lane it belongs to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Coroutine, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from beacon.config import Settings
from beacon.contract.operations import owned_by
from beacon.errors import BadRequest, Invalid
from beacon.web import Application, Call, Handler, Reply
from beacon.web.body import Disconnected
from query import changes, figures, filters, graph, jobs, replays, search, sessions, spans, traces
from query.readers import Readers
from query.spans import require_id
from query.terms import parse

if TYPE_CHECKING:
    from query.export.streams import Exports

T = TypeVar("T")

EXPORT_TRACES_MAX = 100
"""Traces one export may name."""

FIRST_BYTES = 1024 * 1024
"""Bytes of a streamed answer that are read before it begins: a smaller one has its length announced, and an error up
to there has its status."""


class Handlers:
    """`points` reads what takes a few milliseconds at most, `walks` what looks at everything: so that a first page
    never waits behind a search."""

    def __init__(self, settings: Settings, points: Readers, walks: Readers) -> None:
        self._path = settings.db_path
        self._points = points
        self._walks = walks
        self._exports: Exports | None = None

    def application(self) -> Application:
        handlers: Mapping[str, Handler] = {
            "get_span": self.get_span,
            "list_prompt_versions": self.list_prompt_versions,
            "list_replays": self.list_replays,
            "list_jobs": self.list_jobs,
            "get_job": self.get_job,
            "list_traces": self.list_traces,
            "get_baseline": self.get_baseline,
            "export_traces": self.export_traces,
            "get_trace": self.get_trace,
            "get_graph": self.get_graph,
            "list_sessions": self.list_sessions,
            "export_trace": self.export_trace,
            "search": self.search,
            "get_stats": self.get_stats,
            "get_trends": self.get_trends,
            "get_top_costs": self.get_top_costs,
            "get_top_duration": self.get_top_duration,
            "query_health": self.health,
            "changes": self.changes,
        }
        return Application(owned_by("query"), handlers)

    # ------------------------------------------------------------ spans and traces

    async def get_span(self, call: Call) -> Reply:
        span_id = require_id(call.path["span_id"], "Span")
        return _json(await self._points.read(spans.read_span, span_id, call.query.trace_id))

    async def list_prompt_versions(self, call: Call) -> Reply:
        span_id = require_id(call.path["span_id"], "Span")
        return _json(await self._points.read(spans.read_prompt_versions, span_id, call.query.trace_id))

    async def list_replays(self, call: Call) -> Reply:
        span_id = require_id(call.path["span_id"], "Span")
        return _json(await self._points.read(replays.list_replays, span_id, call.query))

    async def list_jobs(self, call: Call) -> Reply:
        return _json(await self._points.read(jobs.list_jobs, call.query))

    async def get_job(self, call: Call) -> Reply:
        return _json(await self._points.read(jobs.read_job, require_id(call.path["job_id"], "Job")))

    async def list_traces(self, call: Call) -> Reply:
        filters.check(call.query)
        condition = filters.where(call.query, time.time_ns())
        page = await self._points.read(traces.list_traces, call.query, condition)
        if page is None:
            page = await _while_asked(call, self._walks.walk(traces.walk_traces, call.query, condition))
        return _json(page)

    async def get_baseline(self, call: Call) -> Reply:
        return _json(await _while_asked(call, self._walks.walk(traces.read_baseline, call.query.exclude)))

    async def get_trace(self, call: Call) -> Reply:
        trace_id = require_id(call.path["trace_id"], "Trace")
        light = call.query.fields == "light"
        known = [tag.strip() for tag in call.headers.get(b"if-none-match", b"").decode("latin-1").split(",")]
        detail = await self._points.read(spans.read_detail, trace_id, light, known)
        headers = [(b"etag", detail.etag.encode())]
        if detail.too_large:
            return await _streamed(self._export().detail(trace_id, light))
        if detail.chunks is None:
            return Reply(304, headers=headers)
        return Reply(chunks=detail.chunks, headers=headers)

    async def get_graph(self, call: Call) -> Reply:
        return _json(await self._points.walk(graph.read_graph, require_id(call.path["trace_id"], "Trace")))

    async def list_sessions(self, call: Call) -> Reply:
        return _json(await _while_asked(call, self._walks.walk(sessions.list_sessions, call.query)))

    # ------------------------------------------------------------ exports

    async def export_trace(self, call: Call) -> Reply:
        form = call.query.format
        if form not in ("json", "otel", "csv"):
            raise BadRequest(f"Format {form[:60]!r} is not known; ask for json, otel or csv.")
        trace_id = require_id(call.path["trace_id"], "Trace")
        export = self._export()
        if form == "json":
            return await _streamed(export.beacon_json(trace_id))
        if form == "otel":
            return await _streamed(export.otlp_json(trace_id))
        return await _streamed(export.csv(trace_id), *export.csv_headers(trace_id))

    async def export_traces(self, call: Call) -> Reply:
        form = call.query.format
        if form != "json":
            raise BadRequest(f"Several traces are exported as json only, not {form[:60]!r}.")
        # each once, in the order asked for
        trace_ids = list(dict.fromkeys(part for part in call.query.trace_ids.split(",") if part))
        if not 1 <= len(trace_ids) <= EXPORT_TRACES_MAX:
            wrong = f"names {len(trace_ids)} traces; 1 to {EXPORT_TRACES_MAX} can be exported at once"
            raise Invalid(f"query.trace_ids: {wrong}.", [("query.trace_ids", wrong)])
        return await _streamed(self._export().beacon_json_of_several(trace_ids))

    def _export(self) -> Exports:
        if self._exports is None:
            # 3 MB that most runs never need
            from query.export.streams import Exports

            self._exports = Exports(self._path)
        return self._exports

    # ------------------------------------------------------------ search and figures

    async def search(self, call: Call) -> Reply:
        asked = parse(call.query.q, time.time_ns())
        return _json(await _while_asked(call, self._walks.walk(search.search, call.query, asked)))

    async def get_stats(self, call: Call) -> Reply:
        return _json(await self._points.read(figures.read_stats, self._path))

    async def get_trends(self, call: Call) -> Reply:
        read = self._walks.walk(figures.read_trends, call.query, time.time_ns())
        return _json(await _while_asked(call, read))

    async def get_top_costs(self, call: Call) -> Reply:
        return _json(await _while_asked(call, self._walks.walk(figures.read_top_costs, call.query.limit)))

    async def get_top_duration(self, call: Call) -> Reply:
        return _json(await _while_asked(call, self._walks.walk(figures.read_top_duration, call.query.limit)))

    # ------------------------------------------------------------ between the processes

    async def changes(self, call: Call) -> Reply:
        packed = await self._points.read(changes.read_changes, call.query.after)
        return Reply(chunks=(packed,), content_type=b"application/msgpack")

    async def health(self, call: Call) -> Reply:
        """200 when a read works; every reason why it does not is a 503 by the reader's own errors."""
        seq = await self._points.read(lambda db: db.execute("SELECT seq FROM counters").fetchone()[0])
        return _json(b'{"status":"ok","seq":%d}' % seq)


def _json(body: bytes) -> Reply:
    return Reply(chunks=(body,))


async def _while_asked(call: Call, read: Coroutine[Any, Any, T]) -> T:
    """What `read` gives; stopped when the client goes away before it is done. Raises `Disconnected` then."""
    reading = asyncio.ensure_future(read)
    gone = asyncio.ensure_future(call.disconnected())
    try:
        await asyncio.wait((reading, gone), return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            raise Disconnected
        return await reading
    finally:
        reading.cancel()
        gone.cancel()


async def _streamed(
    pieces: AsyncGenerator[bytes | bytearray, None],
    content_type: bytes = b"application/json",
    headers: list[tuple[bytes, bytes]] | None = None,
) -> Reply:
    """An answer of `pieces`: whole when it ends within FIRST_BYTES, else begun with them and streamed on."""
    first: list[bytes | bytearray] = []
    size = 0
    async for piece in pieces:
        first.append(piece)
        size += len(piece)
        if size >= FIRST_BYTES:
            return Reply(chunks=first, content_type=content_type, headers=headers or [], stream=pieces)
    return Reply(chunks=first, content_type=content_type, headers=headers or [])
