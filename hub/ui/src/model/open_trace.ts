// One trace and its spans as a function of snapshots and live events, in whatever order they come. Pure.
//
// A snapshot is the whole trace at its `seq`. An event's `updates` are fields at its own: every field carries the change
// number it is known at, and nothing older replaces it. What cannot be known from what has come sets `gap`: a snapshot
// heals it.
import type { TraceDetail, TraceSummary } from "../api/schema.ts";
import type { LiveEvent } from "./events.ts";
import { type LightSpan, lightOf } from "./spans.ts";

interface Entry {
  span: LightSpan;
  /** The number every field is known at, at least. */
  seq: number;
  /** Fields that are known at a later one. */
  later: Map<string, number> | null;
}

const ATTRIBUTES = "attributes";
const TOLD = ["label", "tokens", "cost_usd"] as const;

export class OpenTrace {
  summary: TraceSummary | null = null;
  /** Deleted, as far as is known. */
  deleted = false;
  /** Something was missed: take a snapshot. */
  gap = false;
  version = 0;
  /** The change number of the newest snapshot. */
  seq = -1;
  private summarySeq = -1;
  private deletedSeq = -1;
  private readonly entries = new Map<string, Entry>();

  constructor(readonly traceId: string) {}

  get size(): number {
    return this.entries.size;
  }

  /** Every span, in no order that means anything. */
  spans(): LightSpan[] {
    return Array.from(this.entries.values(), (entry) => entry.span);
  }

  span(id: string): LightSpan | undefined {
    return this.entries.get(id)?.span;
  }

  /** The number at which a span last changed, as far as is known. */
  seqOf(id: string): number {
    const entry = this.entries.get(id);
    return entry === undefined ? -1 : Math.max(entry.seq, ...(entry.later?.values() ?? []));
  }

  /** Take in a snapshot; one that is older than another taken before says nothing. Gives the number of spans that are
   * new with it. */
  snapshot(detail: TraceDetail): number {
    if (detail.seq < this.seq || detail.seq <= this.deletedSeq) return 0;
    this.seq = detail.seq;
    this.version++;
    this.gap = false;
    this.deleted = false;
    const { spans, seq, ...summary } = detail;
    if (seq >= this.summarySeq) {
      this.summary = summary;
      this.summarySeq = seq;
    }
    let added = 0;
    const here = new Set<string>();
    for (const span of spans) {
      here.add(span.span_id);
      const entry = this.entries.get(span.span_id);
      if (entry === undefined) added++;
      this.entries.set(span.span_id, merged(entry, lightOf(span), seq));
    }
    for (const id of this.entries.keys()) if (!here.has(id) && this.seqOf(id) <= seq) this.entries.delete(id);
    return added;
  }

  /** Take in a live event. */
  apply(event: LiveEvent): void {
    switch (event.event) {
      case "span_created":
        if (event.span.trace_id === this.traceId) this.create(event.seq, event.span, event.attributes_omitted === true);
        return;
      case "span_updated":
        if (event.trace_id === this.traceId) this.update(event);
        return;
      case "trace_created":
      case "trace_updated":
        if (event.trace.trace_id !== this.traceId || event.seq <= Math.max(this.summarySeq, this.deletedSeq)) return;
        this.summary = event.trace;
        this.summarySeq = event.seq;
        this.deleted = false;
        this.version++;
        return;
      case "traces_deleted":
        if (event.trace_ids.includes(this.traceId)) this.remove(event.seq);
        return;
    }
  }

  private create(seq: number, span: Parameters<typeof lightOf>[0], omitted: boolean): void {
    if (seq <= Math.max(this.seq, this.deletedSeq)) return; // in the snapshot, or gone with the trace
    if (omitted) this.gap = true; // its tokens and cost stand in attributes that did not come along
    const entry = this.entries.get(span.span_id);
    if (entry !== undefined && entry.seq >= seq) return;
    this.version++;
    this.entries.set(span.span_id, merged(entry, lightOf(span), seq));
  }

  private update(event: Extract<LiveEvent, { event: "span_updated" }>): void {
    const { seq, span_id, updates } = event;
    if (seq <= Math.max(this.seq, this.deletedSeq)) return;
    const entry = this.entries.get(span_id);
    if (entry === undefined) {
      this.gap = true;
      return;
    }
    if (event.attributes_omitted) this.gap = true;
    const type = updates.span_type ?? entry.span.span_type;
    const light = lightOf({ ...updates, span_id, trace_id: event.trace_id, span_type: type }) as unknown as Fields;
    const span = { ...entry.span } as unknown as Fields;
    const later = new Map(entry.later ?? []);
    const set = (field: string, known: string, value: unknown) => {
      if (seq <= (later.get(known) ?? entry.seq)) return;
      later.set(known, seq);
      if (value === undefined) delete span[field];
      else span[field] = value;
    };
    for (const field of Object.keys(updates)) {
      if (field === ATTRIBUTES) {
        if (seq <= (later.get(ATTRIBUTES) ?? entry.seq)) continue;
        for (const name of TOLD) set(name, name, light[name]);
        later.set(ATTRIBUTES, seq);
      } else if (field === "annotations") set("notes", "notes", light.notes);
      else set(field, field, light[field]);
    }
    this.version++;
    this.entries.set(span_id, { span: span as unknown as LightSpan, seq: entry.seq, later });
  }

  private remove(seq: number): void {
    if (seq <= Math.max(this.seq, this.deletedSeq)) return;
    this.deletedSeq = seq;
    this.deleted = this.summarySeq < seq;
    this.version++;
    for (const id of this.entries.keys()) if (this.seqOf(id) < seq) this.entries.delete(id);
  }
}

type Fields = Record<string, unknown>;

/** `whole`, known at `seq`, with what `entry` knows of a later change. */
function merged(entry: Entry | undefined, whole: LightSpan, seq: number): Entry {
  if (entry !== undefined && entry.seq > seq) return entry;
  const span = { ...whole } as unknown as Fields;
  const later = new Map([...(entry?.later ?? [])].filter(([, known]) => known > seq));
  const had = (entry?.span ?? {}) as Fields;
  for (const field of later.keys()) if (field !== ATTRIBUTES && field in had) span[field] = had[field];
  return { span: span as unknown as LightSpan, seq, later: later.size ? later : null };
}
