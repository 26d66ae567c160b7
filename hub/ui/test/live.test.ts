import assert from "node:assert/strict";
import { test } from "node:test";
import type { Span, TraceDetail, TracePage, TraceSummary } from "../src/api/schema.ts";
import { delayBefore } from "../src/live/backoff.ts";
import { kindOf, type LiveEvent } from "../src/model/events.ts";
import { OpenTrace } from "../src/model/open_trace.ts";
import { TraceList } from "../src/model/trace_list.ts";
import { madeSpan, madeTrace } from "./made.ts";

/** Numbers from 0 to n - 1, the same in every run. */
function dice(seed: number): (n: number) => number {
  let state = seed + 1;
  return (n) => {
    state = (state * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * n);
  };
}

function shuffled<T>(list: readonly T[], random: (n: number) => number): T[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = random(i + 1);
    [result[i], result[j]] = [result[j]!, result[i]!];
  }
  return result;
}

// ---------------------------------------------------------------- one trace

/** A server with one trace, that does random things and says so. */
class Trace {
  seq = 0;
  spans = new Map<string, Span>();
  said: LiveEvent[] = [];
  constructor(private readonly random: (n: number) => number) {}

  step(): void {
    this.seq++;
    const id = `s${this.random(6)}`;
    const known = this.spans.get(id);
    const change = this.random(20);
    if (change === 0) {
      this.spans.clear();
      this.said.push({ event: "traces_deleted", seq: this.seq, trace_ids: ["t"] });
    } else if (known === undefined) {
      const made = madeSpan(id, { name: `${id} at ${this.seq}` });
      this.spans.set(id, made);
      this.said.push({ event: "span_created", seq: this.seq, span: made });
    } else {
      const updates: Partial<Span> =
        change < 7
          ? { name: `${id} at ${this.seq}` }
          : change < 13
            ? { status: this.random(2) ? "ok" : "error", end_time: this.seq, duration_ms: this.seq }
            : { attributes: { "llm.tokens.total": this.seq }, span_type: "llm_call" };
      this.spans.set(id, { ...known, ...updates });
      this.said.push({ event: "span_updated", seq: this.seq, span_id: id, trace_id: "t", updates });
    }
    this.seq++;
    this.said.push({ event: "trace_updated", seq: this.seq, trace: madeTrace("t", { span_count: this.spans.size }) });
  }

  snapshot(): TraceDetail {
    const light = [...this.spans.values()].map(({ attributes, ...rest }) => ({
      ...rest,
      tokens: (attributes["llm.tokens.total"] as number) ?? null,
    }));
    return { ...madeTrace("t", { span_count: this.spans.size }), seq: this.seq, spans: light as unknown as Span[] };
  }
}

function told(trace: OpenTrace): unknown {
  return trace
    .spans()
    .map(({ span_id, name, status, end_time, tokens }) => ({ span_id, name, status, end_time, tokens: tokens ?? null }))
    .sort((a, b) => (a.span_id < b.span_id ? -1 : 1));
}

function truth(server: Trace): unknown {
  return [...server.spans.values()]
    .map(({ span_id, name, status, end_time, attributes }) => ({
      span_id,
      name,
      status,
      end_time,
      tokens: attributes["llm.tokens.total"] ?? null,
    }))
    .sort((a, b) => (a.span_id < b.span_id ? -1 : 1));
}

test("a snapshot and the events around it, in the order they come, give what the server has", () => {
  for (let seed = 0; seed < 400; seed++) {
    const random = dice(seed);
    const server = new Trace(random);
    const open = new OpenTrace("t");
    const steps = 5 + random(40);
    const asked = random(steps);
    const answered = asked + random(steps - asked);
    let detail: TraceDetail | null = null;
    let heard = 0;
    for (let i = 0; i < steps; i++) {
      server.step();
      if (i === asked) detail = server.snapshot();
      if (random(3) === 0) for (; heard < server.said.length; heard++) open.apply(server.said[heard]!);
      if (i === answered) open.snapshot(detail!);
    }
    for (; heard < server.said.length; heard++) open.apply(server.said[heard]!);
    // a deletion between snapshot and now leaves the events after it, which are whole
    assert.deepEqual(told(open), truth(server), `seed ${seed}`);
  }
});

test("events after a snapshot in any order, some twice, give what the server has", () => {
  for (let seed = 0; seed < 400; seed++) {
    const random = dice(seed);
    const server = new Trace((n) => (n === 20 ? 1 + random(19) : random(n))); // no deletion
    for (let i = 0; i < 25; i++) server.step();
    const open = new OpenTrace("t");
    open.snapshot(server.snapshot());
    const heard = server.said.length;
    for (let i = 0; i < 20; i++) server.step();
    const late = server.said
      .slice(heard)
      .filter((e) => e.event !== "span_created" || open.span(e.span.span_id) === undefined);
    const created = late.filter((event) => event.event === "span_created");
    const rest = late.filter((event) => event.event !== "span_created");
    for (const event of [...created, ...shuffled([...rest, ...rest], random)]) open.apply(event);
    assert.equal(open.gap, false);
    assert.deepEqual(told(open), truth(server), `seed ${seed}`);
  }
});

test("whatever is lost or turned around, the next snapshot heals it, and no older one undoes that", () => {
  for (let seed = 0; seed < 400; seed++) {
    const random = dice(seed);
    const server = new Trace(random);
    const open = new OpenTrace("t");
    for (let i = 0; i < 15; i++) server.step();
    const old = server.snapshot();
    for (let i = 0; i < 15; i++) server.step();
    const heard = shuffled(server.said, random).filter(() => random(3) > 0);
    for (const event of heard) open.apply(event);
    open.snapshot(server.snapshot());
    open.snapshot(old);
    for (const event of heard) open.apply(event);
    assert.deepEqual(told(open), truth(server), `seed ${seed}`);
  }
});

test("an update of a span nobody knows asks for a snapshot", () => {
  const open = new OpenTrace("t");
  open.snapshot({ ...madeTrace("t"), seq: 1, spans: [] });
  open.apply({ event: "span_updated", seq: 2, span_id: "s", trace_id: "t", updates: { name: "n" } });
  assert.equal(open.gap, true);
  assert.equal(open.snapshot({ ...madeTrace("t"), seq: 2, spans: [madeSpan("s")] }), 1);
  assert.equal(open.gap, false);
});

test("attributes that were too large for an event ask for a snapshot too", () => {
  const open = new OpenTrace("t");
  open.apply({ event: "span_created", seq: 2, span: madeSpan("s"), attributes_omitted: true });
  assert.equal(open.gap, true);
  assert.equal(open.size, 1);
});

test("events of another trace change nothing", () => {
  const open = new OpenTrace("t");
  open.apply({ event: "span_created", seq: 2, span: madeSpan("s", { trace_id: "other" }) });
  open.apply({ event: "trace_updated", seq: 3, trace: madeTrace("other") });
  open.apply({ event: "traces_deleted", seq: 4, trace_ids: ["other"] });
  assert.equal(open.version, 0);
});

test("a trace that is deleted says so, and comes back when it is made again", () => {
  const open = new OpenTrace("t");
  open.snapshot({ ...madeTrace("t"), seq: 1, spans: [madeSpan("s")] });
  open.apply({ event: "traces_deleted", seq: 2, trace_ids: ["t"] });
  assert.deepEqual([open.deleted, open.size], [true, 0]);
  open.snapshot({ ...madeTrace("t"), seq: 1, spans: [madeSpan("s")] });
  assert.equal(open.size, 0, "the old snapshot was on its way");
  open.apply({ event: "trace_created", seq: 3, trace: madeTrace("t") });
  open.apply({ event: "span_created", seq: 4, span: madeSpan("new") });
  assert.deepEqual([open.deleted, open.size], [false, 1]);
});

// ---------------------------------------------------------------- the list

/** A server with many traces: newest first, pages by cursor. */
class Traces {
  seq = 0;
  made = 0;
  rows: TraceSummary[] = [];
  said: LiveEvent[] = [];
  constructor(private readonly random: (n: number) => number) {}

  step(): void {
    this.seq++;
    const change = this.random(10);
    if (this.rows.length === 0 || change < 4) {
      const made = madeTrace(`t${this.made++}`, { created_at: this.seq });
      this.rows.unshift(made);
      this.said.push({ event: "trace_created", seq: this.seq, trace: made });
    } else if (change < 5) {
      const [gone] = this.rows.splice(this.random(this.rows.length), 1);
      this.said.push({ event: "traces_deleted", seq: this.seq, trace_ids: [gone!.trace_id] });
    } else {
      const i = this.random(this.rows.length);
      const trace = {
        ...this.rows[i]!,
        status: (["ok", "error", "unset"] as const)[this.random(3)]!,
        span_count: this.seq,
      };
      this.rows[i] = trace;
      this.said.push({ event: "trace_updated", seq: this.seq, trace });
    }
  }

  page(next: TraceList["next"], limit: number, matches: (trace: TraceSummary) => boolean): TracePage {
    const before = next !== null && "cursor" in next ? Number(next.cursor) : Number.POSITIVE_INFINITY;
    const all = this.rows.filter(matches);
    const rest = all.filter((trace) => trace.created_at < before);
    const traces = rest.slice(0, limit);
    return {
      traces,
      limit,
      offset: 0,
      seq: this.seq,
      ...(Number.isFinite(before) ? {} : { total: all.length }),
      ...(rest.length > limit ? { next_cursor: String(traces.at(-1)!.created_at) } : {}),
    };
  }
}

function shownBy(list: TraceList): TraceSummary[] {
  return Array.from({ length: list.loaded }, (_, i) => list.at(i)!);
}

for (const [what, matches] of [
  ["all traces", () => true],
  ["those that failed", (trace: TraceSummary) => trace.status === "error"],
] as const) {
  test(`the list of ${what}, loaded page by page while it changes, ends up as the server has it`, () => {
    for (let seed = 0; seed < 400; seed++) {
      const random = dice(seed);
      const server = new Traces(random);
      const list = new TraceList(matches, true);
      for (let i = 0; i < 30; i++) server.step();
      let heard = server.said.length;
      const hear = () => {
        for (; heard < server.said.length; heard++) list.apply(server.said[heard]!, random(2) === 0);
      };
      do {
        const page = server.page(list.next, 1 + random(6), matches);
        // what happens while the answer is on its way is heard before it
        for (let i = random(3); i > 0; i--) server.step();
        hear();
        list.page(page);
      } while (list.next !== null);
      for (let i = 0; i < 10; i++) server.step();
      hear();
      list.release();
      assert.deepEqual(shownBy(list), server.rows.filter(matches), `seed ${seed}`);
      assert.equal(list.total, list.loaded);
    }
  });
}

test("events in any order, some twice, leave the newest state of every row", () => {
  for (let seed = 0; seed < 200; seed++) {
    const random = dice(seed);
    const server = new Traces(random);
    for (let i = 0; i < 10; i++) server.step();
    const list = new TraceList(() => true, true);
    list.page(server.page(null, 100, () => true));
    const heard = server.said.length;
    for (let i = 0; i < 30; i++) server.step();
    const late = server.said.slice(heard);
    for (const event of shuffled([...late, ...late], random)) list.apply(event, false);
    assert.deepEqual(shownBy(list), server.rows, `seed ${seed}`);
  }
});

test("new rows wait while somebody reads further down", () => {
  const list = new TraceList(() => true, true);
  list.page({ traces: [madeTrace("a", { created_at: 1 })], limit: 1, offset: 0, seq: 1, total: 1 });
  list.apply({ event: "trace_created", seq: 2, trace: madeTrace("b", { created_at: 2 }) }, true);
  list.apply({ event: "trace_updated", seq: 3, trace: madeTrace("b", { created_at: 2, span_count: 7 }) }, true);
  assert.deepEqual([list.held, list.loaded], [1, 1]);
  list.release();
  assert.deepEqual(
    shownBy(list).map((row) => [row.trace_id, row.span_count]),
    [
      ["b", 7],
      ["a", 1],
    ],
  );
});

test("rows that a new list brings wait too, above the one that was on top", () => {
  const list = new TraceList(() => true, true);
  const rows = [3, 2, 1].map((n) => madeTrace(`t${n}`, { created_at: n }));
  list.page({ traces: rows, limit: 9, offset: 0, seq: 5, total: 3 });
  list.holdAbove("t1");
  assert.deepEqual([shownBy(list).map((row) => row.trace_id), list.held, list.total], [["t1"], 2, 3]);
  list.release();
  assert.deepEqual(
    shownBy(list).map((row) => row.trace_id),
    ["t3", "t2", "t1"],
  );
});

test("an order the server made stays as it is: rows change in place, new ones wait", () => {
  const list = new TraceList(() => true, false);
  list.page({ traces: [madeTrace("a"), madeTrace("b")], limit: 2, offset: 0, seq: 1, total: 3 });
  list.apply({ event: "trace_updated", seq: 2, trace: madeTrace("b", { duration_ms: 9 }) }, false);
  list.apply({ event: "trace_created", seq: 3, trace: madeTrace("c") }, false);
  assert.deepEqual(
    shownBy(list).map((row) => row.trace_id),
    ["a", "b"],
  );
  assert.deepEqual([list.held, list.at(1)!.duration_ms], [1, 9]);
  assert.deepEqual(list.next, { offset: 2 });
});

test("what only the server can judge asks for it", () => {
  const list = new TraceList(() => undefined, true);
  list.page({ traces: [madeTrace("a")], limit: 2, offset: 0, seq: 1, total: 1 });
  list.apply({ event: "trace_updated", seq: 2, trace: madeTrace("a", { span_count: 5 }) }, false);
  assert.deepEqual([list.stale, list.at(0)!.span_count], [false, 5]);
  list.apply({ event: "trace_created", seq: 3, trace: madeTrace("b") }, false);
  assert.deepEqual([list.stale, list.loaded], [true, 1]);
});

// ---------------------------------------------------------------- frames, attempts

test("the kind of a frame stands in its first bytes", () => {
  assert.equal(kindOf('{"event":"span_created","seq":1,"span":{}}'), "span_created");
  assert.equal(kindOf('{"error":"no"}'), "");
});

test("attempts come further apart, up to ten seconds, and not all at once", () => {
  assert.deepEqual(
    [1, 2, 3, 4, 5, 6, 100].map((attempt) => delayBefore(attempt, 0.5)),
    [500, 1000, 2000, 4000, 8000, 10_000, 10_000],
  );
  assert.deepEqual([delayBefore(1, 0), delayBefore(1, 1)], [400, 600]);
});
