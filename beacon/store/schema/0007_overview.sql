-- What query keeps of every trace in memory (query/overview) follows from its row alone, so that a start reads 80,000 rows
-- and not a million spans. The row is written with every span anyway; these take it no other page.
ALTER TABLE traces ADD COLUMN types INTEGER NOT NULL DEFAULT 0;  -- a bit for each type of its spans (beacon/store/span_types.py)
ALTER TABLE traces ADD COLUMN top_call_pico INTEGER;             -- of its dearest llm_call
ALTER TABLE traces ADD COLUMN top_tool_ns INTEGER;               -- of its slowest ended tool_use

UPDATE traces SET types = spans_of.types, top_call_pico = spans_of.call, top_tool_ns = spans_of.tool
FROM (
  SELECT trace_row,
         max(span_type = 'llm_call') + 2 * max(span_type = 'tool_use') + 4 * max(span_type = 'agent_step')
         + 8 * max(span_type = 'browser_action') + 16 * max(span_type = 'file_operation')
         + 32 * max(span_type = 'shell_command') + 64 * max(span_type = 'chain') + 128 * max(span_type = 'custom') AS types,
         max(CASE WHEN span_type = 'llm_call' THEN cost_pico END) AS call,
         max(CASE WHEN span_type = 'tool_use' AND end_ns IS NOT NULL THEN max(0, end_ns - start_ns) END) AS tool
  FROM spans GROUP BY trace_row
) AS spans_of
WHERE spans_of.trace_row = traces.trace_row;
