"""GET /v1/search: newest first, in slices; exact at every moment.

What the index (query/index/) covers is asked of it; a span that it does not cover, that has changed since, or of which
it is not sure, is looked at (query/scan.py). Without an index that is every span.
"""

from __future__ import annotations

import functools
import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TypeVar

from beacon.contract.records import SearchHit, SearchPage, encode
from beacon.contract.requests import Search
from beacon.store.landing import staged_ranges
from query.index.file import Segment
from query.index.reader import NONE, Index, IndexSnapshot, IndexUnreadable, Needle, Rows
from query.scan import Found, Scan, Wanted, heads
from query.terms import Asked
from query.walk import Walk

T = TypeVar("T")

TOTAL_MAX = 10_000
"""Hits counted exactly; above it the search ends with the page and says "gte"."""

SLICE_SPANS = 1_024
"""Spans in the first slice of a scan; the next ones follow what it took."""

HEADS_FIRST = 16_384
"""Spans to scan from which on the names of all traces are looked through first: 30 ms for 80,000."""

SLICE_ROWS = 256
"""Spans in the first slice of those the index names."""


def search(walk: Walk, q: Search, asked: Asked, index: Index) -> bytes:
    """The page of hits as JSON. Spans stored after the search began are not looked at."""
    try:
        with index.open() as snapshot:
            return _search(walk, q, asked, snapshot)
    except IndexUnreadable as e:
        index.failed(e)
        return _search(walk, q, asked, None)


def _search(walk: Walk, q: Search, asked: Asked, index: IndexSnapshot | None) -> bytes:
    wanted = Wanted.of(asked)
    needles = [Needle.of(text.folded, absent=text.negated) for text in asked.texts]
    if not any(needle.pieces and not needle.absent for needle in needles):
        index = None  # it has no words to ask for
    with walk.snapshot() as db:
        epoch, top_trace, top_span = db.execute(
            "SELECT epoch, next_trace_row - 1, next_span_row - 1 FROM counters"
        ).fetchone()
        if index is not None and index.epoch != epoch:
            index = None
        changed = _changed(db, index) if index is not None else set()
        staged = bool(staged_ranges(db))
    covered = index.top if index is not None else 0
    hits = _Hits(q.offset, q.limit)
    names = heads(walk, top_trace, wanted) if top_span - covered > HEADS_FIRST else None
    scan = Scan(wanted, names, staged=staged)

    def read(db: sqlite3.Connection, low: int, high: int) -> tuple[int, list[Found]]:
        if hits.page_is_full:
            return scan.count_slice(db, low, high), []
        found = scan.slice(db, low, high)
        return len(found), found[hits.window]

    for count, shown in walk.descend(top_span, read, size=SLICE_SPANS, bottom=covered):
        hits.take(count, shown)
        if hits.done:
            break
    if index is not None and not hits.done:
        _Indexed(walk, scan, index, needles, changed, hits).search(texts_decide=not wanted.fields.sql)
    texts = [text.text for text in asked.texts if not text.negated]
    more = hits.total > TOTAL_MAX
    return encode(SearchPage(hits.page, min(hits.total, TOTAL_MAX), "gte" if more else "eq", texts))


def _changed(db: sqlite3.Connection, index: IndexSnapshot) -> set[int]:
    """Spans that the index covers and that have changed since."""
    rows = db.execute(
        "SELECT span_row FROM spans WHERE seq > ? AND seq > created_seq AND span_row <= ?", (index.seq, index.top)
    )
    return {row for (row,) in rows}


class _Hits:
    """The page, and how many hits there were."""

    def __init__(self, offset: int, limit: int) -> None:
        self._offset = offset
        self._end = offset + limit
        self.page: list[SearchHit] = []
        self.total = 0

    @property
    def window(self) -> slice:
        """Which of the next hits are shown."""
        return slice(max(0, self._offset - self.total), max(0, self._end - self.total))

    @property
    def page_is_full(self) -> bool:
        return self.total >= self._end

    @property
    def done(self) -> bool:
        return self.total > TOTAL_MAX and self.page_is_full

    def take(self, count: int, shown: list[Found]) -> None:
        """`count` hits, of which the `window` are `shown`."""
        self.page += [hit.record() for hit in shown]
        self.total += count


class _Indexed:
    """The part of a search that the index covers."""

    def __init__(
        self, walk: Walk, scan: Scan, index: IndexSnapshot, needles: list[Needle], changed: set[int], hits: _Hits
    ) -> None:
        self._walk = walk
        self._scan = scan
        self._index = index
        self._needles = needles
        self._hits = hits
        outside = index.outside(needles)
        self._doubtful = outside.doubtful | changed
        self._sure = outside.sure - changed
        self._not_by_segment = outside.recent | self._doubtful
        self._others = sorted(self._sure | self._doubtful)

    def search(self, *, texts_decide: bool) -> None:
        """Take every hit, until there are enough. `texts_decide`: a stored span that has the texts is a hit."""
        index = self._index
        simple = texts_decide and len(self._needles) == 1 and self._needles[0].is_word
        high = index.top
        for segment in reversed(index.segments):
            self._take(NONE, segment.high, high)
            high = segment.high
            if self._hits.done or (simple and self._hits.page_is_full and self._count_past_the_end(segment)):
                return
            self._take(index.in_segment(segment, self._needles), segment.low, segment.high)
            high = segment.low
        self._take(NONE, 0, high)

    def _count_past_the_end(self, segment: Segment) -> bool:
        """Whether the segment has so many hits that they need not be counted; `total` says so then."""
        needed = TOTAL_MAX + 1 - self._hits.total
        if segment.span_count < needed:
            return False
        seen: set[int] = set()
        for some in self._index.some_in_segment(segment, self._needles[0]):
            seen |= some - self._not_by_segment
            if len(seen) >= needed:
                there = sum(map(len, self._slices(sorted(seen), self._scan.there, size=4_096)))
                if there >= needed:
                    self._hits.take(there, [])
                    return True
        return False

    def _take(self, found: Rows, low: int, high: int) -> None:
        """Take the hits of (low, high]; `found` is what the segment says of them."""
        by_segment = (found.sure | found.doubtful) - self._not_by_segment
        others = self._others[bisect_right(self._others, low) : bisect_right(self._others, high)]
        doubtful = found.doubtful | self._doubtful
        verbatim = found.verbatim - self._not_by_segment
        rows = sorted(by_segment.union(others))
        for count, shown in self._slices(rows, functools.partial(self._read, doubtful, verbatim), size=SLICE_ROWS):
            self._hits.take(count, shown)
            if self._hits.done:
                return

    def _slices(self, rows: list[int], read: Callable[[sqlite3.Connection, list[int]], T], size: int) -> Iterator[T]:
        """`read(db, some)` for all of `rows`, the last first, each in a snapshot of its own."""
        return self._walk.descend(len(rows), lambda db, low, high: read(db, rows[low:high]), size=size)

    def _read(
        self, doubtful: set[int], verbatim: set[int], db: sqlite3.Connection, rows: list[int]
    ) -> tuple[int, list[Found]]:
        """How many of `rows` are hits, and those to show."""
        sure = self._scan.there(db, [row for row in rows if row not in doubtful])
        asked = [row for row in rows if row in doubtful and row not in verbatim]
        asked_verbatim = [row for row in rows if row in verbatim]
        if self._hits.page_is_full:
            return len(sure) + self._scan.count(db, asked) + self._scan.count(db, asked_verbatim, verbatim=True), []
        looked = self._scan.look(db, asked) | self._scan.look(db, asked_verbatim, verbatim=True)
        order = sorted([*looked, *sure], reverse=True)
        window = order[self._hits.window]
        looked |= self._scan.look(db, [row for row in window if row not in looked])
        # a span that has changed this moment may be none any more
        shown = [looked[row] for row in window if row in looked]
        return len(order) - len(window) + len(shown), shown
