// The filter language of the trace list: `status:error model:gpt-4o cost>0.05 tag:env=prod since:2h some text`.
//
// Terms stand beside each other and all must hold. What is no term is text, looked for in the names of traces. A value with
// spaces stands in quotes; so does text with a colon. Pure.
import type { Operations, TraceSummary } from "../api/schema.ts";

export type ListQuery = Operations["GET /v1/traces"]["query"];

/** A stretch of the filter's text, [at, end). */
export interface Range {
  at: number;
  end: number;
}

export interface FilterError extends Range {
  message: string;
}

export interface Term extends Range {
  key: Key;
  /** As it was written, without quotes. */
  value: string;
}

export interface Filter {
  text: string;
  terms: Term[];
  errors: FilterError[];
}

const KEYS = ["status", "model", "type", "tag", "session", "cost", "duration", "since", "until", "name"] as const;
export type Key = (typeof KEYS)[number];

export const STATUSES = ["ok", "error", "unset"] as const;
export const SPAN_TYPES = [
  "llm_call",
  "tool_use",
  "agent_step",
  "chain",
  "browser_action",
  "file_operation",
  "shell_command",
  "custom",
] as const;

interface Meaning {
  /** What follows the name: ":" or, for what is at least a number, ">". */
  operator: ":" | ">";
  hint: string;
  example: string;
}

export const MEANINGS: Record<Key, Meaning> = {
  status: { operator: ":", hint: "how it ended: ok, error or unset", example: "status:error" },
  model: { operator: ":", hint: "a call of this model, by its exact name", example: "model:gpt-4o" },
  type: { operator: ":", hint: "a span of this type", example: "type:tool_use" },
  tag: { operator: ":", hint: "a tag and its value", example: "tag:env=prod" },
  session: { operator: ":", hint: "traces of one session", example: "session:abc" },
  cost: { operator: ">", hint: "at least so many US dollars", example: "cost>0.05" },
  duration: { operator: ">", hint: "at least so long", example: "duration>2s" },
  since: { operator: ":", hint: "started since a time, or so long ago", example: "since:2h" },
  until: { operator: ":", hint: "started before a time, or so long ago", example: "until:2026-01-31" },
  name: { operator: ":", hint: "text in the name; the same as the text alone", example: 'name:"trip planner"' },
};

// ---------------------------------------------------------------- reading

interface Token extends Range {
  /** The name before the operator, or null for text. */
  name: string | null;
  operator: string;
  value: string;
  /** Where the value begins. */
  from: number;
  /** A quote that is not closed. */
  open: boolean;
}

function tokens(text: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at]!)) {
      at++;
      continue;
    }
    const start = at;
    const head = /^([A-Za-z_]+)(>=|<=|[:<>=])/.exec(text.slice(at, at + 60));
    const from = head === null ? at : at + head[0].length;
    let value = "";
    let open = false;
    at = from;
    while (at < text.length && (open || !/\s/.test(text[at]!))) {
      const char = text[at]!;
      if (char === '"') open = !open;
      else if (char === "\\" && open && at + 1 < text.length) value += text[++at];
      else value += char;
      at++;
    }
    found.push({
      at: start,
      end: at,
      name: head?.[1]?.toLowerCase() ?? null,
      operator: head?.[2] ?? "",
      value,
      from,
      open,
    });
  }
  return found;
}

/** Reads a filter. Terms that are wrong are named in `errors`, each with its place, and leave the others as they are. */
export function parseFilter(text: string): Filter {
  const terms: Term[] = [];
  const errors: FilterError[] = [];
  for (const token of tokens(text)) {
    const { at, end, value } = token;
    const wrong = (message: string, range: Range = { at, end }) => errors.push({ ...range, message });
    if (token.open) {
      wrong("The quote is not closed.", { at: text.indexOf('"', at), end });
      continue;
    }
    if (token.name === null) {
      if (value !== "") terms.push({ key: "name", value, at, end });
      continue;
    }
    const key = KEYS.find((known) => known === token.name);
    if (key === undefined) {
      const near = nearest(token.name);
      wrong(
        `There is no filter “${token.name}”${near ? `; did you mean ${near}${MEANINGS[near].operator}` : ""}. ` +
          "Text with a colon or a sign stands in quotes.",
        { at, end: at + token.name.length },
      );
      continue;
    }
    const { operator, example } = MEANINGS[key];
    const name = { at, end: token.from };
    if (operator === ":" && token.operator !== ":") {
      wrong(`${key} takes a colon, as in ${example}.`, name);
    } else if (operator === ">" && token.operator !== ">" && token.operator !== ">=") {
      wrong(`${key} can only be “at least” something, as in ${example}.`, name);
    } else if (value === "") {
      wrong(`${key} needs a value, as in ${example}.`);
    } else {
      const problem = check(key, value);
      if (problem !== null) wrong(problem, { at: token.from, end });
      else if (key !== "tag" && key !== "name" && terms.some((term) => term.key === key)) {
        wrong(`${key} stands here twice; one of them has to go.`);
      } else terms.push({ key, value, at, end });
    }
  }
  return { text, terms, errors };
}

function check(key: Key, value: string): string | null {
  switch (key) {
    case "status":
      return STATUSES.some((status) => status === value) ? null : `A status is ${STATUSES.join(", ")}.`;
    case "type":
      return SPAN_TYPES.some((type) => type === value) ? null : `A type is one of ${SPAN_TYPES.join(", ")}.`;
    case "tag":
      return /^[^=]+=/.test(value) ? null : "A tag is written key=value, as in tag:env=prod.";
    case "cost":
      return dollars(value) === null ? "A cost is a number of US dollars, as in cost>0.05." : null;
    case "duration":
      return span(value) === null ? "A duration is a number with its unit, as in 500ms, 2s, 1.5m or 1h." : null;
    case "since":
    case "until":
      return instant(value, 0) === null
        ? "A time is a date, as in 2026-01-31 or 2026-01-31T14:30, or so long ago, as in 30m, 2h or 7d."
        : null;
    default:
      return null;
  }
}

// ---------------------------------------------------------------- meaning

/** What the server is asked for; times that count back do so from `now` (epoch seconds). */
export function toQuery(filter: Filter, now: number): ListQuery {
  const query: ListQuery = {};
  const names: string[] = [];
  for (const { key, value } of filter.terms) {
    switch (key) {
      case "status":
        query.status = value as NonNullable<ListQuery["status"]>;
        break;
      case "type":
        query.span_type = value as NonNullable<ListQuery["span_type"]>;
        break;
      case "model":
        query.model = value;
        break;
      case "session":
        query.session_id = value;
        break;
      case "tag":
        query.tag = [...(query.tag ?? []), value.replace("=", ":")];
        break;
      case "cost":
        query.min_cost_usd = dollars(value)!;
        break;
      case "duration":
        query.min_duration_ms = span(value)!;
        break;
      case "since":
        query.since = instant(value, now)!;
        break;
      case "until":
        query.until = instant(value, now)!;
        break;
      case "name":
        names.push(value);
        break;
    }
  }
  if (names.length > 0) query.q = toText(names.join(" "));
  return query;
}

const TEXT_MAX = 500;

/** Text as the server takes it to the letter: in quotes where it could be read as a term. */
function toText(text: string): string {
  if (!/["\\:<>=]|(^|\s)-/.test(text)) return text.slice(0, TEXT_MAX);
  return `"${text.slice(0, TEXT_MAX / 2 - 2).replace(/["\\]/g, "\\$&")}"`;
}

/** As many models a summary names; of a trace with as many there may be more. */
const MODELS_TOLD = 16;

/** Whether the server would answer with this trace: undefined where a summary does not tell. */
export function belongs(query: ListQuery, trace: TraceSummary): boolean | undefined {
  if (query.status !== undefined && trace.status !== query.status) return false;
  if (query.session_id !== undefined && trace.session_id !== query.session_id) return false;
  if (query.since !== undefined && trace.start_time < query.since) return false;
  if (query.until !== undefined && trace.start_time >= query.until) return false;
  if (
    query.min_duration_ms !== undefined &&
    !(trace.duration_ms !== null && trace.duration_ms >= query.min_duration_ms)
  )
    return false;
  if (query.min_cost_usd !== undefined && trace.total_cost_usd < query.min_cost_usd) return false;
  const tags = Object.entries(trace.tags).map(([key, value]) => `${key}:${value}`);
  if (query.tag?.some((tag) => !tags.includes(tag))) return false;
  if (query.q !== undefined) {
    if (!ascii(query.q) || !ascii(trace.name)) {
      // the server folds letters as Unicode says, which no browser does
      if (!trace.name.includes(query.q)) return undefined;
    } else if (!trace.name.toLowerCase().includes(query.q.toLowerCase())) return false;
  }
  let told = query.span_type === undefined;
  if (query.model !== undefined && !trace.models.includes(query.model)) {
    if (trace.models.length < MODELS_TOLD) return false;
    told = false;
  }
  return told ? true : undefined;
}

function ascii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII begins at 0
  return /^[\x00-\x7f]*$/.test(text);
}

/** The filter's text without one of its terms, for a click that drops it. */
export function without(filter: Filter, term: Range): string {
  return `${filter.text.slice(0, term.at)}${filter.text.slice(term.end)}`.replace(/\s+/g, " ").trim();
}

/** `text` with a term `key:value` in it: in the place of one of the same key, else at the end. */
export function withTerm(text: string, key: Key, value: string): string {
  const written = `${key}${MEANINGS[key].operator}${quoted(value)}`;
  const filter = parseFilter(text);
  const old = key === "tag" ? undefined : filter.terms.find((term) => term.key === key);
  if (old) return `${text.slice(0, old.at)}${written}${text.slice(old.end)}`;
  return filter.terms.some((term) => term.key === key && term.value === value) ? text : `${text} ${written}`.trim();
}

/** A value as it has to be written. */
export function quoted(value: string): string {
  return /[\s"\\]/.test(value) || value === "" ? `"${value.replace(/["\\]/g, "\\$&")}"` : value;
}

// ---------------------------------------------------------------- values

function dollars(value: string): number | null {
  return /^\$?\d+(\.\d*)?$|^\$?\.\d+$/.test(value) ? Number(value.replace("$", "")) : null;
}

const UNITS: Record<string, number> = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7, w: 6.048e8 };

/** "500ms", "2s", "1.5m", "1h" in milliseconds. */
function span(value: string): number | null {
  const found = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/.exec(value);
  return found === null ? null : Number(found[1]) * UNITS[found[2]!]!;
}

/** A date and time, or so long before `now`, in epoch seconds. */
function instant(value: string, now: number): number | null {
  const ago = span(value);
  if (ago !== null) return Math.max(0, now - ago / 1000);
  const found = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?)?$/.exec(value);
  if (found === null) return null;
  const [, year, month, day, hour = "0", minute = "0", second = "0"] = found;
  const at = new Date(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
  // the 31st of February is no date, and must not become the 3rd of March
  if (at.getMonth() !== Number(month) - 1 || at.getDate() !== Number(day) || at.getHours() !== Number(hour))
    return null;
  const seconds = at.getTime() / 1000;
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

function nearest(name: string): Key | null {
  let best: Key | null = null;
  let least = 3;
  for (const key of KEYS) {
    const far = distance(name, key);
    if (far < least && far < key.length) [best, least] = [key, far];
  }
  return best;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length]!;
}

// ---------------------------------------------------------------- completion

export interface Completion extends Range {
  options: Option[];
}

export interface Option {
  /** What stands in the place of the completed stretch. */
  insert: string;
  hint: string;
}

/** What is known of values: what the rows that are loaded and the server have. */
export interface Vocabulary {
  models: readonly string[];
  sessions: readonly string[];
  /** As key=value. */
  tags: readonly string[];
}

const OPTIONS_MAX = 12;

/** What could stand at `caret`: names of filters, or values of the one that is being written. */
export function complete(text: string, caret: number, known: Vocabulary): Completion {
  const token = tokens(text).find((t) => t.at <= caret && caret <= t.end);
  if (token === undefined || (token.name === null && caret === token.at && token.at === token.end)) {
    return { at: caret, end: caret, options: names("") };
  }
  const key = KEYS.find((k) => k === token.name);
  if (key === undefined || caret < token.from) {
    const typed = text.slice(token.at, caret);
    return { at: token.at, end: token.name === null ? token.end : token.from, options: names(typed) };
  }
  const typed = text.slice(token.from, caret).replaceAll('"', "").toLowerCase();
  const values = valuesOf(key, known).filter(({ insert }) => insert.toLowerCase().includes(typed));
  const options = values.map(({ insert, hint }) => ({ insert: quoted(insert), hint }));
  const exact = options.length === 1 && options[0]!.insert === text.slice(token.from, token.end);
  return { at: token.from, end: token.end, options: exact ? [] : options.slice(0, OPTIONS_MAX) };
}

function names(typed: string): Option[] {
  const lower = typed.toLowerCase();
  return KEYS.filter((key) => key !== "name" && key.startsWith(lower)).map((key) => ({
    insert: `${key}${MEANINGS[key].operator}`,
    hint: MEANINGS[key].hint,
  }));
}

function valuesOf(key: Key, known: Vocabulary): Option[] {
  const plain = (values: readonly string[], hint = "") => values.map((insert) => ({ insert, hint }));
  switch (key) {
    case "status":
      return [
        { insert: "error", hint: "something in it failed" },
        { insert: "ok", hint: "everything in it went well" },
        { insert: "unset", hint: "still running, or nobody said" },
      ];
    case "type":
      return plain(SPAN_TYPES);
    case "model":
      return plain(known.models);
    case "session":
      return plain(known.sessions);
    case "tag":
      return plain(known.tags);
    case "cost":
      return plain(["0.01", "0.1", "1"], "US dollars");
    case "duration":
      return plain(["1s", "10s", "1m"]);
    case "since":
      return plain(["15m", "1h", "24h", "7d"], "ago");
    case "until":
      return plain(["1h", "24h", "7d"], "ago");
    default:
      return [];
  }
}
