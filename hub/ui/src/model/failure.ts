// What is known of why a span failed: its message, and the exceptions among its events. Pure.
import type { SpanEvent, WholeSpan } from "../api/schema.ts";

export interface Failing {
  /** "HTTPError: 503 Service Unavailable". */
  message: string;
  /** Where, and through what; null where nobody said. */
  trace: string | null;
}

/** Every way a span says it failed, once each: the exceptions of its events, else its message with the lines after its first
 * as the trace. */
export function failuresOf(span: Pick<WholeSpan, "error_message" | "events">): Failing[] {
  const found = (span.events ?? []).filter(isException).map(exception);
  const message = span.error_message;
  if (message && !found.some((one) => says(one, message))) found.unshift(split(message));
  return [...new Map(found.map((one) => [JSON.stringify([one.message, one.trace]), one])).values()];
}

function isException(event: SpanEvent): boolean {
  return event.name === "exception" || "exception.type" in event.attributes || "exception.message" in event.attributes;
}

function exception({ attributes }: SpanEvent): Failing {
  const text = (key: string) => (typeof attributes[key] === "string" ? (attributes[key] as string) : "");
  const type = text("exception.type");
  const message = text("exception.message");
  return {
    message: [type, message].filter(Boolean).join(": ") || "exception",
    trace: text("exception.stacktrace") || null,
  };
}

function says(one: Failing, message: string): boolean {
  const first = message.split("\n", 1)[0]!.trim();
  return one.message === message || one.message.endsWith(first) || (first !== "" && first.endsWith(one.message));
}

function split(message: string): Failing {
  // a Python traceback says what happened in its last line
  if (/^Traceback \(most recent call last\)/.test(message)) {
    const lines = message.trimEnd().split("\n");
    return { message: lines.at(-1)!.trim(), trace: message };
  }
  const at = message.indexOf("\n");
  if (at === -1) return { message, trace: null };
  return { message: message.slice(0, at), trace: message.slice(at + 1).trim() === "" ? null : message.slice(at + 1) };
}
