// Requests to Beacon, typed by its contract. A failure is a value, never an exception: who asks says what to show.
import type { ErrorBody, Operations } from "./schema.ts";
import { readToken, tokenWanted } from "./token.ts";

/** Why there is no answer. */
export type Failure =
  /** Nobody answers at the page's own address, or the answer broke off. */
  | { kind: "unreachable" }
  /** The caller has given the request up. */
  | { kind: "aborted" }
  /** 4xx: `detail` says in one sentence what is wrong and what to do. */
  | { kind: "refused"; status: number; detail: string; errors: NonNullable<ErrorBody["errors"]> }
  /** 429 and 503: a part of Beacon is down or busy; worth asking again after so many seconds. */
  | { kind: "busy"; status: number; detail: string; retryAfter: number }
  /** 5xx: a bug, or a model's server that failed (502). */
  | { kind: "failed"; status: number; detail: string };

export type Result<T> = { ok: true; value: T; headers: Headers } | { ok: false; failure: Failure };

type Path<K extends keyof Operations> = Operations[K]["path"];
type Query<K extends keyof Operations> = Operations[K]["query"];

export interface Asked<K extends keyof Operations> {
  path?: Path<K>;
  query?: Query<K>;
  body?: Operations[K]["body"];
  /** The body as text that is sent as it is: Beacon says what is wrong with it. */
  raw?: string;
  signal?: AbortSignal;
  headers?: Record<string, string>;
  /** Milliseconds after which the request counts as unreachable; none for calls of a model. */
  timeout?: number | null;
}

const TIMEOUT_MS = 30_000;

/** One request of the contract: `ask("GET /v1/traces/{trace_id}", { path: { trace_id }, query: { fields: "light" } })`. */
export async function ask<K extends keyof Operations>(
  operation: K,
  asked: Asked<K> = {},
): Promise<Result<Operations[K]["answer"]>> {
  const answered = await send(operation, asked);
  if (!answered.ok) return answered;
  const response = answered.value;
  try {
    return { ok: true, value: (await response.json()) as Operations[K]["answer"], headers: response.headers };
  } catch {
    return lost(asked.signal);
  }
}

/** The same, with the answer as it comes: for streams and downloads. */
export async function send<K extends keyof Operations>(operation: K, asked: Asked<K> = {}): Promise<Result<Response>> {
  const [method, template] = operation.split(" ") as [string, string];
  const headers: Record<string, string> = { accept: "application/json", ...asked.headers };
  const token = readToken();
  if (token !== null) headers.authorization = `Bearer ${token}`;
  const body = asked.raw ?? (asked.body === undefined ? undefined : JSON.stringify(asked.body));
  if (body !== undefined) headers["content-type"] = "application/json";
  const timeout = asked.timeout === undefined ? TIMEOUT_MS : asked.timeout;
  const signals = [asked.signal, timeout === null ? undefined : AbortSignal.timeout(timeout)].filter(
    (signal): signal is AbortSignal => signal !== undefined,
  );
  try {
    const response = await fetch(addressOf(template, asked.path, asked.query), {
      method,
      headers,
      credentials: "omit",
      redirect: "error",
      ...(body === undefined ? {} : { body }),
      ...(signals.length === 0 ? {} : { signal: either(signals) }),
    });
    if (response.ok) return { ok: true, value: response, headers: response.headers };
    if (response.status === 401) tokenWanted.value = true;
    return { ok: false, failure: failureOf(response.status, response.headers, await response.text()) };
  } catch {
    return lost(asked.signal);
  }
}

/** A path with its parameters and query filled in. */
export function addressOf(template: string, path: object = {}, query: object = {}): string {
  const values = path as Record<string, string>;
  const filled = template.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""));
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null) continue;
    for (const one of Array.isArray(value) ? value : [value]) search.append(name, String(one));
  }
  const text = search.toString();
  return text === "" ? filled : `${filled}?${text}`;
}

/** What an answer of 400 and above means. */
export function failureOf(status: number, headers: Headers, text: string): Failure {
  let body: Partial<ErrorBody> = {};
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null) body = parsed;
  } catch {
    // a proxy's page, say: its status is all there is
  }
  const detail = typeof body.detail === "string" ? body.detail : `Beacon answered with the status ${status}.`;
  if (status === 503 || status === 429) {
    const seconds = Number(headers.get("retry-after"));
    return { kind: "busy", status, detail, retryAfter: seconds > 0 ? seconds : 1 };
  }
  if (status >= 500) return { kind: "failed", status, detail };
  return { kind: "refused", status, detail, errors: body.errors ?? [] };
}

function lost(signal: AbortSignal | undefined): { ok: false; failure: Failure } {
  return { ok: false, failure: { kind: signal?.aborted ? "aborted" : "unreachable" } };
}

/** AbortSignal.any, which browsers of 2023 do not have. */
function either(signals: AbortSignal[]): AbortSignal {
  if (signals.length === 1) return signals[0]!;
  const controller = new AbortController();
  for (const signal of signals) {
    if (signal.aborted) controller.abort();
    signal.addEventListener("abort", () => controller.abort(), { once: true });
  }
  return controller.signal;
}
