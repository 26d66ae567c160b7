// The traces that are ticked in the list, to be compared, exported or deleted together: for as long as the page is open.
import { signal } from "@preact/signals";
import type { TraceSummary } from "../api/schema.ts";

export const picked = signal<ReadonlyMap<string, TraceSummary>>(new Map());

export function pick(trace: TraceSummary, on: boolean): void {
  const next = new Map(picked.value);
  if (on) next.set(trace.trace_id, trace);
  else next.delete(trace.trace_id);
  picked.value = next;
}

export function pickNone(): void {
  picked.value = new Map();
}
