-- A commit writes every page it touches to the WAL, whole: for a single span that was eight pages of 16 KiB, and half of
-- its time. Two indexes took a page or more of each: the ids of the newest spans, and the seq of every trace touched.

-- The span of an id alone, for complete segments of 4,096 rows (beacon/store/lookup.py): written once each, in order. The
-- rows after the last complete segment are few enough to look through.
CREATE TABLE span_lookup (
  segment         INTEGER NOT NULL,   -- span_row >> 12
  span_id         TEXT    NOT NULL,
  span_row        INTEGER NOT NULL,
  PRIMARY KEY (segment, span_id, span_row)
) STRICT, WITHOUT ROWID;

INSERT INTO span_lookup
  SELECT span_row >> 12, span_id, span_row FROM spans
  WHERE span_row >> 12 < (SELECT next_span_row >> 12 FROM counters) ORDER BY 1, 2, 3;

CREATE TRIGGER span_lookup_forgets AFTER DELETE ON spans BEGIN
  DELETE FROM span_lookup
  WHERE segment = old.span_row >> 12 AND span_id = old.span_id AND span_row = old.span_row;
END;

DROP INDEX spans_by_segment;

-- Which traces changed after a seq follows from the spans that did; only what no span's change explains is kept.
ALTER TABLE traces ADD COLUMN edited_seq INTEGER;  -- seq of the last change of its tags
UPDATE traces SET edited_seq = seq WHERE tags <> '{}';
CREATE INDEX traces_edited ON traces (edited_seq) WHERE edited_seq IS NOT NULL;

DROP INDEX traces_by_seq;
