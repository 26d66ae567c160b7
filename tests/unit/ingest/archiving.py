"""Archives taken in and made by the real writer, in a test's own process."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import msgspec

from beacon.contract.records import ArchiveImported
from beacon.contract.requests import ImportArchive
from beacon.store.archive import Archive, Choice, header, read_in
from beacon.store.connect import connect_reader
from beacon.web import Call
from ingest.archives.handlers import ArchiveHandlers
from ingest.database import Command, Commit
from ingest.decode import decode_spans
from ingest.spans import Stored
from ingest.writer import Writer

HEADER = header(1.0)


class Desk:
    """A database of a test's own with its writer; `commits` are those that changed something."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.commits: list[Commit] = []
        self._closed = False
        self.runner = asyncio.Runner()
        self.writer, self.archives = self.runner.run(self._made())

    async def _made(self) -> tuple[Writer, ArchiveHandlers]:
        writer = Writer(self.path, "normal", self.commits.append, lambda epoch, seq: None)
        writer.start()
        return writer, ArchiveHandlers(writer)

    def __enter__(self) -> Desk:
        self.run(lambda tx: None)  # it is open
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self.runner.run(self.writer.close())
            self.runner.close()

    def run(self, command: Command, *, staged: bool = False) -> Any:
        return self.runner.run(self.writer.run(command, staged=staged))

    def post(self, *spans: dict[str, Any]) -> int:
        return self.post_text(json.dumps({"spans": spans}).encode())

    def post_text(self, body: bytes) -> int:
        return self.runner.run(self.submit(body)).accepted

    async def submit(self, body: bytes) -> Stored:
        decoded = decode_spans(body)
        assert not decoded.errors
        return await self.writer.submit(decoded.arrivals, len(body))

    def take(
        self,
        chunks: Iterable[bytes],
        *,
        skip_existing: bool = False,
        between: Callable[[int], Awaitable[None]] | None = None,
    ) -> ArchiveImported:
        """Import a body of `chunks`. `between` is awaited before each, when what was read before it is staged."""

        async def take() -> ArchiveImported:
            given = iter([*chunks, None])
            count = 0

            async def receive() -> dict[str, Any]:
                nonlocal count
                if between is not None:
                    await self.writer.run(lambda tx: None)
                    await between(count)
                count += 1
                chunk = next(given)
                return {"type": "http.request", "body": chunk or b"", "more_body": chunk is not None}

            call = Call(Mock(), {}, {}, receive, query=ImportArchive(skip_existing))
            reply = await self.archives.import_archive(call)
            return msgspec.json.decode(b"".join(map(bytes, reply.chunks)), type=ArchiveImported)

        return self.runner.run(take())

    def swept(self) -> None:
        """Wait until nothing is left of imports that were given up."""

        async def sweep() -> None:
            sweeping = asyncio.create_task(self.archives.sweep())
            self.archives.opened()
            async with asyncio.timeout(20):
                while await self.writer.run(lambda tx: tx.db.execute("SELECT count(*) FROM imports").fetchone()[0]):
                    await asyncio.sleep(0.01)
            sweeping.cancel()

        self.runner.run(sweep())

    def export(self, choice: Choice | None = None) -> bytes:
        """The lines but for the first."""
        with closing(connect_reader(self.path)) as db:
            return b"".join(b"".join(line.pieces) for line in Archive(read_in(db), choice or Choice()).lines())

    def rows(self, sql: str, *params: Any) -> list[Any]:
        with closing(sqlite3.connect(self.path)) as db:
            return db.execute(sql, params).fetchall()

    def left_over(self) -> dict[str, int]:
        """Rows of what belongs to no trace, by table."""
        found = {
            "spans": "SELECT count(*) FROM spans WHERE trace_row NOT IN (SELECT trace_row FROM traces)",
            "attributes": "SELECT count(*) FROM span_attributes WHERE span_row NOT IN (SELECT span_row FROM spans)",
            "otel": "SELECT count(*) FROM span_otel WHERE span_row NOT IN (SELECT span_row FROM spans)",
            "origins": "SELECT count(*) FROM trace_origins WHERE trace_row NOT IN (SELECT trace_row FROM traces)",
            "lookup": "SELECT count(*) FROM span_lookup WHERE span_row NOT IN (SELECT span_row FROM spans)",
            "imports": "SELECT count(*) FROM imports",
            "ranges": "SELECT count(*) FROM import_ranges",
            "imported": "SELECT count(*) FROM imported_traces",
            "landing": "SELECT under_way FROM landings",
            "counted": "SELECT abs(trace_count - (SELECT count(*) FROM traces)) "
            "+ abs(span_count - (SELECT count(*) FROM spans)) FROM counters",
        }
        return {name: count for name, sql in found.items() if (count := self.rows(sql)[0][0])}


def line(trace_id: str, *span_ids: str, tags: dict[str, str] | None = None, **fields: Any) -> bytes:
    """A line with spans that have these ids; `fields` are those of each span."""
    spans = [
        {"span_id": one, "trace_id": trace_id, "span_type": "custom", "name": "n", "start_time": 1.5, **fields}
        for one in span_ids or ("s",)
    ]
    trace = {"trace_id": trace_id, "tags": tags or {}, "created_at": 1_700_000_000.25}
    return json.dumps({"version": "1", "format": "beacon", "trace": trace, "spans": spans}).encode() + b"\n"
