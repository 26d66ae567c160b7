-- What OpenTelemetry has beside a Beacon span. A native span has no row in these tables, and pays for none.

-- Who sent a span: resource and scope, as one row, since every span has both and a program has few pairs of them; JSON in
-- OTLP's own form. Dropped when no trace holds a span of it any more.
CREATE TABLE origins (
  origin_row      INTEGER PRIMARY KEY,
  digest          TEXT    NOT NULL UNIQUE,  -- of both texts: an index of the texts themselves would hold them twice
  resource        TEXT    NOT NULL,
  scope           TEXT    NOT NULL,
  run_id          TEXT                      -- beacon.run_id of the resource: a program that `beacon run` started
) STRICT;

CREATE INDEX origins_by_run ON origins (run_id) WHERE run_id IS NOT NULL;

-- Which origins a trace has spans of: a row a pair, where an index of span_otel by origin would cost every span one.
CREATE TABLE trace_origins (
  trace_row       INTEGER NOT NULL REFERENCES traces ON DELETE CASCADE,
  origin_row      INTEGER NOT NULL,
  PRIMARY KEY (trace_row, origin_row)
) STRICT, WITHOUT ROWID;

CREATE INDEX trace_origins_by_origin ON trace_origins (origin_row, trace_row);

CREATE TABLE span_otel (
  span_row        INTEGER PRIMARY KEY REFERENCES spans ON DELETE CASCADE,
  origin_row      INTEGER NOT NULL,
  otel            TEXT    NOT NULL    -- kind, events, links, … as ingest/otlp/arrived.py says
) STRICT;

-- Content that travels apart from its span, and may come before it. Kept as long as the trace: the span may be sent
-- again without it.
CREATE TABLE contents (
  content_row     INTEGER PRIMARY KEY,
  trace_id        TEXT    NOT NULL,   -- not a row: the trace may not be stored yet
  address         TEXT    NOT NULL,
  digest          TEXT    NOT NULL,   -- of time and text: the same record sent again is the same row
  time_ns         INTEGER NOT NULL,
  text            TEXT    NOT NULL,
  created_ns      INTEGER NOT NULL,
  claimed         INTEGER NOT NULL DEFAULT 0,  -- 1: a span had it. The others are dropped in time
  UNIQUE (trace_id, address, digest)
) STRICT;

CREATE INDEX contents_unclaimed ON contents (created_ns) WHERE claimed = 0;

CREATE TABLE content_listeners (
  trace_id        TEXT    NOT NULL,
  span_id         TEXT    NOT NULL,
  address         TEXT    NOT NULL,
  start_ns        INTEGER NOT NULL,   -- the earliest that was said
  PRIMARY KEY (trace_id, span_id, address)
) STRICT, WITHOUT ROWID;

CREATE INDEX content_listeners_by_address ON content_listeners (trace_id, address);

-- Programs under `beacon run` that have ended: a span of theirs that comes late and open is interrupted, too.
CREATE TABLE ended_runs (
  run_id          TEXT    PRIMARY KEY,
  ended_ns        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

ALTER TABLE spans ADD COLUMN service TEXT;                            -- service.name of its resource
ALTER TABLE spans ADD COLUMN interrupted INTEGER NOT NULL DEFAULT 0;  -- open, and 1: of a silent trace; 2: its program has ended

ALTER TABLE traces ADD COLUMN service TEXT;                           -- of the head
ALTER TABLE traces ADD COLUMN interrupted_count INTEGER NOT NULL DEFAULT 0;  -- of the spans with no end; not running
ALTER TABLE traces ADD COLUMN seen_ns INTEGER NOT NULL DEFAULT 0;     -- when something of it was last stored
UPDATE traces SET seen_ns = created_ns;

-- The spans a sweep has to look at: few, and a span that is sent when it has ended is never among them.
CREATE INDEX spans_open ON spans (trace_row) WHERE end_ns IS NULL AND interrupted = 0;

-- Totals count each paid call once from now on: an llm_call with a token-bearing one below it does not count
-- (ingest/nesting.py). What older rows counted too often is taken off. `above` has every span with such a call below it.
CREATE TEMP TABLE above (trace_row INTEGER, span_id TEXT, PRIMARY KEY (trace_row, span_id)) WITHOUT ROWID;
WITH RECURSIVE up (trace_row, span_id) AS (
  SELECT trace_row, parent_span_id FROM spans
  WHERE span_type = 'llm_call' AND tokens > 0 AND parent_span_id IS NOT NULL AND parent_span_id <> span_id
  UNION
  SELECT s.trace_row, s.parent_span_id FROM up CROSS JOIN spans s
    ON s.trace_row = up.trace_row AND s.span_id = up.span_id
  WHERE s.parent_span_id IS NOT NULL AND s.parent_span_id <> s.span_id
)
INSERT INTO above SELECT trace_row, span_id FROM up;

CREATE TEMP TABLE nested (trace_row INTEGER PRIMARY KEY);
INSERT INTO nested
  SELECT DISTINCT s.trace_row FROM above a CROSS JOIN spans s ON s.trace_row = a.trace_row AND s.span_id = a.span_id
  WHERE s.span_type = 'llm_call' AND (s.tokens > 0 OR s.cost_pico > 0);

-- Spans that are their own ancestors: a ring does not say which is above, so its edges count for none.
CREATE TEMP TABLE ring (trace_row INTEGER, span_id TEXT, PRIMARY KEY (trace_row, span_id)) WITHOUT ROWID;
WITH RECURSIVE up (trace_row, first, span_id) AS (
  SELECT s.trace_row, s.span_id, s.parent_span_id FROM nested n CROSS JOIN above a ON a.trace_row = n.trace_row
    CROSS JOIN spans s ON s.trace_row = a.trace_row AND s.span_id = a.span_id
  WHERE s.parent_span_id IS NOT NULL AND s.parent_span_id <> s.span_id
  UNION
  SELECT s.trace_row, up.first, s.parent_span_id FROM up CROSS JOIN spans s
    ON s.trace_row = up.trace_row AND s.span_id = up.span_id
  WHERE s.parent_span_id IS NOT NULL AND s.parent_span_id <> s.span_id AND up.span_id <> up.first
)
INSERT OR IGNORE INTO ring SELECT trace_row, first FROM up WHERE span_id = first;

DELETE FROM above;
WITH RECURSIVE up (trace_row, span_id) AS (
  SELECT s.trace_row, s.parent_span_id FROM nested n CROSS JOIN spans s ON s.trace_row = n.trace_row
  WHERE s.span_type = 'llm_call' AND s.tokens > 0 AND s.parent_span_id IS NOT NULL AND s.parent_span_id <> s.span_id
    AND NOT EXISTS (SELECT 1 FROM ring r WHERE r.trace_row = s.trace_row AND r.span_id = s.span_id)
  UNION
  SELECT s.trace_row, s.parent_span_id FROM up CROSS JOIN spans s
    ON s.trace_row = up.trace_row AND s.span_id = up.span_id
  WHERE s.parent_span_id IS NOT NULL AND s.parent_span_id <> s.span_id
    AND NOT EXISTS (SELECT 1 FROM ring r WHERE r.trace_row = s.trace_row AND r.span_id = s.span_id)
)
INSERT INTO above SELECT trace_row, span_id FROM up;

UPDATE traces SET
  tokens = traces.tokens - covered.tokens,
  cost_pico = traces.cost_pico - covered.cost_pico,
  unpriced_count = traces.unpriced_count - covered.unpriced_count
FROM (
  SELECT s.trace_row, sum(coalesce(s.tokens, 0)) AS tokens, sum(coalesce(s.cost_pico, 0)) AS cost_pico,
         sum(coalesce(s.tokens, 0) > 0 AND s.cost_pico IS NULL) AS unpriced_count
  FROM above a CROSS JOIN spans s ON s.trace_row = a.trace_row AND s.span_id = a.span_id
  WHERE s.span_type = 'llm_call' GROUP BY s.trace_row
) AS covered
WHERE covered.trace_row = traces.trace_row;

DROP TABLE temp.above;
DROP TABLE temp.nested;
DROP TABLE temp.ring;

-- Every record reads differently now: what clients remember of this database (ETags, change numbers) is of another one.
UPDATE counters SET epoch = lower(hex(randomblob(8)));
