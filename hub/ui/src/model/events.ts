// The live events as the websocket sends them. Pure.
import type { Job, Span, TraceSummary } from "../api/schema.ts";

export type LiveEvent =
  | { event: "trace_created" | "trace_updated"; seq: number; trace: TraceSummary }
  | { event: "traces_deleted"; seq: number; trace_ids: string[] }
  | { event: "span_created"; seq: number; span: Span; attributes_omitted?: true }
  | {
      event: "span_updated";
      seq: number;
      span_id: string;
      trace_id: string;
      updates: Partial<Span>;
      attributes_omitted?: true;
    };

/** Without a change number: a job's state, or a piece of the text its model writes. */
export interface JobEvent {
  event: "job_updated";
  job_id: string;
  state: Job["state"];
  job?: Job;
  trace_id?: string | null;
  span_id?: string | null;
  delta?: { run: number; text: string };
}

const KIND = /^\{"event":"([a-z_]+)"/;

/** The kind of a frame, read from its first bytes: a list need not parse the spans that pass by. */
export function kindOf(frame: string): string {
  return KIND.exec(frame)?.[1] ?? "";
}
