"""What the writer remembers of the file between transactions, so that it need not read it each time."""

from __future__ import annotations

from ingest.nesting import Shapes

ORIGINS_MAX = 256
PAIRS_MAX = 4_096


class Kept:
    """True only while every transaction it was told of is committed: cleared when one is rolled back, and when a
    database is opened."""

    def __init__(self) -> None:
        self.shapes = Shapes()
        self.origins: dict[tuple[str, str], int] = {}
        """(resource, scope) to origin_row."""
        self.pairs: set[tuple[int, int]] = set()
        """Rows of trace_origins that are there."""
        self.has_contents: bool | None = None
        """Whether any content is stored; None until somebody has looked."""

    def clear(self) -> None:
        self.shapes.clear()
        self.origins.clear()
        self.pairs.clear()
        self.has_contents = None
