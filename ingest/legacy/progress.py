"""Shows how far a migration is: a callback some times a second, a line in the log each second."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

log = logging.getLogger(__name__)

SHOW_S = 0.1
LINE_S = 1.0

INSTRUCTIONS = 50_000
"""Of SQLite's virtual machine between two beats while one long statement runs: a few milliseconds."""


class Progress:
    """`shown(done, total)` counts spans; it is called at most every SHOW_S, and may raise to stop the migration.

    `doing` says what is going on when it is not spans that are counted: "backing up traces.db".
    """

    def __init__(
        self,
        name: str,
        shown: Callable[[int, int], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._shown = shown
        self._clock = clock
        self._next_show = self._next_line = clock()
        self._doing = ""
        self._of_doing = ""
        self.done = 0
        self.total = 0

    def start(self, total: int) -> None:
        self.total = total
        self._shown(0, total)

    def doing(self, what: str) -> None:
        """From now on this is done, and no spans are counted."""
        self._doing, self._of_doing = what, ""
        self.beat()

    def share(self, done: int, total: int) -> None:
        """How far that is, in whatever unit."""
        self._of_doing = f" ({100 * done // max(total, 1)} %)"
        self.beat()

    def spans(self, done: int) -> None:
        """`done` spans are written."""
        self._doing, self.done = "", done
        self.beat()

    def end(self) -> None:
        self._shown(self.done, self.total)

    def beat(self) -> None:
        now = self._clock()
        if now >= self._next_show:
            self._next_show = now + SHOW_S
            self._shown(self.done, self.total)
        if now >= self._next_line:
            self._next_line = now + LINE_S
            log.info("%s", self._line())

    @contextmanager
    def during(self, db: sqlite3.Connection) -> Iterator[None]:
        """Beat while statements of `db` run, however long one takes."""
        stopped: list[BaseException] = []

        def beat() -> int:
            try:
                self.beat()
            except BaseException as e:
                stopped.append(e)
                return 1
            return 0

        db.set_progress_handler(beat, INSTRUCTIONS)
        try:
            yield
        except sqlite3.OperationalError:
            if stopped:
                raise stopped[0] from None
            raise
        finally:
            db.set_progress_handler(None, 0)

    def _line(self) -> str:
        if self._doing:
            return f"{self._doing} {self._name}{self._of_doing}"
        return (
            f"migrating {self._name}: {self.done:,} of {self.total:,} spans ({100 * self.done // max(self.total, 1)} %)"
        )
