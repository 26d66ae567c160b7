-- An import of an archive is stored in small transactions and becomes visible in one. Its spans are written under trace
-- rows that `traces` does not have yet, so that no read finds them; the trace rows wait in `imported_traces`.
CREATE TABLE imports (
  import_row      INTEGER PRIMARY KEY,
  landing         INTEGER NOT NULL DEFAULT 0, -- 1: it is whole, and only forward from here
  trace_count     INTEGER NOT NULL DEFAULT 0,
  span_count      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The trace rows that were set aside for it, [low, high].
CREATE TABLE import_ranges (
  low             INTEGER PRIMARY KEY,
  high            INTEGER NOT NULL,
  import_row      INTEGER NOT NULL
) STRICT;

CREATE TABLE imported_traces (
  trace_row       INTEGER PRIMARY KEY,
  trace           TEXT    NOT NULL    -- its row of `traces`, a JSON array in the order of ingest.rollup.TraceState
) STRICT;

-- 80,000 trace rows in one transaction held up every acknowledgement for 0.31 s. So they go into `traces` step by step
-- too: while `under_way` is 1, readers hide the rows in `import_ranges` (beacon/store/landing.py), and the transaction
-- that makes it 0 shows all of them at once. `done` counts the imports that became visible.
CREATE TABLE landings (
  id              INTEGER PRIMARY KEY CHECK (id = 1),
  under_way       INTEGER NOT NULL,
  done            INTEGER NOT NULL
) STRICT;

INSERT INTO landings VALUES (1, 0, 0);
