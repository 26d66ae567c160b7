"""A traces.db filled straight through SQL, by the writer's rules: seqs in commit order, a trace's before its first
span's, a trace row that follows from its spans. For tests of what reads the file."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from beacon.store.connect import connect_writer
from beacon.store.lookup import index_complete_segments
from beacon.store.version import upgrade

SECOND = 1_000_000_000
START_NS = 1_790_000_000 * SECOND

SPAN_DEFAULTS: dict[str, Any] = {
    "parent_span_id": None,
    "span_type": "custom",
    "name": "step",
    "status": "ok",
    "error_message": None,
    "start_ns": START_NS,
    "end_ns": START_NS + SECOND,
    "model": None,
    "tokens": None,
    "cost_pico": None,
    "framework": None,
    "session_id": None,
    "sdk_language": None,
    "annotations": "[]",
    "attributes": "{}",
}


def stored_span(span_id: str, trace_id: str, **fields: Any) -> dict[str, Any]:
    """The columns of a span; `attributes` may be JSON text or a dict."""
    attributes = fields.get("attributes", {})
    if not isinstance(attributes, str):
        attributes = json.dumps(attributes)
    return {**SPAN_DEFAULTS, **fields, "attributes": attributes, "span_id": span_id, "trace_id": trace_id}


class Store:
    """Writes rows; each call is a transaction. Use it as a context."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = connect_writer(path)
        upgrade(self.db, path)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()

    def put(self, *spans: dict[str, Any], created_ns: int | None = None) -> None:
        """Insert or update spans made by `stored_span`, and what their traces' rows become."""
        now = time.time_ns() if created_ns is None else created_ns
        with self.db:
            self.db.execute("BEGIN IMMEDIATE")
            first = self._next_span_row
            touched: dict[str, int] = {}
            created = set()
            for span in spans:
                row = self.db.execute("SELECT trace_row FROM traces WHERE trace_id = ?", (span["trace_id"],)).fetchone()
                if row is None:
                    touched[span["trace_id"]] = self._insert_trace(span, now)
                    created.add(span["trace_id"])
                else:
                    touched[span["trace_id"]] = row[0]
                self._put_span(touched[span["trace_id"]], span, now)
            for trace_id, trace_row in touched.items():
                self._roll_up(trace_row, None if trace_id in created else self.next_seq())
            index_complete_segments(self.db, first, self._next_span_row)

    def skip_rows(self, traces: int, spans: int) -> None:
        """Leave a gap in the row numbers, as deletes do."""
        first = self._next_span_row
        self.db.execute(
            "UPDATE counters SET next_trace_row = next_trace_row + ?, next_span_row = next_span_row + ?",
            (traces, spans),
        )
        index_complete_segments(self.db, first, self._next_span_row)

    def tag(self, trace_id: str, **tags: str) -> None:
        self.set_trace(trace_id, tags=json.dumps(tags, ensure_ascii=False))

    def set_trace(self, trace_id: str, **columns: Any) -> None:
        with self.db:
            self.db.execute("BEGIN IMMEDIATE")
            columns["seq"] = columns["edited_seq"] = self.next_seq()
            names = ", ".join(f"{name} = ?" for name in columns)
            self.db.execute(f"UPDATE traces SET {names} WHERE trace_id = ?", (*columns.values(), trace_id))

    def delete(self, *trace_ids: str) -> None:
        with self.db:
            self.db.execute("BEGIN IMMEDIATE")
            seq = self.next_seq()
            for trace_id in trace_ids:
                (spans,) = self.db.execute("SELECT span_count FROM traces WHERE trace_id = ?", (trace_id,)).fetchone()
                self.db.execute("DELETE FROM traces WHERE trace_id = ?", (trace_id,))
                self.db.execute("INSERT INTO tombstones VALUES (?, ?)", (seq, trace_id))
                self.db.execute(
                    "UPDATE counters SET trace_count = trace_count - 1, span_count = span_count - ?", (spans,)
                )

    def forget_tombstones(self, up_to: int) -> None:
        with self.db:
            self.db.execute("BEGIN IMMEDIATE")
            self.db.execute("DELETE FROM tombstones WHERE seq <= ?", (up_to,))
            self.db.execute("UPDATE counters SET tombstone_floor = ?", (up_to,))

    def prompt_version(self, trace_id: str, span_id: str, version_id: str, text: str, created_ns: int) -> None:
        self.db.execute(
            "INSERT INTO prompt_versions (version_id, trace_row, span_id, prompt_text, label, created_ns) "
            "SELECT ?, trace_row, ?, ?, NULL, ? FROM traces WHERE trace_id = ?",
            (version_id, span_id, text, created_ns, trace_id),
        )

    def job(self, job_id: str, state: str = "done", error: str | None = None) -> None:
        """A replay's job that was made, started a second later and over after another; `error` is JSON."""
        self.db.execute(
            "INSERT INTO jobs (job_id, kind, state, label, trace_id, worker_id, error, payload, payload_bytes, "
            "deadline_s, created_ns, started_ns, finished_ns) "
            "VALUES (?, 'replay', ?, 'Replay of ask', 't', 'w', ?, '{}', 2, 60, ?, ?, ?)",
            (job_id, state, error, START_NS, START_NS + SECOND, START_NS + 2 * SECOND),
        )

    def replay(self, trace_id: str, span_id: str, replay_id: str, error: str | None = None, **texts: Any) -> None:
        """A replay run. `texts` are its columns new_output, diff and modified_input, made JSON here; `error` is it."""
        output = {"llm.completion": "new", "llm.tokens.input": 1, "llm.tokens.output": 2, "llm.cost_usd": 0.5}
        diff = {"old_completion": "old", "new_completion": "new", "changed": True, "hunks": []}
        values = {"new_output": output, "diff": diff, "modified_input": {"llm.model": "m"}, **texts}
        columns = (json.dumps(values[name]) for name in ("modified_input", "new_output", "diff"))
        self.db.execute(
            "INSERT INTO replay_runs (replay_id, trace_row, span_id, modified_input, new_output, diff, error, "
            "created_ns) SELECT ?, trace_row, ?, ?, ?, ?, ?, ? FROM traces WHERE trace_id = ?",
            (replay_id, span_id, *columns, error, START_NS, trace_id),
        )

    @property
    def seq(self) -> int:
        return int(self.db.execute("SELECT seq FROM counters").fetchone()[0])

    @property
    def epoch(self) -> str:
        return str(self.db.execute("SELECT epoch FROM counters").fetchone()[0])

    @property
    def _next_span_row(self) -> int:
        return int(self.db.execute("SELECT next_span_row FROM counters").fetchone()[0])

    def next_seq(self) -> int:
        return int(self.db.execute("UPDATE counters SET seq = seq + 1 RETURNING seq").fetchall()[0][0])

    def _next(self, what: str) -> int:
        rows = self.db.execute(
            f"UPDATE counters SET next_{what}_row = next_{what}_row + 1, {what}_count = {what}_count + 1 "
            f"RETURNING next_{what}_row - 1"
        ).fetchall()
        return int(rows[0][0])

    def _insert_trace(self, span: dict[str, Any], now: int) -> int:
        trace_row, seq = self._next("trace"), self.next_seq()
        self.db.execute(
            "INSERT INTO traces (trace_row, trace_id, name, status, start_ns, span_count, error_count, unset_count, "
            "running_count, unpriced_count, cost_pico, tokens, head_is_root, head_start_ns, head_span_id, created_ns, "
            "created_seq, seq) VALUES (?, ?, '', 'ok', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '', ?, ?, ?)",
            (trace_row, span["trace_id"], now, seq, seq),
        )
        return trace_row

    def _put_span(self, trace_row: int, span: dict[str, Any], now: int) -> None:
        columns = {name: span[name] for name in SPAN_DEFAULTS if name != "attributes"}
        known = self.db.execute(
            "SELECT span_row FROM spans WHERE trace_row = ? AND span_id = ?", (trace_row, span["span_id"])
        ).fetchone()
        if known is not None:
            columns["seq"] = self.next_seq()
            names = ", ".join(f"{name} = ?" for name in columns)
            self.db.execute(f"UPDATE spans SET {names} WHERE span_row = ?", (*columns.values(), known[0]))
            self.db.execute(
                "UPDATE span_attributes SET attributes = ? WHERE span_row = ?", (span["attributes"], known[0])
            )
            return
        span_row, seq = self._next("span"), self.next_seq()
        columns |= {
            "span_row": span_row,
            "trace_row": trace_row,
            "span_id": span["span_id"],
            "created_ns": now,
            "created_seq": seq,
            "seq": seq,
        }
        self.db.execute(
            f"INSERT INTO spans ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            tuple(columns.values()),
        )
        self.db.execute("INSERT INTO span_attributes VALUES (?, ?)", (span_row, span["attributes"]))

    def _roll_up(self, trace_row: int, seq: int | None) -> None:
        names = ["span_id", "parent_span_id", "name", "status", "start_ns", "end_ns"]
        names += ["tokens", "cost_pico", "session_id", "sdk_language", "model"]
        spans = [
            dict(zip(names, row, strict=True))
            for row in self.db.execute(
                f"SELECT {', '.join(names)} FROM spans WHERE trace_row = ? ORDER BY start_ns, span_id", (trace_row,)
            )
        ]
        head = next((s for s in spans if s["parent_span_id"] is None), spans[0])
        statuses = [s["status"] for s in spans]
        ends = [s["end_ns"] for s in spans if s["end_ns"] is not None]
        columns = {
            "name": head["name"],
            "status": "error" if "error" in statuses else "unset" if "unset" in statuses else "ok",
            "start_ns": spans[0]["start_ns"],
            "end_ns": max(ends, default=None),
            "span_count": len(spans),
            "error_count": statuses.count("error"),
            "unset_count": statuses.count("unset"),
            "running_count": len(spans) - len(ends),
            "unpriced_count": sum(1 for s in spans if s["tokens"] and s["cost_pico"] is None),
            "cost_pico": _sum(s["cost_pico"] for s in spans),
            "tokens": _sum(s["tokens"] for s in spans),
            "head_is_root": int(head["parent_span_id"] is None),
            "head_start_ns": head["start_ns"],
            "head_span_id": head["span_id"],
            "session_id": next((s["session_id"] for s in spans if s["session_id"]), None),
            "sdk_language": head["sdk_language"],
            "models": json.dumps(Counter(s["model"] for s in spans if s["model"])),
        }
        if seq is not None:
            columns["seq"] = seq
        sql = ", ".join(f"{name} = ?" for name in columns)
        self.db.execute(f"UPDATE traces SET {sql} WHERE trace_row = ?", (*columns.values(), trace_row))


def _sum(values: Iterable[int | None]) -> int:
    return sum(value or 0 for value in values)
