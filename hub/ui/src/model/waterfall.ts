// Where the bars of a waterfall lie. Times are epoch seconds, places shares of the width from 0 to 1. Pure.
import type { LightSpan } from "./spans.ts";

/** A stretch of time. */
export interface Window {
  readonly start: number;
  readonly end: number;
}

/** A span's bar within a window; null when it lies outside. `before` and `after` say that it goes on beyond. */
export interface Bar {
  readonly left: number;
  readonly width: number;
  readonly before: boolean;
  readonly after: boolean;
}

/** The whole time of `spans`; what is still running lasts until `now`. A trace of no length gets a millisecond. */
export function extent(spans: readonly LightSpan[], now: number): Window {
  let start = Number.POSITIVE_INFINITY;
  let end = Number.NEGATIVE_INFINITY;
  for (const span of spans) {
    start = Math.min(start, span.start_time);
    end = Math.max(end, endOf(span, now));
  }
  if (!Number.isFinite(start)) return { start: 0, end: 0.001 };
  return { start, end: end > start ? end : start + 0.001 };
}

/** When a span ended: never before it started, `now` while it runs; nobody knows when of one that was interrupted. */
export function endOf(span: LightSpan, now: number): number {
  return Math.max(span.start_time, span.end_time ?? (span.interrupted ? span.start_time : now));
}

export function bar(span: LightSpan, window: Window, now: number): Bar | null {
  return stretch(span.start_time, endOf(span, now), window);
}

/** Where a stretch of time lies within a window. */
export function stretch(start: number, end: number, window: Window): Bar | null {
  const length = window.end - window.start;
  const from = (start - window.start) / length;
  const to = (end - window.start) / length;
  if (to < 0 || from > 1 || (to === 0 && from < 0)) return null;
  const left = Math.max(0, from);
  return { left, width: Math.min(1, to) - left, before: from < 0, after: to > 1 };
}

export interface Tick {
  readonly at: number;
  readonly label: string;
}

const STEPS = [1, 2, 5];

/** Marks for a time axis, at most `most`, at round distances from `origin`, where the trace starts. */
export function ticks(window: Window, origin: number, most: number): Tick[] {
  const length = window.end - window.start;
  if (!(length > 0) || most < 1) return [];
  const step = roundStep(length / most);
  const found: Tick[] = [];
  const first = Math.ceil((window.start - origin) / step - 1e-9);
  for (let i = first; found.length <= most; i++) {
    const seconds = i * step;
    const at = (origin + seconds - window.start) / length;
    if (at > 1 + 1e-9) break;
    found.push({ at: Math.max(0, at), label: axisLabel(seconds, step) });
  }
  return found;
}

/** The smallest round number of seconds that is at least `least`. */
function roundStep(least: number): number {
  for (const whole of [60, 120, 300, 600, 1800, 3600, 7200, 21_600, 43_200, 86_400]) {
    if (least > 50 && whole >= least) return whole;
  }
  if (least > 86_400) return Math.ceil(least / 86_400) * 86_400;
  const power = 10 ** Math.floor(Math.log10(least));
  for (const factor of STEPS) if (factor * power >= least * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

/** A time since the start, as precise as the distance between two marks asks for. */
function axisLabel(seconds: number, step: number): string {
  if (Math.abs(seconds) < step / 2) return "0";
  if (step >= 3600) return `${trim(seconds / 3600, step / 3600)} h`;
  if (step >= 60) return `${trim(seconds / 60, step / 60)} m`;
  if (step >= 1 || Math.abs(seconds) >= 10) return `${trim(seconds, step)} s`;
  if (step >= 0.1 && Math.abs(seconds) >= 1) return `${trim(seconds, step)} s`;
  if (step >= 1e-6) return `${trim(seconds * 1e3, step * 1e3)} ms`;
  return `${trim(seconds * 1e6, step * 1e6)} µs`;
}

function trim(value: number, step: number): string {
  const digits = Math.max(0, Math.min(6, -Math.floor(Math.log10(step) + 1e-9)));
  return value
    .toFixed(digits)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}
