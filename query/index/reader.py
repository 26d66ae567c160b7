"""What a search asks the index: which spans of a range have its texts, and of which that is not certain."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from query.index.file import Meta, Segment, open_reader, read_meta, read_segments, remove, tells_of_a_broken_file
from query.index.segment import spans_with, words_with
from query.index.words import NOT_VERBATIM, Piece, pieces

log = logging.getLogger("beacon.query")


class IndexUnreadable(Exception):
    """The index cannot be read; every span can. `broken`: and never will be."""

    def __init__(self, error: sqlite3.Error) -> None:
        super().__init__(str(error))
        self.broken = tells_of_a_broken_file(error)


class Needle(NamedTuple):
    """A case-folded text that is looked for, in its pieces; `absent`: that a hit must not have. `is_word`: it has no
    separator, so that a span has it exactly when one of its words has it."""

    pieces: tuple[Piece, ...]
    is_word: bool
    absent: bool

    @classmethod
    def of(cls, folded: str, *, absent: bool = False) -> Needle:
        parts = tuple(pieces(folded))
        return cls(parts, len(parts) == 1 and parts[0].text == folded, absent)


class Rows(NamedTuple):
    """span_rows: of `sure` ones it is known that every text is as asked; `doubtful` ones have to be looked at, the
    `verbatim` among them with less trouble (query.matching.is_verbatim); no other span is a hit."""

    sure: set[int]
    doubtful: set[int]
    verbatim: set[int]


NONE = Rows(set(), set(), set())


class Outside(NamedTuple):
    """span_rows. `recent` count by their own words, whatever a segment says; `sure` and `doubtful` as in Rows, of all
    spans; the doubtful ones are so whatever a segment says, too."""

    recent: set[int]
    sure: set[int]
    doubtful: set[int]


class Index:
    """The index beside a database, as searches use it: there or not, whole or not. One a process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._idle: list[tuple[int, sqlite3.Connection]] = []
        self._told = False

    @contextlib.contextmanager
    def open(self) -> Iterator[IndexSnapshot | None]:
        """The index as it is at this moment; None while there is none. Raises `IndexUnreadable`."""
        connection = self._take()
        if connection is None:
            yield None
            return
        inode, db = connection
        try:
            with _reading():
                db.execute("BEGIN")
                meta = read_meta(db)
                snapshot = None if meta is None else IndexSnapshot(db, meta)
            yield snapshot
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        with self._lock:
            self._idle.append((inode, db))

    def spans(self, epoch: str) -> int:
        """How many spans of database `epoch` are in it."""
        try:
            with self.open() as snapshot:
                return 0 if snapshot is None or snapshot.epoch != epoch else snapshot.span_count()
        except IndexUnreadable as e:
            self.failed(e)
            return 0

    def failed(self, error: IndexUnreadable) -> None:
        """Say once that it cannot be read. A broken one is removed: its keeper, which may never read what is broken,
        makes it anew when it is gone."""
        if error.broken:
            remove(self._path)
        if not self._told:
            log.warning("the search index cannot be read, searches read every span meanwhile: %s", error)
        self._told = True

    def close(self) -> None:
        with self._lock:
            for _, db in self._idle:
                db.close()
            self._idle.clear()

    def _take(self) -> tuple[int, sqlite3.Connection] | None:
        try:
            inode = self._path.stat().st_ino
        except OSError:
            return None
        with self._lock:
            idle, self._idle = self._idle, []
            for other in idle:
                if other[0] == inode:
                    self._idle.append(other)
                else:
                    other[1].close()
            if self._idle:
                return self._idle.pop()
        try:
            return inode, open_reader(self._path)
        except sqlite3.Error as e:
            self.failed(IndexUnreadable(e))
            return None


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as e:
        raise IndexUnreadable(e) from e


class IndexSnapshot:
    """The index at one moment. Its methods raise `IndexUnreadable`."""

    def __init__(self, db: sqlite3.Connection, meta: Meta) -> None:
        self._db = db
        self.epoch = meta.epoch
        self.seq = meta.seq
        self.top = meta.top
        self.segments = read_segments(db)

    def span_count(self) -> int:
        """Spans in it."""
        last = self.segments[-1].high if self.segments else 0
        with _reading():
            (after,) = self._db.execute("SELECT count(*) FROM recent WHERE span_row > ?", (last,)).fetchone()
        return sum(segment.span_count for segment in self.segments) + int(after)

    def outside(self, needles: Sequence[Needle]) -> Outside:
        """What is known of the spans that do not, or not alone, count by a segment."""
        conditions = ["1"]
        values: list[str] = []
        for needle in needles:
            if needle.absent and not needle.is_word:
                continue
            conditions += [f"instr(words, ?) {'= 0' if needle.absent else '> 0'}"] * len(needle.pieces)
            values += [piece.text for piece in needle.pieces]
        with _reading():
            found = self._rows(f"SELECT span_row FROM recent WHERE {' AND '.join(conditions)}", *values)
            unsure = self._rows("SELECT span_row FROM unsure")
            recent = self._rows("SELECT span_row FROM recent")
        exact = all(needle.is_word for needle in needles)
        sure = found if exact else set()
        return Outside(recent, sure, unsure if exact else unsure | found)

    def in_segment(self, segment: Segment, needles: Sequence[Needle]) -> Rows:
        """The spans of a segment that fit the needles, those among them whose words have changed since. One needle that
        is not `absent` has to have pieces."""
        with _reading():
            found: set[int] | None = None
            for needle in sorted(needles, key=lambda needle: needle.absent):
                if not needle.pieces or (needle.absent and not needle.is_word):
                    continue
                rows = self._with(segment, needle)
                if found is None:
                    found = rows
                elif needle.absent:
                    found -= rows
                else:
                    found &= rows
                if not found:
                    return NONE
            assert found is not None
            if all(needle.is_word for needle in needles):
                return Rows(found, set(), set())
            not_verbatim = set().union(*spans_with(self._db, segment.number, iter((NOT_VERBATIM,))))
            return Rows(set(), found, found - not_verbatim)

    def some_in_segment(self, segment: Segment, needle: Needle) -> Iterator[set[int]]:
        """Spans that have a word, more and more of them: for counting that ends before all are known. A span may come
        twice."""
        (piece,) = needle.pieces
        with _reading():
            yield from spans_with(self._db, segment.number, words_with(self._db, segment.number, piece))

    def _with(self, segment: Segment, needle: Needle) -> set[int]:
        """Spans of the segment that have every piece of the needle."""
        found: set[int] | None = None
        # the longest first: where it is nowhere, the others need not be looked for
        for piece in sorted(needle.pieces, key=lambda piece: len(piece.text), reverse=True):
            rows: set[int] = set()
            for some in spans_with(self._db, segment.number, words_with(self._db, segment.number, piece)):
                rows |= some
                if len(rows) == segment.span_count:
                    break
            found = rows if found is None else found & rows
            if not found:
                break
        return found or set()

    def _rows(self, sql: str, *values: str) -> set[int]:
        return {row for (row,) in self._db.execute(sql, values)}
