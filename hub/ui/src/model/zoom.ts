// The stretch of time a waterfall shows: kept inside the whole, and in the address as "1.2-3.45", seconds from the start
// of the trace. Pure.
import type { Window } from "./waterfall.ts";

/** No closer than a microsecond: times are kept in that. */
const LEAST_S = 1e-6;

/** `window` moved, and cut where it must be, to lie inside `whole`; null when it is all of it. */
export function inside(window: Window, whole: Window): Window | null {
  const length = Math.max(window.end - window.start, Math.min(LEAST_S, whole.end - whole.start));
  if (length >= (whole.end - whole.start) * 0.999) return null;
  const start = Math.min(Math.max(window.start, whole.start), whole.end - length);
  return { start, end: start + length };
}

/** `factor` < 1 goes closer; `at` (0 to 1) is the place of the window that stays where it is. */
export function zoomed(window: Window, factor: number, at: number, whole: Window): Window | null {
  const length = window.end - window.start;
  const start = window.start + length * at * (1 - factor);
  return inside({ start, end: start + length * factor }, whole);
}

/** Moved by a share of its own length. */
export function panned(window: Window, share: number, whole: Window): Window | null {
  const by = (window.end - window.start) * share;
  return inside({ start: window.start + by, end: window.end + by }, whole);
}

/** A window around a stretch, with a little room on either side. */
export function around(stretch: Window, whole: Window): Window | null {
  const room = Math.max((stretch.end - stretch.start) * 0.05, 5 * LEAST_S);
  return inside({ start: stretch.start - room, end: stretch.end + room }, whole);
}

export function writeWindow(window: Window | null, origin: number): string | null {
  if (window === null) return null;
  const digits = Math.max(1, Math.min(6, 3 - Math.floor(Math.log10(window.end - window.start))));
  const short = (seconds: number) => String(Number((seconds - origin).toFixed(digits)));
  return `${short(window.start)}-${short(window.end)}`;
}

/** The window of an address; null for the whole, and for what nobody can read. */
export function readWindow(text: string | null, whole: Window): Window | null {
  const found = /^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)$/.exec(text ?? "");
  if (found === null) return null;
  const [start, end] = [Number(found[1]), Number(found[2])];
  if (!(end > start)) return null;
  return inside({ start: whole.start + start, end: whole.start + end }, whole);
}
