// Marks of a span's type and of how something ended: a shape and a letter beside the colour, a word for who sees neither.
import type { TraceSummary } from "../api/schema.ts";
import type { LightSpan, SpanType } from "../model/spans.ts";

const TYPES: Record<SpanType, { letter: string; name: string; shape: string }> = {
  llm_call: { letter: "L", name: "LLM call", shape: "M8 .8 14.4 4.4v7.2L8 15.2 1.6 11.6V4.4z" },
  tool_use: { letter: "T", name: "tool use", shape: "M2 2h12v12H2z" },
  agent_step: { letter: "A", name: "agent step", shape: "M8 1a7 7 0 1 0 .01 0z" },
  chain: {
    letter: "C",
    name: "chain",
    shape:
      "M4.6 1.5h6.8a3.1 3.1 0 0 1 3.1 3.1v6.8a3.1 3.1 0 0 1-3.1 3.1H4.6a3.1 3.1 0 0 1-3.1-3.1V4.6a3.1 3.1 0 0 1 3.1-3.1z",
  },
  browser_action: { letter: "B", name: "browser action", shape: "M1 3h14v10H1z" },
  file_operation: { letter: "F", name: "file operation", shape: "M3 1h7l3.5 3.5V15H3z" },
  shell_command: { letter: "S", name: "shell command", shape: "M1 8 4.5 2h7L15 8l-3.5 6h-7z" },
  custom: { letter: "•", name: "custom", shape: "M8 .6 15.4 8 8 15.4.6 8z" },
};

export function typeName(type: SpanType): string {
  return TYPES[type]?.name ?? type;
}

export function TypeMark({ type }: { type: SpanType }) {
  const { letter, name, shape } = TYPES[type] ?? TYPES.custom;
  return (
    <span class={`type type-${type}`} title={name}>
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
        <path d={shape} />
        <text x="8" y="11.2" text-anchor="middle">
          {letter}
        </text>
      </svg>
      <span class="unseen">{name}</span>
    </span>
  );
}

export type Outcome = "error" | "interrupted" | "running" | "ok" | "unset";

export function outcomeOfSpan(span: Pick<LightSpan, "status" | "end_time" | "interrupted">): Outcome {
  if (span.status === "error") return "error";
  // its program ended before it did
  if (span.interrupted) return "interrupted";
  return span.end_time === null ? "running" : span.status;
}

export function outcomeOfTrace(trace: Pick<TraceSummary, "status" | "running_count" | "interrupted_count">): Outcome {
  if (trace.status === "error") return "error";
  if (trace.running_count > 0) return "running";
  return trace.interrupted_count > 0 ? "interrupted" : trace.status;
}

const SIGNS: Record<Outcome, string> = { error: "✗", interrupted: "◼", running: "", ok: "✓", unset: "○" };
const WORDS: Record<Outcome, string> = {
  error: "error",
  interrupted: "interrupted",
  running: "running",
  ok: "ok",
  unset: "not said",
};

export function OutcomeMark({ outcome, word = false }: { outcome: Outcome; word?: boolean }) {
  return (
    <span class={`outcome outcome-${outcome}`} title={WORDS[outcome]}>
      <span aria-hidden="true" class={outcome === "running" ? "spinner" : ""}>
        {SIGNS[outcome]}
      </span>
      <span class={word ? "" : "unseen"}>{WORDS[outcome]}</span>
    </span>
  );
}
