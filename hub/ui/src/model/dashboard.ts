// The runs of a stretch of time in figures, out of their summaries. Pure.
import type { TraceSummary } from "../api/schema.ts";

export interface Slot {
  /** Epoch seconds, [from, to): an hour, or a day of the reader's own clock. */
  from: number;
  to: number;
  runs: number;
  errors: number;
  tokens: number;
  cost: number;
}

export interface Failing {
  name: string;
  errors: number;
  runs: number;
  last: TraceSummary;
}

export interface OfModel {
  model: string;
  runs: number;
  errors: number;
  cost: number;
  tokens: number;
}

export interface Dashboard {
  runs: number;
  errors: number;
  tokens: number;
  cost: number;
  /** Runs with calls whose price nobody knows. */
  unpriced: number;
  /** Milliseconds of the runs that have ended; null where none has. */
  p50: number | null;
  p95: number | null;
  failing: Failing[];
  models: OfModel[];
  slowest: TraceSummary[];
  dearest: TraceSummary[];
  slots: Slot[];
}

const ROWS = 8;

export function dashboardOf(traces: readonly TraceSummary[], slots: readonly Slot[]): Dashboard {
  const inside = traces.filter((trace) => slots.length > 0 && trace.start_time >= slots[0]!.from);
  const durations = inside.flatMap((trace) =>
    trace.duration_ms === null || trace.running_count > 0 ? [] : [trace.duration_ms],
  );
  const filled = slots.map((slot) => ({ ...slot }));
  let unpriced = 0;
  for (const trace of inside) {
    if (trace.unpriced_count > 0) unpriced++;
    const slot = filled[slotAt(filled, trace.start_time)];
    if (slot === undefined) continue;
    slot.runs++;
    slot.tokens += trace.total_tokens;
    slot.cost += trace.total_cost_usd;
    if (trace.status === "error") slot.errors++;
  }
  const sum = (of: (trace: TraceSummary) => number) => inside.reduce((all, trace) => all + of(trace), 0);
  return {
    runs: inside.length,
    errors: inside.filter((trace) => trace.status === "error").length,
    tokens: sum((trace) => trace.total_tokens),
    cost: sum((trace) => trace.total_cost_usd),
    unpriced,
    p50: percentile(durations, 0.5),
    p95: percentile(durations, 0.95),
    failing: failing(inside),
    models: models(inside),
    slowest: most(inside, (trace) => trace.duration_ms ?? 0),
    dearest: most(inside, (trace) => trace.total_cost_usd),
    slots: filled,
  };
}

/** The value that so large a share of all is no larger than: one of the values, not between two. */
export function percentile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!;
}

/** The hours, or the days of the reader's own clock, up to the one that `now` is in. A day may have 23 hours, or 25. */
export function slotsUntil(now: number, unit: "hour" | "day", count: number): Slot[] {
  const at = new Date(now * 1000);
  const begin = (i: number): number => {
    if (unit === "day") return new Date(at.getFullYear(), at.getMonth(), at.getDate() + i).getTime() / 1000;
    return Math.floor(now / 3600) * 3600 + i * 3600;
  };
  return Array.from({ length: count }, (_, i) => {
    const from = begin(i + 1 - count);
    return { from, to: begin(i + 2 - count), runs: 0, errors: 0, tokens: 0, cost: 0 };
  });
}

function slotAt(slots: readonly Slot[], time: number): number {
  let low = 0;
  let high = slots.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (slots[middle]!.to <= time) low = middle + 1;
    else high = middle;
  }
  return low < slots.length && slots[low]!.from <= time ? low : -1;
}

function failing(traces: readonly TraceSummary[]): Failing[] {
  const found = new Map<string, Failing>();
  const runs = new Map<string, number>();
  for (const trace of traces) {
    runs.set(trace.name, (runs.get(trace.name) ?? 0) + 1);
    if (trace.status !== "error") continue;
    const known = found.get(trace.name);
    if (known === undefined) found.set(trace.name, { name: trace.name, errors: 1, runs: 0, last: trace });
    else {
      known.errors++;
      if (trace.start_time > known.last.start_time) known.last = trace;
    }
  }
  const all = [...found.values()].map((one) => ({ ...one, runs: runs.get(one.name)! }));
  return all.sort((a, b) => b.errors - a.errors || b.last.start_time - a.last.start_time).slice(0, ROWS);
}

/** A run counts for each of the models it called: its cost is that of the run. */
function models(traces: readonly TraceSummary[]): OfModel[] {
  const found = new Map<string, OfModel>();
  for (const trace of traces) {
    for (const model of trace.models) {
      const one = found.get(model) ?? { model, runs: 0, errors: 0, cost: 0, tokens: 0 };
      found.set(model, one);
      one.runs++;
      one.cost += trace.total_cost_usd;
      one.tokens += trace.total_tokens;
      if (trace.status === "error") one.errors++;
    }
  }
  return [...found.values()].sort((a, b) => b.cost - a.cost || b.runs - a.runs).slice(0, ROWS);
}

function most(traces: readonly TraceSummary[], of: (trace: TraceSummary) => number): TraceSummary[] {
  return traces
    .filter((trace) => of(trace) > 0)
    .sort((a, b) => of(b) - of(a))
    .slice(0, ROWS);
}
