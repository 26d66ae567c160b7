"""How far something long has come: a bar on a terminal, nothing in a file."""

from __future__ import annotations

import sys
import time

from beacon.cli.words import size

EVERY_S = 0.1
WIDTH = 30


class Bar:
    """Draws on stderr while it is a terminal; use it as a context, after which its line is gone."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown = sys.stderr.isatty()
        self._next = 0.0

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __call__(self, done: int, whole: int) -> None:
        """`done` of `whole` bytes."""
        now = time.monotonic()
        if not self._shown or (now < self._next and done < whole):
            return
        self._next = now + EVERY_S
        print(f"\r{drawn(self._what, done, whole)}\x1b[K", end="", file=sys.stderr, flush=True)


def drawn(what: str, done: int, whole: int) -> str:
    """The line of a bar."""
    share = min(1.0, done / whole) if whole else 1.0
    filled = int(share * WIDTH)
    return f"{what} [{'#' * filled}{'.' * (WIDTH - filled)}] {share:4.0%}  {size(done)} of {size(whole)}"
