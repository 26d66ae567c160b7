// The page's one websocket: opened again when it breaks, and what it brings handed over once a frame of the screen.
import { effect, signal } from "@preact/signals";
import { readToken } from "../api/token.ts";
import { kindOf } from "../model/events.ts";
import { delayBefore } from "./backoff.ts";

export type LiveState =
  | { kind: "connecting" }
  | { kind: "live" }
  /** `at` is when the next attempt is made (Date.now()); `attempt` counts from 1. */
  | { kind: "waiting"; at: number; attempt: number };

/** What a listener gets: what came since the last frame of the screen, in the order it came. */
export interface Listener {
  /** Kinds of events to parse and hand over; the others pass by unread. */
  kinds: ReadonlySet<string>;
  /** The events of one trace alone, from the server on; null for all. */
  traceId: string | null;
  events(events: readonly unknown[]): void;
  /** Something may have been missed: fetch again what is shown. Also called once when the stream is first there. */
  resync(why: "joined" | "reconnected" | "behind"): void;
}

const STALL_MS = 10_000;
const PENDING_MAX = 50_000;

class Connection {
  readonly state = signal<LiveState>({ kind: "connecting" });
  private socket: WebSocket | null = null;
  private attempt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly listeners = new Set<Listener>();
  private pending: string[] = [];
  private scheduled = false;
  /** The stream the server was asked for, and how many of its confirmations are still to come. */
  private asked: string | null = null;
  private unconfirmed = 0;
  private readonly joining = new Set<Listener>();
  private everLive = false;

  /** Connect, and stay connected. */
  start(): void {
    if (this.socket !== null) return;
    addEventListener("online", () => this.retry());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.retry();
    });
    // a page that goes into the browser's back/forward store is cut off, and comes back by itself
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.retry();
    });
    this.open();
  }

  /** Try at once instead of at the time set. */
  retry(): void {
    if (this.state.value.kind !== "waiting") return;
    clearTimeout(this.timer);
    this.open();
  }

  /** Hand over events from now on; `listener.resync("joined")` is called as soon as none can be missed. */
  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    this.joining.add(listener);
    this.choose();
    return () => {
      this.listeners.delete(listener);
      this.joining.delete(listener);
      this.choose();
    };
  }

  private open(): void {
    this.state.value = this.attempt === 0 ? { kind: "connecting" } : this.state.value;
    const token = readToken();
    const url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/live`;
    // a browser takes no other signs in a protocol's name: such a token can be had for requests alone
    const named = token !== null && /^[\w!#$%&'*+.^`|~-]+$/.test(token);
    const socket = new WebSocket(url, named ? [`beacon.bearer.${token}`] : []);
    this.socket = socket;
    const stalled = setTimeout(() => socket.close(), STALL_MS);
    socket.onopen = () => {
      clearTimeout(stalled);
      const again = this.everLive;
      this.everLive = true;
      this.attempt = 0;
      this.asked = null;
      this.unconfirmed = 0;
      this.pending = [];
      this.state.value = { kind: "live" };
      for (const listener of this.listeners) this.joining.add(listener);
      this.choose(again);
    };
    socket.onmessage = (message) => this.take(String(message.data));
    socket.onclose = () => {
      clearTimeout(stalled);
      if (this.socket !== socket) return;
      this.attempt++;
      const delay = delayBefore(this.attempt, Math.random());
      this.state.value = { kind: "waiting", at: Date.now() + delay, attempt: this.attempt };
      this.timer = setTimeout(() => this.open(), delay);
    };
  }

  /** Ask for the stream the listeners need: that of one trace when all want the same one, else that of all. The server
   * takes requests in their order, but says nothing when it has: a request it has to refuse is sent behind, and its
   * refusal confirms what stood before it. */
  private choose(again = false): void {
    if (this.socket?.readyState !== WebSocket.OPEN) return;
    const wanted = new Set(Array.from(this.listeners, (listener) => listener.traceId));
    const only = wanted.size === 1 ? [...wanted][0]! : null;
    if (only !== this.asked) {
      this.asked = only;
      this.socket.send(
        JSON.stringify(only === null ? { action: "unsubscribe_trace" } : { action: "subscribe_trace", trace_id: only }),
      );
    } else if (this.unconfirmed === 0) {
      this.joined(again);
      return;
    }
    this.socket.send('{"action":"confirm"}');
    this.unconfirmed++;
    this.again ||= again;
  }

  private again = false;

  private joined(again: boolean): void {
    this.flush();
    const joining = [...this.joining];
    this.joining.clear();
    for (const listener of joining) listener.resync(again ? "reconnected" : "joined");
  }

  private take(frame: string): void {
    if (frame.startsWith('{"error"')) {
      if (this.unconfirmed > 0 && --this.unconfirmed === 0) {
        const again = this.again;
        this.again = false;
        this.joined(again);
      }
      return;
    }
    const kind = kindOf(frame);
    if (kind === "resync") {
      this.behind();
      return;
    }
    for (const listener of this.listeners) {
      if (!listener.kinds.has(kind)) continue;
      if (this.pending.length >= PENDING_MAX) {
        this.behind(); // a page that is hidden for hours keeps nothing it can ask for
        return;
      }
      this.pending.push(frame);
      this.schedule();
      return;
    }
  }

  private behind(): void {
    this.pending = [];
    for (const listener of this.listeners) if (!this.joining.has(listener)) listener.resync("behind");
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    const flush = () => {
      this.scheduled = false;
      this.flush();
    };
    // no frame is drawn of a page nobody sees
    if (document.visibilityState === "visible") requestAnimationFrame(flush);
    else setTimeout(flush, 500);
  }

  private flush(): void {
    if (this.pending.length === 0) return;
    const frames = this.pending;
    this.pending = [];
    const events = frames.map((frame) => [kindOf(frame), JSON.parse(frame) as unknown] as const);
    for (const listener of this.listeners) {
      const mine = events.filter(([kind]) => listener.kinds.has(kind)).map(([, event]) => event);
      if (mine.length > 0) listener.events(mine);
    }
  }
}

/** The live stream of this page. */
export const live = new Connection();

/** Calls `then` whenever the stream is there again after it was not. */
export function onReturn(then: () => void): () => void {
  let away = false;
  return effect(() => {
    const { kind } = live.state.value;
    if (kind === "waiting") away = true;
    else if (kind === "live" && away) {
      away = false;
      then();
    }
  });
}
