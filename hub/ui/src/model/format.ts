// Numbers as people read them: a unit always, never more figures than mean something. Pure.

const DASH = "–";

/** Milliseconds as "40 µs", "0.4 ms", "640 ms", "2.5 s", "3 m 04 s", "2 h 05 m"; a dash for what has not ended. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return DASH;
  if (ms === 0) return "0 ms";
  if (ms < 0.0995) return `${Math.max(1, Math.round(ms * 1000))} µs`;
  if (ms < 9.95) return `${(Math.round(ms * 10) / 10).toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${pad(seconds % 60)} s`;
  const minutes = Math.round(ms / 60_000);
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} m`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** A count as "857", "1.9k", "12k", "1.2M". */
export function count(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return DASH;
  const [scaled, unit] =
    n < 1e3 ? [n, ""] : n < 999_500 ? [n / 1e3, "k"] : n < 999_500_000 ? [n / 1e6, "M"] : [n / 1e9, "G"];
  if (unit === "") return String(n);
  return `${scaled < 9.95 ? scaled.toFixed(1).replace(/\.0$/, "") : Math.round(scaled)}${unit}`;
}

/** A whole number with its thousands apart: "12,345". */
export function exact(n: number): string {
  return n.toLocaleString("en-US");
}

/** US dollars as "$0", "<$0.0001", "$0.0070", "$1.25", "$1,240"; a dash where no price is known. */
export function cost(usd: number | null | undefined): string {
  if (usd === null || usd === undefined || !Number.isFinite(usd)) return DASH;
  if (usd === 0) return "$0";
  if (usd < 0.00005) return "<$0.0001";
  if (usd < 0.99995) return `$${usd.toFixed(4)}`;
  if (usd < 99.995) return `$${usd.toFixed(2)}`;
  return `$${exact(Math.round(usd))}`;
}

/** Bytes as "812 B", "12 KB", "1.4 MB". */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  const [scaled, unit] = n < 999_500 ? [n / 1e3, "KB"] : n < 999_500_000 ? [n / 1e6, "MB"] : [n / 1e9, "GB"];
  return `${scaled < 9.95 ? scaled.toFixed(1).replace(/\.0$/, "") : Math.round(scaled)} ${unit}`;
}

/** How long before `now` (both epoch seconds) something was: "now", "12 s ago", "3 m ago", "2 h ago", "5 d ago". */
export function age(then: number, now: number): string {
  const seconds = Math.max(0, Math.floor(now - then));
  if (seconds < 2) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ago`;
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} d ago`;
}

/** Epoch seconds as a local date and time with milliseconds: "2026-01-31 14:05:09.250". */
export function moment(seconds: number): string {
  const at = new Date(seconds * 1000);
  if (Number.isNaN(at.getTime())) return DASH;
  const date = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  return `${date} ${clock(at)}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

/** Epoch seconds for a list: the time of day today, the date with it otherwise. */
export function started(seconds: number, now: number): string {
  const at = new Date(seconds * 1000);
  const today = new Date(now * 1000);
  if (Number.isNaN(at.getTime())) return DASH;
  if (at.toDateString() === today.toDateString()) return clock(at);
  const day = `${MONTHS[at.getMonth()]} ${at.getDate()}`;
  return at.getFullYear() === today.getFullYear() ? `${day} ${clock(at).slice(0, 5)}` : `${day} ${at.getFullYear()}`;
}

/** "1 span", "3 spans". */
export function plural(n: number, one: string, many = `${one}s`): string {
  return `${exact(n)} ${n === 1 ? one : many}`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function clock(at: Date): string {
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

function pad(n: number): string {
  return String(n).padStart(2, "0");
}
