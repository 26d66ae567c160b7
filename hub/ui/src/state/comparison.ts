// Two runs that are compared: read once each, aligned, then what was said in them laid side by side.
import { computed, signal } from "@preact/signals";
import { ask, type Failure } from "../api/client.ts";
import type { TraceSummary } from "../api/schema.ts";
import { type AlignRow, alignTrees } from "../model/align.ts";
import { contentsOf, differing } from "../model/contents.ts";
import { type Part, type Step, stepsOf } from "../model/divergence.ts";
import { OpenTrace } from "../model/open_trace.ts";
import { buildTree, type Tree } from "../model/tree.ts";
import { Detail } from "./trace.ts";

/** Spans of a run beyond which its contents are read only when somebody asks for them. */
export const CONTENTS_MAX = 1_000;
/** So long the page may stand still while contents are laid side by side. */
const SLICE_MS = 12;

export interface Side {
  summary: TraceSummary;
  tree: Tree;
}

export type Loaded = { a: Side; b: Side; rows: readonly AlignRow[] };

export class Comparison {
  readonly loaded = signal<Loaded | null>(null);
  /** Why there is nothing to compare, and of which run. */
  readonly failure = signal<{ side: "a" | "b"; failure: Failure } | null>(null);
  /** What was said and done: read with the runs, on demand, or not to be had. */
  readonly contents = signal<"reading" | "read" | "many" | "failed">("reading");
  private readonly parts = signal<ReadonlyMap<AlignRow, readonly Part[]>>(new Map());
  readonly steps = computed<readonly Step[]>(() => {
    const rows = this.loaded.value?.rows ?? [];
    const parts = this.parts.value;
    return stepsOf(rows, (row) => parts.get(row));
  });
  private abort = new AbortController();
  private readonly details = new Map<string, Detail>();

  constructor(
    readonly a: string,
    readonly b: string,
  ) {}

  async load(): Promise<void> {
    this.abort.abort();
    this.abort = new AbortController();
    const { signal: stop } = this.abort;
    this.failure.value = null;
    this.details.clear();
    const [a, b] = await Promise.all([this.side("a", stop), this.side("b", stop)]);
    if (a === null || b === null || stop.aborted) return;
    const rows = alignTrees(a.tree, b.tree);
    this.parts.value = new Map();
    this.loaded.value = { a, b, rows };
    const many = Math.max(a.tree.order.length, b.tree.order.length) > CONTENTS_MAX;
    this.contents.value = many ? "many" : "reading";
    if (!many) await this.readContents();
  }

  leave(): void {
    this.abort.abort();
  }

  /** Read what was said in every step of both runs, and tell which pairs differ in it. */
  async readContents(): Promise<void> {
    const { signal: stop } = this.abort;
    const loaded = this.loaded.value;
    if (loaded === null) return;
    this.contents.value = "reading";
    const whole = (trace_id: string) => ask("GET /v1/traces/{trace_id}", { path: { trace_id }, signal: stop });
    const [a, b] = await Promise.all([whole(this.a), whole(this.b)]);
    if (stop.aborted) return;
    if (!a.ok || !b.ok) {
      this.contents.value = "failed";
      return;
    }
    const ofA = new Map(a.value.spans.map((span) => [span.span_id, span]));
    const ofB = new Map(b.value.spans.map((span) => [span.span_id, span]));
    const parts = new Map<AlignRow, readonly Part[]>();
    let began = performance.now();
    for (const row of loaded.rows) {
      const one = row.a === null ? undefined : ofA.get(row.a.span.span_id);
      const two = row.b === null ? undefined : ofB.get(row.b.span.span_id);
      if (one === undefined || two === undefined) continue;
      const found = differing(contentsOf(one), contentsOf(two));
      parts.set(
        row,
        found.map(({ name, outcome }) => ({ name, outcome })),
      );
      if (performance.now() - began > SLICE_MS) {
        await new Promise((then) => setTimeout(then));
        if (stop.aborted) return;
        began = performance.now();
      }
    }
    this.parts.value = parts;
    this.contents.value = "read";
  }

  /** A whole span of one run, fetched when it is first asked for. */
  detail(traceId: string, spanId: string): Detail {
    const key = `${traceId}\n${spanId}`;
    let detail = this.details.get(key);
    if (detail === undefined) {
      detail = new Detail(traceId, spanId);
      this.details.set(key, detail);
      if (this.details.size > DETAILS_MAX) this.details.delete(this.details.keys().next().value!);
    }
    detail.want(0);
    return detail;
  }

  private async side(side: "a" | "b", stop: AbortSignal): Promise<Side | null> {
    const trace_id = this[side];
    const answer = await ask("GET /v1/traces/{trace_id}", {
      path: { trace_id },
      query: { fields: "light" },
      signal: stop,
    });
    if (!answer.ok) {
      if (answer.failure.kind !== "aborted") this.failure.value = { side, failure: answer.failure };
      return null;
    }
    const trace = new OpenTrace(trace_id);
    trace.snapshot(answer.value);
    return { summary: trace.summary!, tree: buildTree(trace.spans()) };
  }
}

const DETAILS_MAX = 40;
