// What GET /v1/search finds for what is being typed: the newest question alone counts.
import { signal } from "@preact/signals";
import { ask, type Failure } from "../api/client.ts";
import type { SearchHit } from "../api/schema.ts";

export interface Found {
  query: string;
  /** What hits hold of it, without its fields and quotes. */
  texts: readonly string[];
  hits: readonly SearchHit[];
  total: number;
  /** There are more than `total`: it is counted to ten thousand. */
  more: boolean;
}

const PAUSE_MS = 150;
const PAGE = 50;
const QUERY_MAX = 500;

export class Search {
  readonly found = signal<Found | null>(null);
  readonly failure = signal<Failure | null>(null);
  /** Something was asked and has not been answered. */
  readonly busy = signal(false);
  private timer: ReturnType<typeof setTimeout> | undefined;
  private run: AbortController | null = null;

  /** Look for `text` once nobody has typed for a moment. What was found before stays until then. */
  ask(text: string): void {
    this.leave();
    const query = text.trim().slice(0, QUERY_MAX);
    if (query === "") {
      this.found.value = null;
      this.failure.value = null;
      this.busy.value = false;
      return;
    }
    this.busy.value = true;
    this.timer = setTimeout(() => void this.fetch(query, []), PAUSE_MS);
  }

  /** The next hits of what was found. */
  more(): void {
    const found = this.found.value;
    if (found !== null && !this.busy.value) void this.fetch(found.query, found.hits);
  }

  leave(): void {
    clearTimeout(this.timer);
    this.run?.abort();
    this.run = null;
  }

  private async fetch(query: string, before: readonly SearchHit[]): Promise<void> {
    const run = new AbortController();
    this.run = run;
    this.busy.value = true;
    const answer = await ask("GET /v1/search", {
      query: { q: query, limit: PAGE, offset: before.length },
      signal: run.signal,
    });
    if (this.run !== run) return;
    this.busy.value = false;
    if (!answer.ok) {
      this.failure.value = answer.failure;
      return;
    }
    const { results, total, total_relation, texts } = answer.value;
    const known = new Set(before.map((hit) => `${hit.trace_id}/${hit.span_id}`));
    // spans that came meanwhile move the pages on by as many
    const fresh = results.filter((hit) => !known.has(`${hit.trace_id}/${hit.span_id}`));
    this.failure.value = null;
    this.found.value = { query, texts, hits: [...before, ...fresh], total, more: total_relation === "gte" };
  }
}
