"""A bug on the writer's thread: who waits is answered, and the process is told to end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from beacon.errors import StoreBusy
from ingest import database as module
from ingest.decode import decode_spans
from ingest.writer import Writer

BODY = b'{"spans":[{"span_id":"s","trace_id":"t","span_type":"custom","name":"n","start_time":1}]}'


def test_who_waits_is_answered_and_the_failure_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: object) -> None:
        raise TypeError("a bug that no rule foresees")

    monkeypatch.setattr(module, "upgrade", bug)

    async def check() -> None:
        writer = Writer(tmp_path / "t.db", "normal", lambda commit: None, lambda epoch, seq: None)
        writer.start()
        async with asyncio.timeout(10):
            assert isinstance(await asyncio.shield(writer.failed), TypeError)
            decoded = decode_spans(BODY)
            with pytest.raises(StoreBusy, match="has failed"):
                await writer.submit(decoded.arrivals, 1)
            await writer.close()

    asyncio.run(check())
