// Bars of a histogram of time, and what a brush over them means in the filter. Pure.
import type { TrendBucket } from "../api/schema.ts";

export interface Bar {
  /** Epoch seconds, [from, to). */
  from: number;
  to: number;
  traces: number;
  errors: number;
}

export interface Totals {
  traces: number;
  errors: number;
  tokens: number;
  cost: number;
}

/** The buckets as bars, each as long as `seconds`. */
export function barsOf(buckets: readonly TrendBucket[], seconds: number): Bar[] {
  return buckets.map((bucket) => {
    const from = Date.parse(bucket.date.length === 10 ? `${bucket.date}T00:00:00Z` : bucket.date) / 1000;
    return { from, to: from + seconds, traces: bucket.trace_count, errors: bucket.error_count };
  });
}

export function totalsOf(buckets: readonly TrendBucket[]): Totals {
  const sum = (of: (bucket: TrendBucket) => number) => buckets.reduce((total, bucket) => total + of(bucket), 0);
  return {
    traces: sum((bucket) => bucket.trace_count),
    errors: sum((bucket) => bucket.error_count),
    tokens: sum((bucket) => bucket.total_tokens),
    cost: sum((bucket) => bucket.total_cost),
  };
}

/** Which bars a brush from `a` to `b` (shares of the width, in any order) covers: [first, last]. */
export function brushed(a: number, b: number, count: number): [number, number] {
  const at = (share: number) => Math.max(0, Math.min(count - 1, Math.floor(share * count)));
  return [Math.min(at(a), at(b)), Math.max(at(a), at(b))];
}

/** Epoch seconds as the filter writes them: local, to the minute or the second. */
export function written(seconds: number): string {
  const at = new Date(seconds * 1000);
  const two = (n: number) => String(n).padStart(2, "0");
  const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return `${date}T${time}${at.getSeconds() > 0 ? `:${two(at.getSeconds())}` : ""}`;
}
