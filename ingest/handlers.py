"""The operations ingest owns, each a handler: check, queue for the writer, answer after COMMIT."""

from __future__ import annotations

import asyncio

from beacon.contract.operations import owned_by
from beacon.contract.records import DeletedCount, SpanAnnotations, SpanError, SpansAccepted, TraceTags
from beacon.contract.requests import DeleteTraces, PutAnnotations, PutTags
from beacon.contract.units import ns_from_seconds
from beacon.errors import Invalid
from beacon.web import Application, Call, Handler, Reply, json_reply
from beacon.web.reply import ERRORS_SHOWN
from ingest.decode import Decoded, decode_in_slices
from ingest.imports import decode_import, import_trace
from ingest.notes import create_prompt_version, put_annotations
from ingest.traces import delete_older, delete_some, delete_trace, put_tags
from ingest.workers import Workers
from ingest.writer import Writer


def application(*groups: object) -> Application:
    """Every operation of ingest, answered by the method of its name of one of `groups`. Raises ValueError when none of
    them has it, or two."""
    operations = owned_by("ingest")
    handlers: dict[str, Handler] = {}
    for operation in operations:
        found = [getattr(group, operation.name) for group in groups if hasattr(group, operation.name)]
        if len(found) != 1:
            raise ValueError(f"{len(found)} handlers for {operation.name}")
        handlers[operation.name] = found[0]
    return Application(operations, handlers)


class SpanHandlers:
    """Spans, traces and what people add to them, over the writer; and whether it can write."""

    def __init__(self, writer: Writer, workers: Workers) -> None:
        self._writer = writer
        self._workers = workers

    async def post_spans(self, call: Call) -> Reply:
        decoded = Decoded([], [])
        for _ in decode_in_slices(call.body, decoded):
            await asyncio.sleep(0)  # a large body lets others in between its slices
        size = len(call.body)
        call.body = None
        errors = decoded.errors
        accepted = 0
        if decoded.arrivals:
            stored = await self._writer.submit(decoded.arrivals, size)
            accepted = stored.accepted
            errors = errors + stored.errors
        if not errors:
            return Reply(200, (b'{"accepted":%d,"rejected":0}' % accepted,))
        errors.sort(key=lambda e: e.index)
        if not accepted:
            raise Invalid(_none_valid(errors), [(e.loc, e.msg) for e in errors])
        return json_reply(SpansAccepted(accepted, len(errors), errors[:ERRORS_SHOWN]))

    async def put_annotations(self, call: Call) -> Reply:
        body: PutAnnotations = call.body
        span_id = call.path["span_id"]
        await self._writer.run(put_annotations(span_id, call.query.trace_id, body.annotations))
        return json_reply(SpanAnnotations(span_id, body.annotations))

    async def create_prompt_version(self, call: Call) -> Reply:
        command = create_prompt_version(
            call.path["span_id"], call.query.trace_id, call.body.prompt_text, call.body.label
        )
        return json_reply(await self._writer.run(command), 201)

    async def put_tags(self, call: Call) -> Reply:
        body: PutTags = call.body
        trace_id = call.path["trace_id"]
        await self._writer.run(put_tags(trace_id, body.tags))
        return json_reply(TraceTags(trace_id, body.tags))

    async def delete_trace(self, call: Call) -> Reply:
        return json_reply(DeletedCount(await self._writer.run(delete_trace(call.path["trace_id"]))))

    async def delete_traces(self, call: Call) -> Reply:
        body: DeleteTraces = call.body
        if body.trace_ids is None and body.older_than is None:
            raise Invalid(
                "Say which traces: trace_ids (a list), older_than (epoch seconds), or both.",
                [("body", "trace_ids or older_than is required")],
            )
        deleted = 0
        ids = list(dict.fromkeys(body.trace_ids or ()))
        while ids:
            deleted += await self._writer.run(delete_some(ids))
        if body.older_than is not None:
            older_than_ns = ns_from_seconds(min(body.older_than, 9.2e9))
            while some := await self._writer.run(delete_older(older_than_ns)):
                deleted += some
        return json_reply(DeletedCount(deleted))

    async def import_trace(self, call: Call) -> Reply:
        export, arrivals = await decode_import(call.body)
        size = len(call.body)
        call.body = None
        return json_reply(await self._writer.run(import_trace(export, arrivals), size))

    async def ingest_health(self, call: Call) -> Reply:
        if self._writer.state is not None:
            raise self._writer.state
        return json_reply({"status": "ok", "workers": self._workers.count()})

    async def put_worker(self, call: Call) -> Reply:
        self._workers.seen(call.path["worker_id"])
        return json_reply({"workers": self._workers.count()})


def _none_valid(errors: list[SpanError]) -> str:
    first = f"{errors[0].loc}: {errors[0].msg}."
    return first if len(errors) == 1 else f"None of the {len(errors)} spans is valid; the first: {first}"
