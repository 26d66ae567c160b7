"""One segment: the words of a range of spans as an FTS5 table, and its vocabulary to look through.

FTS5 knows which spans have a word; which words hold a text, its own tables would tell in 0.1 s a segment, and a search
through them as bytes (query/index/vocabulary.py) tells in less than a millisecond.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from query.index import vocabulary
from query.index.vocabulary import BLOCKS_MAX, MASKED_BYTES, blocks_of, mask_at, masks_of, places
from query.index.words import TOKENIZER, Piece

ASKED_AT_ONCE = 128
"""Words in one question to FTS5."""


def create(db: sqlite3.Connection, number: int) -> None:
    """Make the table of segment `number`, empty."""
    db.execute(
        f"CREATE VIRTUAL TABLE words_{number} USING fts5("
        f"words, content='', detail=none, columnsize=0, tokenize=\"{TOKENIZER}\")"
    )
    # its memory for words on their way; 1 MiB of it had to be merged too often
    db.execute(f"INSERT INTO words_{number} (words_{number}, rank) VALUES ('hashsize', 8388608)")


def add(db: sqlite3.Connection, number: int, rows: Iterable[tuple[int, str]]) -> None:
    """Take spans in: (span_row, words), ascending."""
    db.executemany(f"INSERT INTO words_{number} (rowid, words) VALUES (?, ?)", rows)


def seal(db: sqlite3.Connection, number: int) -> None:
    """Bring it into the form it is read in: one b-tree, and the vocabulary, words of many spans first."""
    db.execute(f"INSERT INTO words_{number} (words_{number}) VALUES ('optimize')")
    db.execute(f"CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, words_{number}, row)")
    try:
        blocks = blocks_of(word for (word,) in db.execute("SELECT term FROM temp.vocabulary ORDER BY doc DESC"))
    finally:
        db.execute("DROP TABLE temp.vocabulary")
    db.executemany("INSERT INTO vocabularies VALUES (?, ?, ?)", [(number, i, block) for i, block in enumerate(blocks)])
    if sum(map(len, blocks)) >= MASKED_BYTES:
        parts = masks_of(blocks)
        db.executemany("INSERT INTO masks VALUES (?, ?, ?)", [(number, i, part) for i, part in enumerate(parts)])


def drop(db: sqlite3.Connection, number: int) -> None:
    """Remove it, and what is said of it."""
    db.execute("DELETE FROM masks WHERE segment = ?", (number,))
    db.execute("DELETE FROM vocabularies WHERE segment = ?", (number,))
    db.execute("DELETE FROM segments WHERE segment = ?", (number,))
    db.execute(f"DROP TABLE IF EXISTS words_{number}")


def words_with(db: sqlite3.Connection, number: int, piece: Piece) -> Iterator[str]:
    """The words of the segment that hold, begin with, end with or are `piece`; those of many spans first."""
    mask = -1
    for part, place in places(piece):
        row = db.execute("SELECT masks FROM masks WHERE segment = ? AND part = ?", (number, part)).fetchone()
        if row is None:
            break
        mask &= mask_at(row[0], place)
        if not mask:
            return
    if mask == -1:
        blocks = db.execute("SELECT words FROM vocabularies WHERE segment = ? ORDER BY block", (number,))
    else:
        numbers = ", ".join(str(i) for i in range(BLOCKS_MAX) if mask >> i & 1)
        blocks = db.execute(
            f"SELECT words FROM vocabularies WHERE segment = ? AND block IN ({numbers}) ORDER BY block", (number,)
        )
    for (block,) in blocks:
        yield from vocabulary.words_with(block, piece)


def spans_with(db: sqlite3.Connection, number: int, words: Iterator[str]) -> Iterator[set[int]]:
    """The span_rows that have any of `words`: a set for each ASKED_AT_ONCE of them, which may share rows."""
    sql = f"SELECT rowid FROM words_{number} WHERE words_{number} MATCH ?"
    while some := [f'"{word}"' for _, word in zip(range(ASKED_AT_ONCE), words, strict=False)]:
        yield {row for (row,) in db.execute(sql, (" OR ".join(some),))}
