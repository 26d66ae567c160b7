// Two runs laid beside each other: which step of one is which step of the other. Pure.
//
// Parents are matched before their children, and children only below parents that are matched. The children of a pair are
// aligned as two sequences: the pairs with the most weight that do not cross. What is left on both sides and is the same step
// at another place has been moved; what is left on one side and was tried again at once is an attempt that failed.
import type { Node, Tree } from "./tree.ts";

export type AlignKind = "pair" | "moved" | "retry" | "only";

/** One step of the two runs. At least one side is there; both are where it is the same step. */
export interface AlignRow {
  a: Node | null;
  b: Node | null;
  /** `retry`: an attempt that only this side made, and made again. */
  kind: AlignKind;
  depth: number;
  /** Rows below it: they follow at once. */
  below: number;
}

/** Cells beyond which two lists of siblings are not weighed step against step: 5,500 against 5,500 take 0.3 s. */
const CELLS_MAX = 30_000_000;

const STATUSES = ["ok", "error", "unset"];
const SAME_BELOW = 9;
const SAME_STEP = 5;
const SAME_LABEL = 2;
const SAME_STATUS = 1;
/** A call of another model is still a call of a model; it counts for less than any step that has its name. */
const OTHER_CALL = 2;

/** Every span of both runs once, parents before what is below them, in the order of each run but for what was moved. */
export function alignTrees(a: Tree, b: Tree): AlignRow[] {
  const marks = new Marks();
  marks.read(a);
  marks.read(b);
  const rows: AlignRow[] = [];
  // one root on each side is the run itself, whatever it is called
  const forced = a.roots.length === 1 && b.roots.length === 1;
  const first: Slot[] = forced
    ? [{ a: a.roots[0]!, b: b.roots[0]!, kind: "pair" }]
    : alignLists(a.roots, b.roots, marks);
  // a stack of its own: a run may be 10,000 levels deep
  const stack = first.map((slot) => ({ slot, depth: 0 })).reverse();
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { slot, depth } = next;
    rows.push({ ...slot, depth, below: 0 });
    const below =
      slot.a !== null && slot.b !== null
        ? alignLists(slot.a.children, slot.b.children, marks)
        : (slot.a ?? slot.b)!.children.map((child) => alone(child, slot.a !== null, slot.kind));
    for (let i = below.length - 1; i >= 0; i--) stack.push({ slot: below[i]!, depth: depth + 1 });
  }
  const open: number[] = [];
  const close = (depth: number, end: number) => {
    while (open.length > 0 && rows[open.at(-1)!]!.depth >= depth) {
      const at = open.pop()!;
      rows[at]!.below = end - at - 1;
    }
  };
  rows.forEach(({ depth }, i) => {
    close(depth, i);
    open.push(i);
  });
  close(0, rows.length);
  return rows;
}

interface Slot {
  a: Node | null;
  b: Node | null;
  kind: AlignKind;
}

function alone(node: Node, left: boolean, kind: AlignKind): Slot {
  return { a: left ? node : null, b: left ? null : node, kind: kind === "retry" ? "retry" : "only" };
}

/** What tells steps apart, as numbers: equal numbers are equal things. */
class Marks {
  private readonly numbers = new Map<string, number>();
  private readonly of = new Map<Node, { step: number; label: number; deep: number; call: boolean }>();

  read(tree: Tree): void {
    for (let i = tree.order.length - 1; i >= 0; i--) {
      const node = tree.order[i]!;
      const { span_type, name, label, status } = node.span;
      const step = this.number(`${span_type}\n${name}`);
      const said = this.number(`\n${label ?? ""}`);
      // children stand after their parents in this order, so theirs are known
      const below = node.children.map((child) => this.of.get(child)!.deep).join(",");
      const deep = this.number(`${step} ${said} ${status} ${below}`);
      this.of.set(node, { step, label: said, deep, call: span_type === "llm_call" });
    }
  }

  /** How much a pair of two lists weighs, by their places: 25 million times for 5,000 against 5,000. */
  between(a: readonly Node[], b: readonly Node[]): (i: number, j: number) => number {
    const columns = (nodes: readonly Node[]) => {
      const column = (of: (node: Node) => number) => Int32Array.from(nodes, of);
      return {
        step: column((node) => this.of.get(node)!.step),
        label: column((node) => this.of.get(node)!.label),
        deep: column((node) => this.of.get(node)!.deep),
        call: column((node) => (this.of.get(node)!.call ? 1 : 0)),
        status: column((node) => STATUSES.indexOf(node.span.status)),
      };
    };
    const one = columns(a);
    const two = columns(b);
    return (i, j) => {
      if (one.deep[i] === two.deep[j]) return SAME_BELOW;
      if (one.step[i] !== two.step[j]) return one.call[i] === 1 && two.call[j] === 1 ? OTHER_CALL : 0;
      return (
        SAME_STEP +
        (one.label[i] === two.label[j] ? SAME_LABEL : 0) +
        (one.status[i] === two.status[j] ? SAME_STATUS : 0)
      );
    };
  }

  equal(a: Node, b: Node): boolean {
    return this.of.get(a)!.deep === this.of.get(b)!.deep;
  }

  /** The same step with the same arguments, however it ended. */
  sameAct(a: Node, b: Node): boolean {
    const one = this.of.get(a)!;
    const two = this.of.get(b)!;
    return one.step === two.step && one.label === two.label;
  }

  act(node: Node): string {
    const { step, label } = this.of.get(node)!;
    return `${step} ${label}`;
  }

  private number(text: string): number {
    let found = this.numbers.get(text);
    if (found === undefined) {
      found = this.numbers.size;
      this.numbers.set(text, found);
    }
    return found;
  }
}

function alignLists(a: readonly Node[], b: readonly Node[], marks: Marks): Slot[] {
  const pairs = new Map<Node, Node>();
  let start = 0;
  while (start < a.length && start < b.length && marks.equal(a[start]!, b[start]!)) {
    pairs.set(a[start]!, b[start]!);
    start++;
  }
  let ends = 0;
  while (ends < Math.min(a.length, b.length) - start && marks.equal(a[a.length - 1 - ends]!, b[b.length - 1 - ends]!)) {
    pairs.set(a[a.length - 1 - ends]!, b[b.length - 1 - ends]!);
    ends++;
  }
  const left = a.slice(start, a.length - ends);
  const right = b.slice(start, b.length - ends);
  if (left.length * right.length > CELLS_MAX) matchByStretch(left, right, marks, pairs);
  else matchByWeight(left, right, marks, pairs);
  const moved = findMoved(a, b, marks, pairs);
  return merge(a, b, pairs, moved, marks);
}

/** The pairs that do not cross and weigh most together. */
function matchByWeight(a: readonly Node[], b: readonly Node[], marks: Marks, pairs: Map<Node, Node>): void {
  const width = b.length + 1;
  const choice = new Uint8Array((a.length + 1) * width);
  const weigh = marks.between(a, b);
  let below = new Int32Array(width);
  let here = new Int32Array(width);
  for (let i = a.length - 1; i >= 0; i--) {
    here[b.length] = 0;
    for (let j = b.length - 1; j >= 0; j--) {
      const weight = weigh(i, j);
      const both = weight === 0 ? -1 : weight + below[j + 1]!;
      const skipA = below[j]!;
      const skipB = here[j + 1]!;
      // where it comes to the same, the later pair: an attempt that failed stands before the one that did not
      const best = Math.max(skipA, skipB);
      here[j] = both > best ? both : best;
      choice[i * width + j] = both > best ? PAIR : skipA >= skipB ? SKIP_A : SKIP_B;
    }
    [below, here] = [here, below];
  }
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const chosen = choice[i * width + j];
    if (chosen === PAIR) pairs.set(a[i++]!, b[j++]!);
    else if (chosen === SKIP_A) i++;
    else j++;
  }
}

const PAIR = 1;
const SKIP_A = 2;
const SKIP_B = 3;

/** The same for lists too long for that, a stretch at a time: what a pair is decided by lies within so many steps. */
function matchByStretch(a: readonly Node[], b: readonly Node[], marks: Marks, pairs: Map<Node, Node>): void {
  const placeB = new Map(b.map((node, j) => [node, j]));
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const found = new Map<Node, Node>();
    matchByWeight(a.slice(i, i + STRETCH), b.slice(j, j + STRETCH), marks, found);
    const last = i + STRETCH >= a.length && j + STRETCH >= b.length;
    // the end of a stretch is decided by the next one, which sees what follows
    const keep = last ? STRETCH : STRETCH / 2;
    let nextI = i + keep;
    let nextJ = j;
    for (let at = i; at < Math.min(i + keep, a.length); at++) {
      const other = found.get(a[at]!);
      if (other === undefined) continue;
      pairs.set(a[at]!, other);
      nextI = at + 1;
      nextJ = placeB.get(other)! + 1;
    }
    if (nextJ === j) nextJ = j + keep; // nothing in common here
    i = nextI;
    j = nextJ;
  }
}

const STRETCH = 1_000;

/** Of what is left on both sides, the steps that are the same, to their arguments, at another place. */
function findMoved(
  a: readonly Node[],
  b: readonly Node[],
  marks: Marks,
  pairs: ReadonlyMap<Node, Node>,
): Map<Node, Node> {
  const taken = new Set(pairs.values());
  const waiting = new Map<string, Node[]>();
  for (const node of a) {
    if (pairs.has(node)) continue;
    const key = marks.act(node);
    const known = waiting.get(key);
    if (known === undefined) waiting.set(key, [node]);
    else known.push(node);
  }
  const moved = new Map<Node, Node>();
  if (waiting.size === 0) return moved;
  for (const node of b) {
    if (taken.has(node)) continue;
    const one = waiting.get(marks.act(node))?.shift();
    if (one !== undefined) moved.set(one, node);
  }
  return moved;
}

function merge(
  a: readonly Node[],
  b: readonly Node[],
  pairs: ReadonlyMap<Node, Node>,
  moved: ReadonlyMap<Node, Node>,
  marks: Marks,
): Slot[] {
  const movedTo = new Map(Array.from(moved, ([from, to]) => [to, from]));
  const paired = new Set(pairs.values());
  const retriesA = retries(a, (node) => !pairs.has(node) && !moved.has(node), marks);
  const retriesB = retries(b, (node) => !paired.has(node) && !movedTo.has(node), marks);
  const slots: Slot[] = [];
  let j = 0;
  const upTo = (end: number) => {
    for (; j < end; j++) {
      const node = b[j]!;
      const from = movedTo.get(node);
      if (from !== undefined) slots.push({ a: from, b: node, kind: "moved" });
      else slots.push({ a: null, b: node, kind: retriesB.has(node) ? "retry" : "only" });
    }
  };
  const placeB = new Map(b.map((node, i) => [node, i]));
  for (const node of a) {
    if (moved.has(node)) continue; // stands where it is in b
    const other = pairs.get(node);
    if (other === undefined) {
      slots.push({ a: node, b: null, kind: retriesA.has(node) ? "retry" : "only" });
      continue;
    }
    upTo(placeB.get(other)!);
    slots.push({ a: node, b: other, kind: "pair" });
    j++;
  }
  upTo(b.length);
  return slots;
}

/** Steps that are left on one side and belong to attempts at one thing: the same step with the same arguments stands beside
 * it, calls of models aside, and the earlier of the two failed. */
function retries(siblings: readonly Node[], left: (node: Node) => boolean, marks: Marks): Set<Node> {
  const found = new Set<Node>();
  let before: Node | null = null;
  for (const node of siblings) {
    if (node.span.span_type === "llm_call" && before?.span.span_type !== "llm_call") continue;
    if (before !== null && before.span.status === "error" && marks.sameAct(before, node)) {
      if (left(before)) found.add(before);
      if (left(node)) found.add(node);
    }
    before = node;
  }
  return found;
}
