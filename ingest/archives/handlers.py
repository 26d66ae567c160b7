"""POST /internal/imports: an archive as one long body, staged as it comes and shown when it is whole; and what is swept
of those that never were."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

from beacon.contract.records import ArchiveImported
from beacon.errors import BadRequest, BeaconError, Invalid, RequestError
from beacon.web import Call, Reply, json_reply
from beacon.web.body import Disconnected
from ingest.archives import staging as staged
from ingest.archives.lines import Lines, check_header, check_spans, read_line
from ingest.archives.staging import OpenTrace, Part, Staging, part_of
from ingest.database import Command
from ingest.decode import Arrival
from ingest.writer import Writer

log = logging.getLogger("beacon.imports")

STEP_SPANS, STEP_BYTES = 320, 1024 * 1024
"""What is staged in one transaction, about: 10 ms, which is what a first acknowledgement waits for it."""

BESIDE_SPANS, BESIDE_BYTES = 96, 320 * 1024
"""The same while agents send spans: 4 ms."""

GIVES_WAY_S = 0.02
"""Most that is rested after a transaction while agents send spans: as long as it took, so that they find the writer,
and a core, free half of the time."""

SLICE_SPANS = 32
"""Spans checked between two turns of the event loop."""

PAUSE_S = 0.01
"""Seconds between two transactions of a sweep: what waits to be written goes first."""

AGAIN_S = 1.0


class ArchiveHandlers:
    """Imports over the writer. `sweep` is to run as long as the process."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._active: set[int] = set()
        self._given_up = asyncio.Event()

    def opened(self) -> None:
        """The database is open: what another process left half is to go."""
        self._given_up.set()

    async def import_archive(self, call: Call) -> Reply:
        staging = Staging(call.query.skip_existing)
        await self._writer.run(staged.begin(staging, self._active))
        try:
            return json_reply(await _Importing(self._writer, staging).read(_body(call)))
        finally:
            self._active.discard(staging.import_row)
            self._given_up.set()

    async def sweep(self) -> None:
        """Delete imports that were given up, again and again."""
        while True:
            await self._given_up.wait()
            self._given_up.clear()
            try:
                for import_row in await self._writer.run(staged.given_up(self._active)):
                    await all_steps(self._writer, staged.sweep(import_row))
            except BeaconError:  # a full disk, say
                await asyncio.sleep(AGAIN_S)
                self._given_up.set()


async def all_steps(writer: Writer, command: Command) -> None:
    """Run `command` until it says that there is no more."""
    more = True
    while more:
        more = await writer.run(command)
        await asyncio.sleep(PAUSE_S)


async def _body(call: Call) -> AsyncIterator[bytes]:
    """The body as it comes. Raises `Disconnected`."""
    while True:
        message = await call.receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        yield bytes(message.get("body", b""))
        if not message.get("more_body", False):
            return


class _Importing:
    """One archive on its way in: a transaction is written while the next lines are read."""

    def __init__(self, writer: Writer, staging: Staging) -> None:
        self._writer = writer
        self._staging = staging
        self._number = 0
        self._trace: OpenTrace | None = None
        self._parts: list[Part] = []
        self._writing: asyncio.Task[None] | None = None
        self._beside = False

    async def read(self, body: AsyncIterator[bytes]) -> ArchiveImported:
        """Take all of it in. Raises `RequestError` for what is wrong with it, with the line."""
        lines = Lines()
        try:
            async for chunk in body:
                for line in self._numbered(lines, chunk):
                    await self._take(line)
            if last := lines.last():
                await self._take(last)
            if not self._number:
                raise BadRequest("The archive is empty: it has not even its first line.")
            if self._trace is not None:
                raise self._wrong("the archive ends in the middle of this trace.")
            await self._write()
            await self._written()
        finally:
            if self._writing is not None:
                self._writing.cancel()
                with contextlib.suppress(BaseException):
                    await self._writing
        return await self._land()

    def _numbered(self, lines: Lines, chunk: bytes) -> list[bytes]:
        try:
            return list(lines.feed(chunk))
        except Invalid as e:
            self._number += 1
            raise self._wrong(e.detail) from e

    async def _take(self, line: bytes) -> None:
        if self._trace is None:  # else it goes on with the line before
            self._number += 1
        if self._number == 1:
            check_header(line)
            return
        if not line.strip():
            return
        try:
            await self._take_trace(line)
        except RequestError as e:
            raise self._wrong(e.detail) from e

    async def _take_trace(self, line: bytes) -> None:
        read = read_line(line)
        trace = self._trace
        if trace is None:
            found = hash(read.trace.trace_id)
            if found in self._staging.trace_rows:
                raise Invalid(f"trace {read.trace.trace_id} stands in this archive twice.")
            self._staging.trace_rows[found] = 0
            trace = OpenTrace(self._number, read.trace)
        elif trace.trace_id != read.trace.trace_id:
            raise Invalid(f"a part of trace {read.trace.trace_id} follows one of {trace.trace_id}.")
        if not read.spans:
            raise Invalid("spans: a trace has at least one span.")
        self._trace = trace if read.more else None
        arrivals: list[Arrival] = []
        left = len(read.spans)
        for arrival in check_spans(read, trace.seen, len(trace.seen)):
            arrivals.append(arrival)
            left -= 1
            if len(arrivals) % SLICE_SPANS == 0:
                await asyncio.sleep(0)
            if len(arrivals) == BESIDE_SPANS or not left:
                self._parts.append(part_of(trace, arrivals, last=not left and not read.more))
                arrivals = []
                if self._enough():
                    await self._write()

    def _enough(self) -> bool:
        spans = sum(len(part.spans) for part in self._parts)
        size = sum(part.size for part in self._parts)
        if self._beside:
            return spans >= BESIDE_SPANS or size >= BESIDE_BYTES
        return spans >= STEP_SPANS or size >= STEP_BYTES

    async def _write(self) -> None:
        """Have what was read written, when what was read before is."""
        await self._written()
        if self._parts:
            parts, self._parts = self._parts, []
            self._writing = asyncio.create_task(self._stage(parts))

    async def _stage(self, parts: list[Part]) -> None:
        size = sum(part.size for part in parts)
        before, began = self._writer.submitted, time.monotonic()
        await self._writer.run(staged.stage(self._staging, parts), size, staged=True)
        self._beside = self._writer.submitted != before
        if self._beside:
            await asyncio.sleep(min(GIVES_WAY_S, time.monotonic() - began))

    async def _written(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    async def _land(self) -> ArchiveImported:
        staging = self._staging
        while staging.trace_count:
            decided = self._writer.land(staged.decide(staging), staging.trace_rows.keys())
            conflicts = list(await asyncio.shield(decided))
            if not conflicts:
                break
            for trace_row in conflicts:
                await all_steps(self._writer, staged.take_out(staging, trace_row))
        log.info("imported %d traces, %d spans", staging.trace_count, staging.span_count)
        return ArchiveImported(staging.trace_count, staging.span_count, staging.skipped)

    def _wrong(self, what: str) -> Invalid:
        said = what if what.startswith("Line ") else f"Line {self._number}: {what}"
        return Invalid(f"{said} Nothing was imported." if "othing was imported" not in said else said)
