// What the UI keeps of every span of an open trace: all but its attributes, which are fetched for the span looked at.
import type { Span } from "../api/schema.ts";
import { labelOf } from "./labels.ts";

/** A span without its attributes; the three beside it come from the server, or from a live span's attributes. */
export interface LightSpan extends Omit<Span, "attributes" | "annotations"> {
  /** What happened, in a few words: "gpt-4o → lookup_order", a tool's main argument. */
  label?: string | null;
  tokens?: number | null;
  cost_usd?: number | null;
  /** How many notes it has. */
  notes: number;
}

export type SpanType = Span["span_type"];

/** A span as answered or streamed, made light; one that came without attributes keeps what the server says of them. */
export function lightOf(span: Partial<Span> & Pick<Span, "span_id" | "trace_id">): LightSpan {
  const { attributes, annotations, ...rest } = span as Span & LightSpan;
  const light: LightSpan = { ...rest, notes: Array.isArray(annotations) ? annotations.length : 0 };
  return attributes === undefined ? light : { ...light, ...told(light.span_type, attributes, light.name) };
}

/** Label, tokens and cost of a span with these attributes. */
export function told(
  type: SpanType,
  attributes: Record<string, unknown>,
  name = "",
): Pick<LightSpan, "label" | "tokens" | "cost_usd"> {
  const label = labelOf(type, name, attributes);
  if (type !== "llm_call") return { label };
  const number = (key: string): number | null => {
    const value = attributes[key];
    return typeof value === "number" && Number.isFinite(value) ? value : null;
  };
  const input = number("llm.tokens.input");
  const output = number("llm.tokens.output");
  const parts = input === null && output === null ? null : (input ?? 0) + (output ?? 0);
  return { label, tokens: number("llm.tokens.total") ?? parts, cost_usd: number("llm.cost_usd") };
}
