// When to try again. Pure.

const FIRST_MS = 500;
const LONGEST_MS = 10_000;

/** Milliseconds before attempt `attempt` (from 1) at an endpoint that does not answer: doubling up to ten seconds, spread
 * by `random` (0 to 1) so that many open pages do not come back at one moment. */
export function delayBefore(attempt: number, random: number): number {
  const whole = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.max(0, Math.min(attempt - 1, 10)));
  return Math.round(whole * (0.8 + 0.4 * random));
}
