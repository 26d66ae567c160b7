"""Reads run as query runs them, on reader threads, from a test that is not asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from query.connections import Connections
from query.readers import Readers

T = TypeVar("T")


class Lane:
    """`read` and `walk` of a Readers, awaited."""

    def __init__(self, runner: asyncio.Runner, readers: Readers) -> None:
        self.runner = runner
        self.readers = readers

    def read(self, fn: Callable[..., T], *args: Any) -> T:
        return self.runner.run(self.readers.read(fn, *args))

    def walk(self, fn: Callable[..., T], *args: Any) -> T:
        return self.runner.run(self.readers.walk(fn, *args))


@contextmanager
def lane(path: Path, threads: int = 1, waiting_max: int = 8) -> Iterator[Lane]:
    with asyncio.Runner() as runner:
        readers = Readers(Connections(path), "test", threads=threads, waiting_max=waiting_max)
        try:
            yield Lane(runner, readers)
        finally:
            runner.run(readers.close())
