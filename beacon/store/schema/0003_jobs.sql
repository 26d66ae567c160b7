-- Work for the replay workers. A row is the truth; hints and leases may be lost. Rows are handed out in order.
CREATE TABLE jobs (
  job_row         INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id          TEXT    NOT NULL UNIQUE,
  kind            TEXT    NOT NULL,
  state           TEXT    NOT NULL,   -- queued, running, done, failed, cancelled
  label           TEXT    NOT NULL,   -- what it does, in a few words
  trace_id        TEXT,
  span_id         TEXT,
  root_span_id    TEXT,               -- of a demo: the span to end when its worker is lost
  idempotency_key TEXT,
  request_hash    TEXT,               -- of what was asked with that key: the same key for something else is a 409
  payload         TEXT,               -- NULL once it is over
  result          TEXT,               -- what its client got or will get, as JSON
  error           TEXT,               -- {"status", "detail"}
  token           TEXT,
  worker_id       TEXT,
  deadline_s      REAL    NOT NULL,   -- seconds it may run
  created_ns      INTEGER NOT NULL,
  started_ns      INTEGER,
  finished_ns     INTEGER
) STRICT;

CREATE UNIQUE INDEX jobs_by_idempotency_key ON jobs (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_unfinished ON jobs (state) WHERE state IN ('queued', 'running');
