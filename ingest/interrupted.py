"""Spans that never ended: a program that crashed must not look as if it still ran. Commands for the writer.

A span is interrupted when it is open and its trace has been silent for long, or the program that sent it has ended. It
is not any more when it is sent again, nor, after a silence, when anything of its trace is.
"""

from __future__ import annotations

from beacon.contract.records import RunEnd
from ingest.database import Command, Transaction
from ingest.merge import ENDED, SILENT
from ingest.otel_rows import DROP_UNUSED
from ingest.spans import Fold

MARK_SPANS = 960
"""Spans one transaction marks, some 5 ms."""

SETTLED_NS = 10 * 1_000_000_000
"""Nanoseconds after the end of a program by which what it had sent is stored, and those it started have sent more, if
they go on."""

RUNS_KEPT_NS = 7 * 86_400 * 1_000_000_000

CONTENTS_KEPT_NS = 86_400 * 1_000_000_000
CONTENTS_KEPT = 100_000
"""Content whose span does not come is kept so long, and so many: the newest."""

TRACES_SHOWN = 10

# CROSS JOIN keeps SQLite at the partial index: open spans are few, whatever else is stored
_SILENT = (
    "SELECT t.trace_id, s.span_id FROM spans s INDEXED BY spans_open CROSS JOIN traces t ON t.trace_row = s.trace_row "
    "WHERE s.end_ns IS NULL AND s.interrupted = 0 AND t.seen_ns < ? LIMIT ?"
)
_OF_RUN = (
    "FROM origins o CROSS JOIN trace_origins p ON p.origin_row = o.origin_row "
    "CROSS JOIN traces t ON t.trace_row = p.trace_row "
)
_OPEN_OF_RUN = (
    f"{_OF_RUN} CROSS JOIN spans s INDEXED BY spans_open ON s.trace_row = t.trace_row AND s.end_ns IS NULL "
    "AND s.interrupted = 0 CROSS JOIN span_otel x ON x.span_row = s.span_row AND x.origin_row = o.origin_row "
)
_UNFINISHED = f"SELECT DISTINCT t.trace_id, s.span_id {_OPEN_OF_RUN} WHERE o.run_id = ? LIMIT ?"
_LATE = (
    f"SELECT DISTINCT t.trace_id, s.span_id FROM ended_runs e CROSS JOIN {_OPEN_OF_RUN.removeprefix('FROM ')} "
    "WHERE o.run_id = e.run_id AND e.ended_ns < ?1 AND t.seen_ns < ?1 LIMIT ?2"
)
_TRACES = f"SELECT DISTINCT t.trace_row, t.trace_id {_OF_RUN} WHERE o.run_id = ? ORDER BY t.trace_row DESC"

_DROP_OLD_CONTENTS = "DELETE FROM contents WHERE claimed = 0 AND created_ns < ?"
_DROP_MANY_CONTENTS = (
    "DELETE FROM contents WHERE content_row IN (SELECT content_row FROM contents INDEXED BY contents_unclaimed "
    "WHERE claimed = 0 ORDER BY created_ns DESC, content_row DESC LIMIT -1 OFFSET ?)"
)


def interrupt_silent(stale_ns: int) -> Command:
    """Mark open spans of traces of which nothing was stored for `stale_ns`, and of programs that have ended; returns
    how many, as many as one transaction should take. Call it until it returns 0."""

    def command(tx: Transaction) -> int:
        silent = tx.db.execute(_SILENT, (tx.now_ns - stale_ns, MARK_SPANS)).fetchall()
        late = tx.db.execute(_LATE, (tx.now_ns - SETTLED_NS, MARK_SPANS)).fetchall()
        return _interrupt(tx, dict.fromkeys(silent, SILENT) | dict.fromkeys(late, ENDED))

    return command


def end_run(run_id: str) -> Command:
    """The program has ended: mark its open spans, as many as one transaction should take; returns a RunEnd. Call it
    until it has `interrupted` none."""

    def command(tx: Transaction) -> RunEnd:
        tx.db.execute("INSERT OR IGNORE INTO ended_runs (run_id, ended_ns) VALUES (?, ?)", (run_id, tx.now_ns))
        interrupted = _interrupt(tx, dict.fromkeys(tx.db.execute(_UNFINISHED, (run_id, MARK_SPANS)).fetchall(), ENDED))
        traces = [trace_id for _, trace_id in tx.db.execute(_TRACES, (run_id,))]
        return RunEnd(interrupted, len(traces), traces[:TRACES_SHOWN])

    return command


def forget_unclaimed(tx: Transaction) -> None:
    """Drop content whose span has not come, origins that no trace has, and runs that ended long ago."""
    db = tx.db
    db.execute(_DROP_OLD_CONTENTS, (tx.now_ns - CONTENTS_KEPT_NS,))
    db.execute(_DROP_MANY_CONTENTS, (CONTENTS_KEPT,))
    db.execute("DELETE FROM ended_runs WHERE ended_ns < ?", (tx.now_ns - RUNS_KEPT_NS,))
    if db.execute(DROP_UNUSED).rowcount:
        tx.kept.origins.clear()


def _interrupt(tx: Transaction, keys: dict[tuple[str, str], int]) -> int:
    fold = Fold(tx)
    fold.load([], keys)
    marked = sum(fold.interrupt(key, why) for key, why in sorted(keys.items()))
    fold.write()
    return marked
