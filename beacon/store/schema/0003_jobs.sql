-- Work for the replay workers. A row is the truth; hints and leases may be lost. Rows are handed out in order.
CREATE TABLE jobs (
  job_row         INTEGER PRIMARY KEY AUTOINCREMENT,
  job_id          TEXT    NOT NULL UNIQUE,
  kind            TEXT    NOT NULL,
  state           TEXT    NOT NULL,   -- queued, running, done, failed, cancelled
  label           TEXT    NOT NULL,   -- what it does, in a few words
  trace_id        TEXT,
  span_id         TEXT,
  idempotency_key TEXT,               -- given up by a job that nobody ran: it may be asked for again
  request_hash    TEXT,               -- of what was asked with that key: the same key for something else is a 409
  payload         TEXT,               -- what its worker gets; NULL once it is over
  payload_bytes   INTEGER NOT NULL,
  remember        TEXT,               -- what storing its result needs: of a replay what was modified
  result          TEXT,               -- what its client got or will get, as JSON
  error           TEXT,               -- {"status", "detail"}
  given_up        INTEGER NOT NULL DEFAULT 0, -- 1: failed without a word of its worker; what it says later is kept
  token           TEXT,
  worker_id       TEXT,
  deadline_s      REAL    NOT NULL,   -- seconds it may run
  created_ns      INTEGER NOT NULL,
  started_ns      INTEGER,
  finished_ns     INTEGER
) STRICT;

CREATE UNIQUE INDEX jobs_by_idempotency_key ON jobs (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX jobs_unfinished ON jobs (state, payload_bytes) WHERE state IN ('queued', 'running');
CREATE INDEX jobs_finished ON jobs (finished_ns, state) WHERE state NOT IN ('queued', 'running');

-- A run of several can fail while others have an answer: then new_output and diff are the JSON null.
ALTER TABLE replay_runs ADD COLUMN error TEXT;
