"""Finding a span by its id alone, newest first: through the newest rows, then segment by segment.

Ids are random, and an index led by a random id loses speed as the file grows (36,000 to 15,000 spans/s by 400,000
spans); led by the segment it stays flat. Written with every span it still takes a page or more of each commit; so a
segment's ids are written when the segment is complete, all at once and in their order.
"""

from __future__ import annotations

import sqlite3

SEGMENT_BITS = 12
"""4,096 spans: 0.3 ms to look through at the end of the table, 3 ms to index, 1 us to probe."""

_INDEX_SEGMENT = f"""
INSERT INTO span_lookup SELECT span_row >> {SEGMENT_BITS}, span_id, span_row FROM spans
WHERE span_row >= ? << {SEGMENT_BITS} AND span_row < ? << {SEGMENT_BITS} ORDER BY 1, 2, 3
"""

_FIND_AMONG_NEWEST = f"""
SELECT span_row FROM spans
WHERE span_row >= ((SELECT next_span_row FROM counters) >> {SEGMENT_BITS}) << {SEGMENT_BITS} AND span_id = :span_id
ORDER BY span_row DESC LIMIT 1
"""

_FIND_IN_SEGMENTS = f"""
WITH RECURSIVE segment (n) AS (
  SELECT ((SELECT next_span_row FROM counters) >> {SEGMENT_BITS}) - 1
  UNION ALL
  SELECT n - 1 FROM segment WHERE n > 0
)
SELECT found FROM (
  SELECT (SELECT max(span_row) FROM span_lookup l WHERE l.segment = segment.n AND l.span_id = :span_id) AS found
  FROM segment
)
WHERE found IS NOT NULL LIMIT 1
"""

_FIND_IN_TRACE = """
SELECT span_row FROM spans
WHERE trace_row = (SELECT trace_row FROM traces WHERE trace_id = :trace_id) AND span_id = :span_id
"""


def index_complete_segments(db: sqlite3.Connection, next_row_before: int, next_row_now: int) -> None:
    """To be called in the transaction that moved `counters.next_span_row`: index the segments that became complete."""
    for segment in range(next_row_before >> SEGMENT_BITS, next_row_now >> SEGMENT_BITS):
        db.execute(_INDEX_SEGMENT, (segment, segment + 1))


def find_span_row(db: sqlite3.Connection, span_id: str, trace_id: str | None = None) -> int | None:
    """The row of the newest span with this id, or of the one in `trace_id`; None when there is none."""
    searches = (_FIND_AMONG_NEWEST, _FIND_IN_SEGMENTS) if trace_id is None else (_FIND_IN_TRACE,)
    for sql in searches:
        row = db.execute(sql, {"span_id": span_id, "trace_id": trace_id}).fetchone()
        if row is not None:
            return int(row[0])
    return None
