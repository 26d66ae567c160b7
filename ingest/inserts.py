"""Inserting many rows with few statements.

`executemany` gives the interpreter's lock back and takes it again at every row, and each time has to wait for a busy
event loop: decoding and writing then run one after the other. One INSERT of many rows runs without the lock from its
first row to its last.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any

SIZES = (64, 32, 16, 8, 4, 2, 1)
"""Rows a statement takes: few sizes, so that each is prepared once, and few statements for any number of rows. 64 rows
of 21 columns are 1,344 parameters, of 32,766 that SQLite allows."""


class RowInserts:
    """`INSERT INTO table (columns)` for any number of rows: call it with a connection and the rows, as tuples.

    With `update`, a row that is there already gets those columns set anew instead.
    """

    def __init__(self, table: str, columns: Sequence[str], update: Sequence[str] = ()) -> None:
        row = f"({', '.join('?' * len(columns))})"
        head = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
        tail = f" ON CONFLICT DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in update)}" if update else ""
        self._statements = [(size, head + ", ".join([row] * size) + tail) for size in SIZES]

    def __call__(self, db: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        at = 0
        for size, statement in self._statements:
            while len(rows) - at >= size:
                db.execute(statement, tuple(chain.from_iterable(rows[at : at + size])))
                at += size
