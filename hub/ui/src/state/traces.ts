// The list of traces as it is shown: its pages, what comes live, what waits.
import { signal } from "@preact/signals";
import { ask, type Failure } from "../api/client.ts";
import type { TracePage, TraceSummary } from "../api/schema.ts";
import { type Listener, live } from "../live/connection.ts";
import type { LiveEvent } from "../model/events.ts";
import { belongs, type ListQuery, parseFilter, toQuery } from "../model/filter.ts";
import { plural } from "../model/format.ts";
import { TraceList } from "../model/trace_list.ts";
import { sayCaughtUp } from "./caught_up.ts";

export type Sort = NonNullable<ListQuery["sort"]>;
export const NEWEST: Sort = "-created_at";

const FIRST_PAGE = 100;
const PAGE = 200;
/** Rows asked for ahead of the last one that can be seen. */
const AHEAD = 100;
/** Rows that lie further beyond those that are here are fetched by their place, without all that stand between. */
const JUMP = 600;
/** How long the first page waits for the live stream, so that nothing falls between the two. */
const JOIN_MS = 250;
const REFRESH_MS = 400;

const KINDS = new Set(["trace_created", "trace_updated", "traces_deleted"]);

export class TracesStore implements Listener {
  readonly kinds = KINDS;
  readonly traceId = null;
  /** Changes whenever the list has: read it to be drawn again. */
  readonly version = signal(0);
  /** Nothing has been answered yet. */
  readonly loading = signal(true);
  /** Why what is shown may be old, or not there. */
  readonly failure = signal<Failure | null>(null);
  list: TraceList;

  private query: ListQuery = {};
  private filterText = "";
  private sort: Sort = NEWEST;
  private run: AbortController | null = null;
  private fresh: TraceList | null = null;
  private more: Promise<void> | null = null;
  private wanted = 0;
  /** The rows in sight: what they lose when places change is asked for again. */
  private sight: readonly [first: number, last: number] = [0, 0];
  /** Rows of pages that were jumped to, by their place; gone as soon as places change. */
  private readonly far = new Map<number, TraceSummary>();
  private readonly farPages = new Set<number>();
  private hold = false;
  private stop: (() => void) | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private refreshing: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.list = this.make();
  }

  /** Show what this filter and order give, live until `leave`. Rows of before stay until the new ones are there, if they
   * are of the same filter and order. */
  show(filterText: string, sort: Sort): void {
    const same = filterText === this.filterText && sort === this.sort && !this.loading.value;
    this.filterText = filterText;
    this.sort = sort;
    if (!same) {
      this.wanted = 0;
      this.sight = [0, 0];
      this.query = this.ask();
      this.list = this.make();
      this.forgetFar();
      this.loading.value = true;
      this.version.value++;
    }
    if (this.stop === null) {
      this.stop = live.listen(this);
      // joined() comes before this when the stream is there
      this.timer = setTimeout(() => void this.reload(), JOIN_MS);
    } else void this.reload();
  }

  leave(): void {
    this.stop?.();
    this.stop = null;
    clearTimeout(this.timer);
    clearTimeout(this.refreshing);
    this.run?.abort();
    this.run = null;
    this.fresh = null;
  }

  /** Whether new traces wait: somebody reads further down, and the rows must not move. */
  setHold(hold: boolean): void {
    if (this.hold === hold) return;
    this.hold = hold;
    if (!hold) this.release();
  }

  /** Let in what waits; in an order the server made, ask for it again. */
  release(): void {
    if (!this.list.newest) {
      if (this.list.held > 0) void this.reload();
      return;
    }
    this.list.release();
    this.version.value++;
  }

  /** See that the rows from `first` to `last` are here or on their way. */
  ensure(first: number, last: number): void {
    this.sight = [first, last];
    if (first > this.list.loaded + JUMP) {
      for (let page = Math.floor(first / PAGE); page <= Math.floor(last / PAGE); page++) void this.jump(page);
      return;
    }
    this.wanted = last + AHEAD;
    this.fill();
  }

  /** The row at a place, if it is here. */
  at(index: number): TraceSummary | undefined {
    return this.list.at(index) ?? this.far.get(index);
  }

  /** Where a trace stands among the rows that are here, or -1. */
  indexOf(id: string): number {
    const at = this.list.indexOf(id);
    if (at >= 0) return at;
    for (const [index, trace] of this.far) if (trace.trace_id === id) return index;
    return -1;
  }

  /** Fetch the page of rows that begins at `page` * PAGE, wherever the rows before it are. */
  private async jump(page: number): Promise<void> {
    const { list } = this;
    if (this.farPages.has(page) || this.loading.value) return;
    this.farPages.add(page);
    const answer = await ask("GET /v1/traces", {
      query: { ...this.query, sort: this.sort, limit: PAGE, offset: page * PAGE + list.held, count: false },
    });
    if (list !== this.list || !this.farPages.has(page)) return;
    if (answer.ok) answer.value.traces.forEach((trace, i) => void this.far.set(page * PAGE + i, trace));
    else {
      this.farPages.delete(page);
      this.fail(answer.failure);
    }
    this.version.value++;
  }

  /** See again to the rows in sight: other traces stand in their places now. */
  private ensureSight(): void {
    this.ensure(Math.min(this.sight[0], Math.max(0, this.list.total - this.list.held - 1)), this.sight[1]);
  }

  private forgetFar(): void {
    this.far.clear();
    this.farPages.clear();
  }

  private fill(): void {
    if (
      this.more === null &&
      this.run === null &&
      this.list.loaded < this.wanted &&
      this.list.next !== null &&
      !this.loading.value
    ) {
      const { list } = this;
      this.more = this.loadMore().finally(() => {
        this.more = null;
        // another list took its place meanwhile, and has to be filled as far
        if (list !== this.list) this.fill();
      });
    }
  }

  /** Fetch everything again that is shown, and put it in place of the old at once. Gives whether it worked. */
  async reload(): Promise<boolean> {
    clearTimeout(this.timer);
    this.run?.abort();
    const run = new AbortController();
    this.run = run;
    this.query = this.ask();
    const fresh = this.make();
    this.fresh = fresh;
    const target = Math.min(this.wanted, this.list.loaded);
    do {
      const page = await this.page(fresh, run.signal);
      if (this.run !== run) return false;
      if (page === null) {
        this.run = null;
        this.fresh = null;
        return false;
      }
      fresh.page(page);
    } while (fresh.loaded < target && fresh.next !== null);
    this.run = null;
    this.fresh = null;
    // who reads further down must not have the rows moved by what this brought
    if (this.hold && !this.loading.value) fresh.holdAbove(this.list.at(0)?.trace_id);
    this.list = fresh;
    this.forgetFar();
    this.loading.value = false;
    this.failure.value = null;
    this.version.value++;
    this.ensureSight();
    return true;
  }

  // ---------------------------------------------------------------- live

  events(events: readonly unknown[]): void {
    const before = this.list.version;
    const total = this.list.total - this.list.held;
    for (const event of events as readonly LiveEvent[]) {
      this.list.apply(event, this.hold);
      if (event.event === "trace_updated") this.refreshFar(event.trace);
      this.fresh?.apply(event, false);
    }
    if (this.list.total - this.list.held !== total && this.farPages.size > 0) {
      this.forgetFar(); // other rows stand in their places
      this.ensureSight();
    }
    if (this.list.stale) this.refreshSoon();
    if (this.list.version !== before) this.version.value++;
  }

  private refreshFar(trace: TraceSummary): void {
    if (this.far.size === 0) return;
    for (const [index, known] of this.far) {
      if (known.trace_id !== trace.trace_id) continue;
      this.far.set(index, trace);
      this.version.value++;
    }
  }

  resync(why: "joined" | "reconnected" | "behind"): void {
    void this.catchUp(why === "reconnected");
  }

  private async catchUp(say: boolean): Promise<void> {
    const before = this.list.total + this.list.held;
    if ((await this.reload()) && say) {
      const fresh = Math.max(0, this.list.total - before);
      sayCaughtUp(fresh === 0 ? "Caught up: nothing new" : `Caught up: ${plural(fresh, "new trace")}`);
    }
  }

  /** The server has to say what belongs here: soon, and not for every event of a busy moment. */
  private refreshSoon(): void {
    this.refreshing ??= setTimeout(() => {
      this.refreshing = undefined;
      if (this.stop !== null && this.run === null) void this.reload();
    }, REFRESH_MS);
  }

  // ---------------------------------------------------------------- pages

  private async loadMore(): Promise<void> {
    const { list } = this;
    while (list === this.list && list.loaded < this.wanted && list.next !== null) {
      const controller = new AbortController();
      const page = await this.page(list, controller.signal);
      if (page === null || list !== this.list) return;
      list.page(page);
      this.version.value++;
    }
  }

  private async page(list: TraceList, signal: AbortSignal): Promise<TracePage | null> {
    const first = list.loaded === 0;
    const query: ListQuery = {
      ...this.query,
      sort: this.sort,
      limit: first ? FIRST_PAGE : PAGE,
      ...list.next,
      count: first || !list.newest,
    };
    if ("offset" in query && query.offset === 0) delete query.offset;
    const answer = await ask("GET /v1/traces", { query, signal });
    if (answer.ok) return answer.value;
    this.fail(answer.failure);
    return null;
  }

  private fail(failure: Failure): void {
    if (failure.kind === "aborted") return;
    this.failure.value = failure;
    this.version.value++;
    if (failure.kind !== "busy") return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.reload(), failure.retryAfter * 1000);
  }

  private ask(): ListQuery {
    return toQuery(parseFilter(this.filterText), Date.now() / 1000);
  }

  private make(): TraceList {
    const { query } = this;
    return new TraceList((trace) => belongs(query, trace), this.sort === NEWEST);
  }
}

/** The one list of this page: it is still there when somebody comes back to it. */
export const traces = new TracesStore();
