// Records for the tests, with every field there is: a field that joins the contract is added here alone.
import type { Span, TraceSummary } from "../src/api/schema.ts";
import { type LightSpan, lightOf } from "../src/model/spans.ts";

export function madeTrace(id: string, fields: Partial<TraceSummary> = {}): TraceSummary {
  return {
    trace_id: id,
    name: id,
    start_time: 0,
    end_time: null,
    duration_ms: null,
    span_count: 1,
    status: "unset",
    total_cost_usd: 0,
    total_tokens: 0,
    tags: {},
    sdk_language: null,
    session_id: null,
    error_count: 0,
    running_count: 0,
    unpriced_count: 0,
    interrupted_count: 0,
    models: [],
    created_at: 0,
    ...fields,
  };
}

export function madeSpan(id: string, fields: Partial<Span> = {}): Span {
  return {
    span_id: id,
    trace_id: "t",
    parent_span_id: null,
    span_type: "custom",
    name: id,
    status: "unset",
    error_message: null,
    start_time: 0,
    end_time: null,
    duration_ms: null,
    attributes: {},
    annotations: [],
    sdk_language: null,
    interrupted: false,
    ...fields,
  };
}

/** A span without attributes that began at `start` and lasted a second. */
export function madeLight(
  id: string,
  parent: string | null,
  start: number,
  fields: Partial<LightSpan> = {},
): LightSpan {
  const whole = madeSpan(id, {
    parent_span_id: parent,
    status: "ok",
    start_time: start,
    end_time: start + 1,
    duration_ms: 1000,
  });
  return { ...lightOf(whole), ...fields };
}
