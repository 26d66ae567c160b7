"""Keeps the index behind the database, a step at a time: new spans, changed ones, deleted ones."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from beacon.store.landing import begin
from query.index import segment as segments
from query.index.file import Meta, Segment, read_meta, read_segments
from query.index.words import words_of

STEP_SPANS = 512
STEP_BYTES = 16 * 1024 * 1024
"""Of attributes: what one step reads; about 50 ms."""

SMALL = 1_024
"""Spans that become a segment. Until then a search looks through their text, 3 to 4 KB each."""

LARGE = 65_536
"""Spans of a segment that stays. A search looks through the vocabulary of each: 16 for a million spans."""

BUILD_SPANS = 2_048
"""Spans in one transaction while a large segment of new spans is made: small ones cost half as much again."""

CHANGED_PART = 32
CHANGED_MIN = 128
"""A segment is made anew when one span in 32 of it, at least 128, has changed since: until then the text of those is
looked through."""

IDLE_S = 2.0
TINY_MAX = 8
"""Segments of some thousand spans that are merged after so many seconds without a new span."""

FORGET_S = 60.0
"""Seconds after which a segment is made anew for fewer: what the spans held before is in it until then."""

REST = 2
"""After a segment is made anew: how many times as long as that took until the next is."""

_NO_END = 2**62

_SPAN = (
    "SELECT s.span_row, s.seq, s.name, s.error_message, CAST(a.attributes AS BLOB), t.trace_row IS NULL, "
    "CASE WHEN s.span_id = t.head_span_id AND s.name <> t.name THEN t.name END "
    "FROM spans s CROSS JOIN span_attributes a ON a.span_row = s.span_row "
    "LEFT JOIN traces t ON t.trace_row = s.trace_row "
)


class Read(NamedTuple):
    """A span as the index takes it. `sure`: its words are all of it, and nothing else makes it a hit."""

    span_row: int
    seq: int
    words: str
    sure: bool


class Replaced(Exception):
    """The database is another one, or an older copy of itself: the index has to be made anew."""


class Keeper:
    """One index and the database it is made from. Methods raise sqlite3.Error of either."""

    def __init__(self, source: sqlite3.Connection, index: sqlite3.Connection, forget_s: float = FORGET_S) -> None:
        self._source = source
        self._forget_s = forget_s
        self._outdated: dict[int, float] = {}
        self._db = index
        self._build: Build | None = None
        self._looked_for_deleted = False
        self._rebuild_at = 0.0
        self._waits = False
        self._busy_at = time.monotonic()
        self._drop_unfinished()

    @property
    def meta(self) -> Meta:
        meta = read_meta(self._db)
        assert meta is not None
        return meta

    def last_row(self) -> int:
        """The last span_row that was given out."""
        (last,) = self._source.execute("SELECT next_span_row - 1 FROM counters").fetchone()
        return int(last)

    def behind(self) -> tuple[int, int]:
        """(spans that are not in it yet, spans that are), by their row numbers."""
        last = self.last_row()
        top = self._build.at if self._build is not None and self._build.takes_new else self.meta.top
        return max(0, last - top), top

    def step(self) -> bool:
        """Do a part of what there is to do, in some 0.1 s; False when there was nothing. Raises `Replaced`."""
        worked = False
        # while new spans are read by the thousand, what has changed since waits: meta.seq stays where it is
        if self._build is None or not self._build.takes_new:
            worked = self._take_changes()
        if self._build is None:
            self._build = self._next_build()
        if self._build is not None:
            if self._go_on(self._build):
                self._build = None
            return True
        return worked

    # ------------------------------------------------------------ new and changed spans

    def _take_changes(self) -> bool:
        meta = self.meta
        with self._snapshot() as source:
            epoch, seq, last, floor = source.execute(
                "SELECT epoch, seq, next_span_row - 1, tombstone_floor FROM counters"
            ).fetchone()
            if epoch != meta.epoch or seq < meta.seq:
                raise Replaced
            if seq == meta.seq and last == meta.top:
                return False
            changed, all_of_them = self._read(
                "WHERE s.seq > ? AND s.seq > s.created_seq AND s.span_row <= ? ORDER BY s.seq",
                (meta.seq, meta.top),
                STEP_SPANS,
            )
            new, top = ([], meta.top) if not all_of_them else self._read_new(meta.top, last)
            deleted = source.execute("SELECT 1 FROM tombstones WHERE seq > ? LIMIT 1", (meta.seq,)).fetchone()
            gone = self._gone() if deleted is not None or floor > meta.seq else []
        if changed or new:
            self._busy_at = time.monotonic()
        now = Meta(meta.epoch, changed[-1].seq if changed and not all_of_them else seq, top)
        if now == meta:
            return False
        with self._transaction() as db:
            for table in ("recent", "unsure"):
                db.executemany(f"DELETE FROM {table} WHERE span_row = ?", [(row,) for row in gone])
            self._put([*changed, *new])
            self._cut(top)
            db.execute("UPDATE meta SET seq = ?, top = ?", (now.seq, now.top))
        if deleted is not None or floor > meta.seq:
            self._looked_for_deleted = False
        return True

    def _read_new(self, top: int, last: int) -> tuple[list[Read], int]:
        """Spans after row `top`, and up to which row these are all."""
        new, all_of_them = self._read("WHERE s.span_row > ? ORDER BY s.span_row", (top,), STEP_SPANS)
        self._waits = not all_of_them and not new
        if all_of_them:
            return new, last
        return new, new[-1].span_row if new else top

    def _read(self, where: str, values: Sequence[int], limit: int) -> tuple[list[Read], bool]:
        """Spans in the order of their rows, at most `limit`, and whether there are no more."""
        read: list[Read] = []
        size = 0
        rows = self._source.execute(f"{_SPAN} {where} LIMIT ?", (*values, limit))
        for span_row, seq, name, error, attributes, waits, trace_name in rows:
            if waits or size > STEP_BYTES:
                return read, False  # `waits`: an import writes spans first, then their trace
            size += len(attributes)
            words, whole = words_of(name, error, trace_name, attributes)
            read.append(Read(span_row, seq, words, whole and trace_name is None))
        return read, len(read) < limit

    def _gone(self) -> list[int]:
        """Spans of `recent` and `unsure` that are not stored any more."""
        rows = [row for (row,) in self._db.execute("SELECT span_row FROM recent UNION SELECT span_row FROM unsure")]
        there = {
            row
            for (row,) in self._source.execute(
                "SELECT span_row FROM spans WHERE span_row IN (SELECT value FROM json_each(?))", (json.dumps(rows),)
            )
        }
        return [row for row in rows if row not in there]

    def _put(self, spans: Sequence[Read]) -> None:
        self._db.executemany(
            "INSERT OR REPLACE INTO recent VALUES (?, ?, ?)", [(span.span_row, span.seq, span.words) for span in spans]
        )
        self._db.executemany("DELETE FROM unsure WHERE span_row = ?", [(span.span_row,) for span in spans])
        self._db.executemany("INSERT INTO unsure VALUES (?)", [(span.span_row,) for span in spans if not span.sure])

    def _cut(self, top: int) -> None:
        """Make a segment of the spans after the last one, if they are enough."""
        last = max((segment.high for segment in read_segments(self._db)), default=0)
        (count,) = self._db.execute("SELECT count(*) FROM recent WHERE span_row > ?", (last,)).fetchone()
        if count < SMALL:
            return
        number = self._next_number()
        segments.create(self._db, number)
        spans = self._db.execute("SELECT span_row, words FROM recent WHERE span_row > ? ORDER BY span_row", (last,))
        segments.add(self._db, number, spans.fetchall())
        segments.seal(self._db, number)
        self._db.execute("INSERT INTO segments VALUES (?, ?, ?, ?)", (number, last, top, count))
        self._db.execute("DELETE FROM recent WHERE span_row > ?", (last,))

    # ------------------------------------------------------------ large segments, and those made anew

    def _next_build(self) -> Build | None:
        """What is to be made of more than a step's spans; segments without a span are dropped on the way."""
        have = read_segments(self._db)
        last = have[-1].high if have else 0
        if self.behind()[0] >= LARGE and not self._waits:
            return self._begin(last, None, [])
        small = to_merge(have, idle=time.monotonic() >= self._busy_at + IDLE_S)
        if small:
            return self._begin(small[0].low, small[-1].high, small)
        if time.monotonic() < self._rebuild_at:
            return None
        for segment in have:
            (changed,) = self._db.execute(
                "SELECT count(*) FROM recent WHERE span_row > ? AND span_row <= ?", (segment.low, segment.high)
            ).fetchone()
            if not changed:
                self._outdated.pop(segment.number, None)
                continue
            since = self._outdated.setdefault(segment.number, time.monotonic())
            many = changed >= max(CHANGED_MIN, segment.span_count // CHANGED_PART)
            if many or time.monotonic() >= since + self._forget_s:
                return self._begin(segment.low, segment.high, [segment])
        if not self._looked_for_deleted:
            for segment in have:
                (there,) = self._source.execute(
                    "SELECT count(*) FROM spans WHERE span_row > ? AND span_row <= ?", (segment.low, segment.high)
                ).fetchone()
                if there < segment.span_count:
                    return self._begin(segment.low, segment.high, [segment])
            self._looked_for_deleted = True
        return None

    def _begin(self, low: int, high: int | None, replaced: list[Segment]) -> Build:
        (seq,) = self._source.execute("SELECT seq FROM counters").fetchone()
        build = Build(self._next_number(), low, high, min(seq, self.meta.seq), replaced)
        with self._transaction() as db:
            segments.create(db, build.number)
        return build

    def _go_on(self, build: Build) -> bool:
        """Take more spans into it; True when it was the last and the segment is listed."""
        limit = BUILD_SPANS if build.takes_new else STEP_SPANS
        with self._snapshot():
            where = "WHERE s.span_row > ? AND s.span_row <= ? ORDER BY s.span_row"
            spans, ended = self._read(where, (build.at, build.high or _NO_END), limit)
        with self._transaction() as db:
            segments.add(db, build.number, [(span.span_row, span.words) for span in spans])
        build.take(spans)
        if build.takes_new:
            if not ended and build.span_count < LARGE and spans:
                return False
            build.high = build.at
        elif not ended:
            return False
        self._finish(build)
        return True

    def _finish(self, build: Build) -> None:
        bounds = (build.low, build.high)
        with self._transaction() as db:
            for segment in build.replaced:
                segments.drop(db, segment.number)
            # what changed since it was begun may have been read too early
            db.execute("DELETE FROM recent WHERE span_row > ? AND span_row <= ? AND seq <= ?", (*bounds, build.seq))
            kept = "SELECT span_row FROM recent"
            db.execute(f"DELETE FROM unsure WHERE span_row > ? AND span_row <= ? AND span_row NOT IN ({kept})", bounds)
            db.executemany(
                f"INSERT OR IGNORE INTO unsure SELECT ?1 WHERE ?1 NOT IN ({kept})", [(row,) for row in build.unsure]
            )
            if build.span_count:
                segments.seal(db, build.number)
                db.execute("INSERT INTO segments VALUES (?, ?, ?, ?)", (build.number, *bounds, build.span_count))
            else:
                segments.drop(db, build.number)
            if build.takes_new:
                db.execute("UPDATE meta SET top = ?", (build.high,))
        self._db.execute("PRAGMA incremental_vacuum").fetchall()
        if not build.takes_new:
            self._rebuild_at = time.monotonic() + REST * (time.monotonic() - build.began)

    def _next_number(self) -> int:
        return 1 + max(_numbers(self._db), default=0)

    def _drop_unfinished(self) -> None:
        listed = {segment.number for segment in read_segments(self._db)}
        with self._transaction() as db:
            for number in _numbers(db):
                if number not in listed:
                    segments.drop(db, number)

    # ------------------------------------------------------------ transactions

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        try:
            begin(self._source)
            yield self._source
        finally:
            if self._source.in_transaction:
                self._source.execute("COMMIT")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


class Build:
    """A segment on its way, not listed yet: of the spans (low, high], or, `takes_new`, of LARGE spans after `low`."""

    def __init__(self, number: int, low: int, high: int | None, seq: int, replaced: list[Segment]) -> None:
        self.number = number
        self.low = low
        self.high = high
        self.takes_new = high is None
        self.seq = seq
        self.replaced = replaced
        self.at = low
        self.span_count = 0
        self.unsure: list[int] = []
        self.began = time.monotonic()

    def take(self, spans: Sequence[Read]) -> None:
        self.span_count += len(spans)
        self.unsure += [span.span_row for span in spans if not span.sure]
        if spans:
            self.at = spans[-1].span_row


def to_merge(have: Sequence[Segment], *, idle: bool) -> list[Segment]:
    """Neighbours, of `have` as they stand, that should be one segment: small ones that a large one follows; the newest,
    when they make a large one; the newest few thousand spans when there is nothing else to do, `idle`."""
    run: list[Segment] = []
    for segment in have:
        if segment.span_count < LARGE // 2:
            run.append(segment)
            continue
        if len(run) > 1:
            return run
        run = []
    if len(run) > 1 and sum(segment.span_count for segment in run) >= LARGE:
        return run
    tiny = list(itertools.takewhile(lambda segment: segment.span_count < LARGE // 8, reversed(run)))
    return tiny[::-1] if idle and len(tiny) >= TINY_MAX else []


def _numbers(db: sqlite3.Connection) -> list[int]:
    """Of every table of words there is."""
    names = db.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE words%'")
    return [int(name.removeprefix("words_")) for (name,) in names]
