// What became of each step from one run to the other, and where they first part. Pure.
import type { AlignRow } from "./align.ts";
import { beside } from "./labels.ts";
import type { Node, Tree } from "./tree.ts";

export type Change = "same" | "changed" | "added" | "removed" | "retried" | "moved";

export interface Step extends AlignRow {
  change: Change;
  /** In what it differs: "status", "answer"; nothing where it is the same, or on one side alone. */
  differs: readonly string[];
  /** Among that is what it was given: what came of a step may come of one below it, this does not. */
  given: boolean;
  /** Something below it is not the same. */
  leads: boolean;
}

/** A part of a step that differs, of those whose contents have been read: `outcome` is what came of the step. */
export interface Part {
  name: string;
  outcome: boolean;
}

/** The rows with what each became. `contents` gives the parts of a pair that differ; undefined where they are not known, and
 * what the two say in a few words decides. */
export function stepsOf(rows: readonly AlignRow[], contents: (row: AlignRow) => readonly Part[] | undefined): Step[] {
  const steps = rows.map((row): Step => {
    const parts = partsOf(row, contents);
    const given = parts.some((part) => !part.outcome);
    return { ...row, differs: parts.map((part) => part.name), change: changeOf(row, parts), given, leads: false };
  });
  let next = steps.length; // the first after this one that is not the same
  for (let i = steps.length - 1; i >= 0; i--) {
    const step = steps[i]!;
    step.leads = next <= i + step.below;
    if (step.change !== "same") next = i;
  }
  return steps;
}

function changeOf({ a, b, kind }: AlignRow, parts: readonly Part[]): Change {
  if (kind === "moved") return "moved";
  if (kind === "retry") return "retried";
  if (a === null) return "added";
  if (b === null) return "removed";
  return parts.length > 0 ? "changed" : "same";
}

function partsOf(row: AlignRow, contents: (row: AlignRow) => readonly Part[] | undefined): readonly Part[] {
  const { a, b } = row;
  if (a === null || b === null) return [];
  const parts: Part[] = [];
  if (a.span.name !== b.span.name) parts.push({ name: "name", outcome: false });
  if (a.span.status !== b.span.status) parts.push({ name: "status", outcome: true });
  const read = contents(row);
  if (read !== undefined) return [...parts, ...read];
  if (beside(a.span.name, a.span.label) !== beside(b.span.name, b.span.label))
    parts.push(
      a.span.span_type === "llm_call" ? { name: "answer", outcome: true } : { name: "what it did", outcome: false },
    );
  return parts;
}

/** The first step at which the runs part. What came of a step is no reason where a step below it is not the same, and what
 * the run itself is called is none at all. Null where both did the same. */
export function firstDivergence(steps: readonly Step[]): number | null {
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i]!;
    if (step.change === "same") continue;
    if (step.change === "changed" && step.depth === 0 && step.differs.every((name) => name === "name")) continue;
    if (step.change === "changed" && step.leads && !step.given) continue;
    return i;
  }
  return null;
}

/** The steps that are not the same, with those that lead to them. */
export function onlyDifferent(steps: readonly Step[]): Step[] {
  return steps.filter((step) => step.change !== "same" || step.leads);
}

export function countOf(steps: readonly Step[]): Record<Change, number> {
  const counts: Record<Change, number> = { same: 0, changed: 0, added: 0, removed: 0, retried: 0, moved: 0 };
  for (const { change } of steps) counts[change]++;
  return counts;
}

/** A run in figures. Null: not known. */
export interface Figures {
  duration: number | null;
  spans: number;
  calls: number;
  tools: number;
  errors: number;
  tokens: number;
  cost: number;
}

export function figuresOf(
  tree: Tree,
  summary: { duration_ms: number | null; total_tokens: number; total_cost_usd: number },
): Figures {
  const number = (fits: (node: Node) => boolean) => tree.order.filter(fits).length;
  return {
    duration: summary.duration_ms,
    spans: tree.order.length,
    calls: number((node) => node.span.span_type === "llm_call"),
    tools: number((node) => node.span.span_type === "tool_use"),
    errors: number((node) => node.span.status === "error"),
    tokens: summary.total_tokens,
    cost: summary.total_cost_usd,
  };
}

/** How much more or less than `a`, as "+12 %" or "−3.4 %". Null where there is nothing to
 * measure it by. */
export function share(a: number, b: number): string | null {
  if (a === b || a === 0) return null;
  const percent = (100 * (b - a)) / a;
  const size = Math.abs(percent);
  const figure = size >= 9.5 ? Math.round(size).toLocaleString("en-US") : size.toFixed(1);
  return `${percent > 0 ? "+" : "−"}${figure} %`;
}
