// A run as the steps it took, one after the other: what was known after each of them, and what it had cost. Pure.
import { failuresOf } from "./failure.ts";
import { beside } from "./labels.ts";
import type { Node, Tree } from "./tree.ts";

/** Spans that do something, rather than hold others that do. */
const ACTS = new Set(["llm_call", "tool_use", "browser_action", "file_operation", "shell_command"]);

/** What happened, in the order in which it was over: a step is taken when its result is there. */
export function stepsOf(tree: Tree): Node[] {
  const steps = tree.order.filter(({ span }) => ACTS.has(span.span_type) && span.end_time !== null);
  return steps.sort((a, b) => a.span.end_time! - b.span.end_time! || a.sequence - b.sequence);
}

/** The step at which `chosen` is: its own, or the last that was over when it was. -1: nothing was over yet. */
export function stepAt(steps: readonly Node[], chosen: Node | null): number {
  if (chosen === null) return -1;
  const own = steps.indexOf(chosen);
  if (own >= 0) return own;
  const end = chosen.span.end_time;
  return end === null ? steps.length - 1 : steps.findLastIndex((node) => node.span.end_time! <= end);
}

export interface StateAt {
  /** Seconds since the run began. */
  since: number;
  tokens: number;
  cost: number;
  errors: number;
  /** The last call of a model that was over, with the messages it had been sent. */
  call: Node | null;
  /** The last tool whose result was there. */
  tool: Node | null;
}

/** What was known after the step `at`. */
export function stateAfter(steps: readonly Node[], at: number, begin: number): StateAt {
  const state: StateAt = { since: 0, tokens: 0, cost: 0, errors: 0, call: null, tool: null };
  for (const node of steps.slice(0, at + 1)) {
    const { span } = node;
    state.since = Math.max(0, span.end_time! - begin);
    if (span.status === "error") state.errors++;
    if (span.span_type === "llm_call") {
      state.call = node;
      // two instrumentations may tell of one call, one inside the other: the inner one counts
      if (!paidBelow(node)) {
        state.tokens += span.tokens ?? 0;
        state.cost += span.cost_usd ?? 0;
      }
    } else if (span.span_type === "tool_use") state.tool = node;
  }
  return state;
}

function paidBelow(node: Node): boolean {
  return node.children.some(
    (child) => (child.span.span_type === "llm_call" && Boolean(child.span.tokens)) || paidBelow(child),
  );
}

/** A step in a sentence: "gpt-4o → lookup_order", "issue_refund failed: HTTPError: 503". */
export function sentence({ span }: Node): string {
  const name = span.name || "(no name)";
  if (span.status === "error") {
    const why = failuresOf(span)[0]?.message.slice(0, 120);
    return why ? `${name} failed: ${why}` : `${name} failed`;
  }
  const label = beside(span.name, span.label);
  return label === "" ? name : `${name} ${label}`;
}
