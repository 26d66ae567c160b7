// The list of traces as a function of pages and live events, in whatever order they come. Pure.
//
// Every row carries the change number it is known at; what is older than that never replaces it. A page is a snapshot at
// its `seq`, an event says one row's state at its own: so a page that was asked for before an event and answered after it
// changes nothing that is newer.
import type { TracePage, TraceSummary } from "../api/schema.ts";
import type { LiveEvent } from "./events.ts";

/** Whether a trace belongs in the list: undefined where only the server can tell. */
export type Belongs = (trace: TraceSummary) => boolean | undefined;

interface Entry {
  trace: TraceSummary;
  seq: number;
}

export class TraceList {
  /** Ids in the order they are shown. */
  private ids: string[] = [];
  private readonly shown = new Set<string>();
  private readonly known = new Map<string, Entry>();
  private readonly gone = new Map<string, number>();
  private readonly heldIds = new Set<string>();
  /** Those that belong here by an event, but whose place no page has reached yet. */
  private readonly below = new Set<string>();
  /** When the last trace of the last page was created: what is older has its place on pages to come. */
  private edge = Number.POSITIVE_INFINITY;
  private cursor: string | null = null;
  private count: number | null = null;
  private fetched = 0;
  private ended = false;
  /** Goes up with every change: what is drawn from the list is drawn again when it has. */
  version = 0;
  /** Only the server can tell whether something belongs here: ask it for the first page again. */
  stale = false;

  /** `newest`: in the order of creation, newest first, in which live traces find their place by themselves; else an order
   * the server made, which stays as it was fetched while its rows change in place. */
  constructor(
    readonly belongs: Belongs,
    readonly newest: boolean,
  ) {}

  /** How many rows the whole list has, as far as is known. */
  get total(): number {
    return Math.max(this.count ?? 0, this.ids.length);
  }

  /** How many rows are here, from the first on. */
  get loaded(): number {
    return this.ids.length;
  }

  /** How many new traces are waiting to be let in. */
  get held(): number {
    return this.heldIds.size;
  }

  /** Whether every row is here. */
  get complete(): boolean {
    return this.ended;
  }

  /** Where the next page begins: a cursor in created order, else an offset. */
  get next(): { cursor: string } | { offset: number } | null {
    if (this.ended) return null;
    if (this.newest && this.cursor !== null) return { cursor: this.cursor };
    return { offset: this.fetched };
  }

  at(index: number): TraceSummary | undefined {
    const id = this.ids[index];
    return id === undefined ? undefined : this.known.get(id)?.trace;
  }

  get(id: string): TraceSummary | undefined {
    return this.shown.has(id) ? this.known.get(id)?.trace : undefined;
  }

  indexOf(id: string): number {
    return this.ids.indexOf(id);
  }

  /** Take in the next page. */
  page(page: TracePage): void {
    this.version++;
    const first = this.fetched === 0;
    if (page.total !== undefined && page.total !== null && (first || !this.newest)) this.count = page.total;
    this.fetched += page.traces.length;
    this.cursor = page.next_cursor ?? null;
    this.ended = this.newest
      ? this.cursor === null
      : page.traces.length === 0 || (this.count !== null && this.fetched >= this.count);
    this.edge = page.traces.at(-1)?.created_at ?? this.edge;
    for (const trace of page.traces) {
      const id = trace.trace_id;
      if ((this.gone.get(id) ?? -1) > page.seq) continue;
      const entry = this.known.get(id);
      if (entry === undefined || entry.seq <= page.seq) this.known.set(id, { trace, seq: page.seq });
      // an event newer than the page may say that the trace does not belong here any more
      else if (this.belongs(entry.trace) === false) continue;
      if (this.has(id)) continue;
      this.ids.push(id);
      this.shown.add(id);
    }
    for (const id of this.below) {
      const entry = this.known.get(id);
      if (entry !== undefined && !this.reaches(entry.trace)) continue;
      this.below.delete(id);
      // a page as new as the event would have the trace, if it belonged there
      if (entry === undefined || this.has(id) || entry.seq <= page.seq) continue;
      if (this.newest) this.insert(id);
      else this.heldIds.add(id);
      if (this.count !== null) this.count++;
    }
    if (this.ended && this.newest) this.count = this.ids.length + this.heldIds.size;
  }

  /** Take in a live event; new traces wait where `hold` says so, until `release`. */
  apply(event: LiveEvent, hold: boolean): void {
    switch (event.event) {
      case "trace_created":
      case "trace_updated":
        this.upsert(event.trace, event.seq, hold || !this.newest);
        return;
      case "traces_deleted":
        for (const id of event.trace_ids) this.remove(id, event.seq);
        return;
      default:
        return;
    }
  }

  /** Let in what waits. */
  release(): void {
    if (this.heldIds.size === 0) return;
    this.version++;
    const held = [...this.heldIds].sort((a, b) => this.createdAt(a) - this.createdAt(b));
    this.heldIds.clear();
    for (const id of held) this.insert(id);
  }

  /** Have those above the row `id` wait, if it is here: they are newer than what was on top. */
  holdAbove(id: string | undefined): void {
    const at = id === undefined ? -1 : this.ids.indexOf(id);
    if (at <= 0) return;
    this.version++;
    for (const above of this.ids.splice(0, at)) {
      this.shown.delete(above);
      this.heldIds.add(above);
    }
  }

  private upsert(trace: TraceSummary, seq: number, hold: boolean): void {
    const id = trace.trace_id;
    if ((this.gone.get(id) ?? -1) >= seq || (this.known.get(id)?.seq ?? -1) >= seq) return;
    const belongs = this.belongs(trace);
    const shown = this.has(id);
    this.known.set(id, { trace, seq });
    if (belongs === undefined) {
      // a row that is here stays until the server says otherwise
      if (!shown) this.stale = true;
      else this.version++;
      return;
    }
    if (belongs && shown) this.version++;
    else if (belongs) {
      if (!this.reaches(trace)) {
        this.below.add(id);
        return;
      }
      this.version++;
      if (this.count !== null) this.count++;
      if (hold) this.heldIds.add(id);
      else this.insert(id);
    } else {
      this.below.delete(id);
      if (shown) this.drop(id);
    }
  }

  private remove(id: string, seq: number): void {
    if ((this.gone.get(id) ?? -1) >= seq || (this.known.get(id)?.seq ?? -1) >= seq) return;
    this.gone.set(id, seq);
    this.below.delete(id);
    if (this.has(id)) this.drop(id);
    else if (this.count !== null && !this.ended) this.stale = true;
    this.known.delete(id);
  }

  private has(id: string): boolean {
    return this.heldIds.has(id) || this.shown.has(id);
  }

  private drop(id: string): void {
    this.version++;
    this.heldIds.delete(id);
    if (this.shown.delete(id)) this.ids = this.ids.filter((other) => other !== id);
    if (this.count !== null) this.count--;
  }

  /** Whether a trace's place is among the rows that are here; below them it comes with its page. */
  private reaches(trace: TraceSummary): boolean {
    return this.ended || (this.newest ? trace.created_at >= this.edge : this.fetched > 0);
  }

  private createdAt(id: string): number {
    return this.known.get(id)?.trace.created_at ?? 0;
  }

  private insert(id: string): void {
    const created = this.createdAt(id);
    // nearly always on top
    let at = 0;
    if (this.newest) {
      while (at < this.ids.length && this.createdAt(this.ids[at]!) > created) at++;
    }
    this.ids.splice(at, 0, id);
    this.shown.add(id);
  }
}
