-- Which models the calls of a trace name, so that a list shows them without a look at any span: JSON of the model and its
-- number of calls, as beacon/called_models.py keeps it.
ALTER TABLE traces ADD COLUMN models TEXT NOT NULL DEFAULT '{}';

UPDATE traces SET models = called.models
FROM (
  SELECT trace_row, json_group_object(model, calls) AS models
  FROM (
    SELECT trace_row, model, count(*) AS calls, row_number() OVER (PARTITION BY trace_row ORDER BY model) AS place
    FROM spans WHERE model IS NOT NULL GROUP BY trace_row, model ORDER BY trace_row, model
  )
  WHERE place <= 16 GROUP BY trace_row
) AS called
WHERE called.trace_row = traces.trace_row;

-- What clients remember of this database (ETags, change numbers) is of another one: every summary reads differently now.
UPDATE counters SET epoch = lower(hex(randomblob(8)));
