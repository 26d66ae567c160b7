"""When a server stops."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn

from beacon.web.server import serve_unix


@pytest.fixture
def handlers_kept() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers_kept")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_before_uvicorn_looks_for_it_is_not_lost(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures = uvicorn.Server.capture_signals

    @contextlib.contextmanager
    def captures_late(server: uvicorn.Server) -> Iterator[None]:
        signal.raise_signal(number)
        with captures(server):
            yield

    monkeypatch.setattr(uvicorn.Server, "capture_signals", captures_late)

    async def serve() -> None:
        async with asyncio.timeout(10):
            await serve_unix(None, tmp_path / "s.sock")

    asyncio.run(serve())
