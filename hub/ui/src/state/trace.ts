// The trace that is open: its spans without their attributes, live; the attributes of the span looked at.
import { computed, signal } from "@preact/signals";
import { ask, type Failure } from "../api/client.ts";
import type { WholeSpan } from "../api/schema.ts";
import { type Listener, live } from "../live/connection.ts";
import type { LiveEvent } from "../model/events.ts";
import { plural } from "../model/format.ts";
import { OpenTrace } from "../model/open_trace.ts";
import { buildTree } from "../model/tree.ts";
import { sayCaughtUp } from "./caught_up.ts";

const KINDS = new Set(["trace_created", "trace_updated", "traces_deleted", "span_created", "span_updated"]);
const JOIN_MS = 250;
const HEAL_MS = 300;

/** One open trace: made by its page, and left with it. */
export class TraceStore implements Listener {
  readonly kinds = KINDS;
  readonly version = signal(0);
  readonly loading = signal(true);
  readonly failure = signal<Failure | null>(null);
  readonly trace: OpenTrace;
  /** The spans as a tree, made again when they have changed. */
  readonly tree = computed(() => {
    this.version.value;
    return buildTree(this.trace.spans());
  });

  private stop: (() => void) | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private run: AbortController | null = null;
  private readonly details = new Map<string, Detail>();

  constructor(readonly traceId: string) {
    this.trace = new OpenTrace(traceId);
  }

  enter(): void {
    this.stop = live.listen(this);
    this.timer = setTimeout(() => void this.reload(), JOIN_MS);
  }

  leave(): void {
    this.stop?.();
    this.stop = null;
    clearTimeout(this.timer);
    this.run?.abort();
  }

  /** Fetch the trace again. Gives how many spans are new, or null when it failed. */
  async reload(): Promise<number | null> {
    clearTimeout(this.timer);
    this.run?.abort();
    const run = new AbortController();
    this.run = run;
    const answer = await ask("GET /v1/traces/{trace_id}", {
      path: { trace_id: this.traceId },
      query: { fields: "light" },
      signal: run.signal,
    });
    if (this.run !== run) return null;
    this.run = null;
    if (!answer.ok) {
      this.failure.value = answer.failure;
      if (answer.failure.kind === "busy")
        this.timer = setTimeout(() => void this.reload(), answer.failure.retryAfter * 1000);
      if (answer.failure.kind === "refused") this.loading.value = false;
      return null;
    }
    const added = this.trace.snapshot(answer.value);
    this.loading.value = false;
    this.failure.value = null;
    this.version.value++;
    return added;
  }

  /** The whole span, attributes and all: what is known now, fetched when it is not or when it has changed. */
  detail(spanId: string): Detail {
    let detail = this.details.get(spanId);
    if (detail === undefined) {
      detail = new Detail(this.traceId, spanId);
      this.details.set(spanId, detail);
      if (this.details.size > DETAILS_MAX) this.details.delete(this.details.keys().next().value!);
    }
    detail.want(this.trace.seqOf(spanId));
    return detail;
  }

  events(events: readonly unknown[]): void {
    const before = this.trace.version;
    for (const event of events as readonly LiveEvent[]) this.trace.apply(event);
    if (this.trace.gap && this.run === null) {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => void this.reload(), HEAL_MS);
    }
    if (this.trace.version !== before) {
      if (this.trace.size > 0) {
        this.loading.value = false;
        this.failure.value = null;
      }
      this.version.value++;
    }
  }

  resync(why: "joined" | "reconnected" | "behind"): void {
    for (const detail of this.details.values()) detail.retry();
    void this.reload().then((added) => {
      if (added !== null && why === "reconnected") {
        sayCaughtUp(added === 0 ? "Caught up: nothing new" : `Caught up: ${plural(added, "new span")}`);
      }
    });
  }
}

const DETAILS_MAX = 50;

/** One whole span as last fetched. */
export class Detail {
  readonly span = signal<WholeSpan | null>(null);
  readonly failure = signal<Failure | null>(null);
  private wanted = -2;
  private fetching = false;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly traceId: string,
    private readonly spanId: string,
  ) {}

  /** See that what is here is no older than the change `seq`. Every render asks: what failed is not asked for again by
   * that, which was 500 requests a second while Beacon was away, but once it is time, by `retry`, or by hand. */
  want(seq: number): void {
    if (seq <= this.wanted) return;
    this.wanted = seq;
    if (!this.fetching) void this.fetch();
  }

  /** Fetch again what failed. */
  retry(): void {
    if (this.failure.peek() !== null && !this.fetching) void this.fetch();
  }

  async fetch(): Promise<void> {
    clearTimeout(this.timer);
    this.fetching = true;
    for (let got = -3; got < this.wanted; ) {
      got = this.wanted;
      const answer = await ask("GET /v1/spans/{span_id}", {
        path: { span_id: this.spanId },
        query: { trace_id: this.traceId },
      });
      if (answer.ok) {
        this.span.value = answer.value;
        this.failure.value = null;
      } else {
        this.failure.value = answer.failure;
        if (answer.failure.kind === "busy")
          this.timer = setTimeout(() => this.retry(), answer.failure.retryAfter * 1000);
        break;
      }
    }
    this.fetching = false;
  }
}
