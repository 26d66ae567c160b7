-- Beacon's tables. Run once, in one transaction, on a file whose page_size and auto_vacuum are already set.
-- Rowids are handed out by the writer from `counters`, never by SQLite: without AUTOINCREMENT the newest rowids
-- would be used again after a delete, and cursors, watermarks and the changes feed would skip new rows.

CREATE TABLE counters (
  id              INTEGER PRIMARY KEY CHECK (id = 1),
  epoch           TEXT    NOT NULL,   -- names this database in live events
  seq             INTEGER NOT NULL,   -- number of the last committed change
  next_trace_row  INTEGER NOT NULL,
  next_span_row   INTEGER NOT NULL,
  trace_count     INTEGER NOT NULL,
  span_count      INTEGER NOT NULL,
  tombstone_floor INTEGER NOT NULL    -- tombstones of seqs up to here have been dropped
) STRICT;

INSERT INTO counters VALUES (1, lower(hex(randomblob(8))), 0, 1, 1, 0, 0, 0);

-- One row a trace: a pure function of its spans, and its tags.
CREATE TABLE traces (
  trace_row       INTEGER PRIMARY KEY,
  trace_id        TEXT    NOT NULL UNIQUE,
  name            TEXT    NOT NULL,
  status          TEXT    NOT NULL,
  start_ns        INTEGER NOT NULL,
  end_ns          INTEGER,            -- largest end of the ended spans
  span_count      INTEGER NOT NULL,
  error_count     INTEGER NOT NULL,
  unset_count     INTEGER NOT NULL,
  running_count   INTEGER NOT NULL,   -- spans with no end
  unpriced_count  INTEGER NOT NULL,   -- llm_call spans with tokens and no cost
  cost_pico       INTEGER NOT NULL,
  tokens          INTEGER NOT NULL,
  head_is_root    INTEGER NOT NULL,   -- the span that names the trace: smallest (start, id), roots first
  head_start_ns   INTEGER NOT NULL,
  head_span_id    TEXT    NOT NULL,
  session_id      TEXT,               -- of the span with the smallest (start, id) that has one
  session_start_ns INTEGER,
  session_span_id TEXT,
  sdk_language    TEXT,               -- of the head
  tags            TEXT    NOT NULL DEFAULT '{}',
  created_ns      INTEGER NOT NULL,   -- when the first span was stored
  created_seq     INTEGER NOT NULL,
  seq             INTEGER NOT NULL
) STRICT;

CREATE INDEX traces_by_start ON traces (start_ns);
CREATE INDEX traces_by_seq ON traces (seq);

-- One narrow row a span: what lists, filters, graphs and rollups need. The attribute text stands apart.
CREATE TABLE spans (
  span_row        INTEGER PRIMARY KEY,
  trace_row       INTEGER NOT NULL REFERENCES traces ON DELETE CASCADE,
  span_id         TEXT    NOT NULL,
  parent_span_id  TEXT,
  span_type       TEXT    NOT NULL,
  name            TEXT    NOT NULL,
  status          TEXT    NOT NULL,
  error_message   TEXT,
  start_ns        INTEGER NOT NULL,
  end_ns          INTEGER,
  model           TEXT,
  tokens          INTEGER,            -- llm_call: total, or input + output; NULL when none is known
  cost_pico       INTEGER,            -- llm_call: NULL when no price is known
  framework       TEXT,
  session_id      TEXT,
  sdk_language    TEXT,
  annotations     TEXT    NOT NULL DEFAULT '[]',
  created_ns      INTEGER NOT NULL,
  created_seq     INTEGER NOT NULL,
  seq             INTEGER NOT NULL,
  closed_fields   INTEGER NOT NULL DEFAULT 0, -- bits: what was sent with the end or after it, see ingest/merge.py
  UNIQUE (trace_row, span_id)
) STRICT;

-- Finds a span by its id alone. An index led by a random id loses speed as the file grows (36,000 to 15,000 spans/s
-- by 400,000 spans); led by the segment it stays flat, and a lookup asks segment after segment, newest first.
CREATE INDEX spans_by_segment ON spans (span_row >> 12, span_id);

-- Only spans that changed after they were created: inserting a span costs this index nothing.
CREATE INDEX spans_updated ON spans (seq) WHERE seq > created_seq;

CREATE TABLE span_attributes (
  span_row        INTEGER PRIMARY KEY REFERENCES spans ON DELETE CASCADE,
  attributes      TEXT    NOT NULL    -- the JSON object as it was sent
) STRICT;

CREATE TABLE prompt_versions (
  version_row     INTEGER PRIMARY KEY,
  version_id      TEXT    NOT NULL UNIQUE,
  trace_row       INTEGER NOT NULL REFERENCES traces ON DELETE CASCADE,
  span_id         TEXT    NOT NULL,
  prompt_text     TEXT    NOT NULL,
  label           TEXT,
  created_ns      INTEGER NOT NULL
) STRICT;

CREATE INDEX prompt_versions_by_span ON prompt_versions (trace_row, span_id);

CREATE TABLE replay_runs (
  replay_row      INTEGER PRIMARY KEY,
  replay_id       TEXT    NOT NULL UNIQUE,
  trace_row       INTEGER NOT NULL REFERENCES traces ON DELETE CASCADE,
  span_id         TEXT    NOT NULL,
  modified_input  TEXT    NOT NULL,
  new_output      TEXT    NOT NULL,
  diff            TEXT    NOT NULL,
  created_ns      INTEGER NOT NULL
) STRICT;

CREATE INDEX replay_runs_by_span ON replay_runs (trace_row, span_id);

-- What was deleted, so that a live stream which missed it can be healed.
CREATE TABLE tombstones (
  seq             INTEGER NOT NULL,
  trace_id        TEXT    NOT NULL,
  PRIMARY KEY (seq, trace_id)
) STRICT, WITHOUT ROWID;
