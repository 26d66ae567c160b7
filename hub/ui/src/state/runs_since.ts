// The summaries of all runs since a moment, fetched page by page, and again some time after something has happened.
import { signal } from "@preact/signals";
import { ask, type Failure } from "../api/client.ts";
import type { TraceSummary } from "../api/schema.ts";
import { type Listener, live } from "../live/connection.ts";

const PAGE = 200;
/** Runs beyond which the newest stand for all. */
export const RUNS_MAX = 5_000;
const JOIN_MS = 250;
const AGAIN_MS = 4_000;

export interface Runs {
  traces: readonly TraceSummary[];
  /** How many there are; more than were fetched, where there are too many. */
  total: number;
}

export class RunsSince implements Listener {
  readonly kinds = new Set(["trace_created", "trace_updated", "traces_deleted"]);
  readonly traceId = null;
  readonly runs = signal<Runs | null>(null);
  readonly failure = signal<Failure | null>(null);
  private stop: (() => void) | null = null;
  private abort = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly since: () => number) {}

  enter(): void {
    this.stop = live.listen(this);
    this.timer = setTimeout(() => void this.load(), JOIN_MS);
  }

  leave(): void {
    this.stop?.();
    clearTimeout(this.timer);
    this.timer = undefined;
    this.abort.abort();
  }

  events(): void {
    this.timer ??= setTimeout(() => void this.load(), AGAIN_MS);
  }

  resync(): void {
    void this.load();
  }

  async load(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.abort.abort();
    this.abort = new AbortController();
    const { signal: stop } = this.abort;
    const traces: TraceSummary[] = [];
    let cursor: string | undefined;
    let total = 0;
    do {
      const query = { since: this.since(), limit: PAGE, ...(cursor === undefined ? {} : { cursor, count: false }) };
      const answer = await ask("GET /v1/traces", { query, signal: stop });
      if (stop.aborted) return;
      if (!answer.ok) {
        this.failure.value = answer.failure;
        return;
      }
      traces.push(...answer.value.traces);
      total = answer.value.total ?? total;
      cursor = answer.value.next_cursor ?? undefined;
    } while (cursor !== undefined && traces.length < RUNS_MAX);
    this.failure.value = null;
    this.runs.value = { traces, total: Math.max(total, traces.length) };
  }
}
