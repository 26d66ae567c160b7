"""Databases of the original layout, made with its own DDL, for the tests of the migration."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

Row = dict[str, Any]

TRACES = (
    "CREATE TABLE traces (trace_id TEXT PRIMARY KEY, name TEXT NOT NULL, start_time REAL NOT NULL, end_time REAL, "
    "span_count INTEGER DEFAULT 0, status TEXT DEFAULT 'unset', tags TEXT DEFAULT '{}', total_cost_usd REAL DEFAULT 0, "
    "total_tokens INTEGER DEFAULT 0, created_at REAL NOT NULL%s)"
)
SPANS = (
    "CREATE TABLE spans (span_id TEXT PRIMARY KEY, trace_id TEXT REFERENCES traces(trace_id) ON DELETE CASCADE, "
    "parent_span_id TEXT, span_type TEXT, name TEXT, status TEXT, error_message TEXT, start_time REAL, end_time REAL, "
    "attributes TEXT DEFAULT '{}'%s, created_at REAL)"
)
REPLAY_RUNS = (
    "CREATE TABLE replay_runs (replay_id TEXT PRIMARY KEY, original_span_id TEXT, trace_id TEXT, modified_input TEXT, "
    "new_output TEXT, diff TEXT, created_at REAL)"
)
PROMPT_VERSIONS = (
    "CREATE TABLE prompt_versions (version_id TEXT PRIMARY KEY, span_id TEXT, prompt_text TEXT, label TEXT, "
    "created_at REAL)"
)
INDEXES = (
    "CREATE INDEX idx_spans_trace_id ON spans(trace_id)",
    "CREATE INDEX idx_spans_start ON spans(start_time)",
    "CREATE INDEX idx_traces_created_at ON traces(created_at)",
)


def create(db: sqlite3.Connection, newest: bool = True, indexes: bool = True) -> None:
    """The tables; `newest` with the columns and the table that later versions of the original brought."""
    db.execute(TRACES % (", sdk_language TEXT" if newest else ""))
    db.execute(SPANS % (", annotations TEXT DEFAULT '[]', sdk_language TEXT" if newest else ""))
    db.execute(REPLAY_RUNS)
    if newest:
        db.execute(PROMPT_VERSIONS)
    for index in INDEXES if indexes else ():
        db.execute(index)


def insert(db: sqlite3.Connection, table: str, *rows: Row) -> None:
    """Rows by column name; what a file's table has no column for is left out."""
    known = {name for (name,) in db.execute("SELECT name FROM pragma_table_info(?)", (table,))}
    for row in rows:
        kept = {name: value for name, value in row.items() if name in known}
        sql = f"INSERT INTO {table} ({', '.join(kept)}) VALUES ({', '.join('?' * len(kept))})"
        db.execute(sql, tuple(kept.values()))


def trace(trace_id: Any, **columns: Any) -> Row:
    """A trace's row; its rollups are wrong, as the original's were after an update."""
    wrong = {"name": "stale", "start_time": 1.0, "end_time": 2.0, "span_count": 99, "status": "ok"}
    return {"trace_id": trace_id, **wrong, "total_cost_usd": 123.0, "total_tokens": 7, "created_at": 1000.0, **columns}


def span(span_id: Any, trace_id: Any, **columns: Any) -> Row:
    plain = {"span_type": "custom", "name": f"name of {span_id!r}", "status": "ok", "start_time": 1000.5}
    times = {"end_time": 1001.25, "attributes": "{}", "created_at": 1002.0}
    return {"span_id": span_id, "trace_id": trace_id, **plain, **times, **columns}


def fill(db: sqlite3.Connection, spans: int, attribute_bytes: int = 300) -> None:
    """Plain traces of ten spans, as an agent's runs leave them: a root, with llm_calls and tool_uses below it."""
    if not db.in_transaction:  # one transaction, or every insert waits for the disk
        db.execute("BEGIN")
        fill(db, spans, attribute_bytes)
        db.execute("COMMIT")
        return
    for first in range(0, spans, 10):
        trace_id, at = _uuid("trace", first), 1.7e9 + first
        tags = json.dumps({"run": str(first)})
        insert(db, "traces", trace(trace_id, created_at=at, tags=tags, sdk_language="python"))
        for k in range(min(10, spans - first)):
            insert(
                db,
                "spans",
                span(
                    _uuid("span", first + k),
                    trace_id,
                    parent_span_id=_uuid("span", first) if k else None,
                    span_type="agent_step" if not k else "llm_call" if k % 2 else "tool_use",
                    name=f"step {k}",
                    start_time=at + k * 0.125,
                    end_time=at + k * 0.125 + 0.0625,
                    attributes=_attributes(first + k, attribute_bytes),
                    created_at=at + k * 0.001,
                ),
            )


def fill_in_two(db: sqlite3.Connection, spans: int) -> None:
    """As `fill`, and then a commit that stays in the WAL changes every row: a file without its WAL is another file."""
    fill(db, spans)
    db.execute("UPDATE spans SET name = 'not yet'")
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint")
    db.execute("BEGIN")
    db.execute("UPDATE spans SET name = 'step ' || rowid")


def make_with_wal(path: Path, script: str) -> None:
    """Run `script` (which finds the connection as `db` and this module as `legacy`) in a process that ends without
    closing the file: what it wrote is in the WAL alone."""
    code = (
        "import os, sqlite3, sys\n"
        "from tests import legacy_files as legacy\n"
        "db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "db.execute('PRAGMA journal_mode=WAL')\ndb.execute('PRAGMA wal_autocheckpoint=0')\n"
        f"db.execute('BEGIN')\n{script}\ndb.execute('COMMIT')\nos._exit(0)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, cwd=Path(__file__).parent.parent)
    wal = path.with_name(path.name + "-wal")
    assert wal.stat().st_size > 0, "the WAL was to be left"


def rows_of(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of the database at `path`, opened as any program would."""
    with closing(sqlite3.connect(path)) as db:
        tables = sorted(name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'"))
        return {name: sorted(db.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}


def _uuid(kind: str, n: int) -> str:
    text = hashlib.blake2b(f"{kind}{n}".encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _attributes(n: int, size: int) -> str:
    words = hashlib.blake2b(str(n).encode(), digest_size=32).hexdigest()
    prompt = json.dumps([{"role": "user", "content": (words * (size // len(words) + 1))[:size]}])
    return json.dumps(
        {
            "llm.model": "gpt-4o", "llm.prompt": prompt, "llm.tokens.input": n % 700, "llm.tokens.output": n % 90,
            "llm.cost_usd": 0.000123, "session.id": f"session-{n // 100}",
        }
    )  # fmt: skip
