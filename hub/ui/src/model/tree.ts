// The spans of a trace as a tree, and the tree as rows. Pure; no recursion, since a chain may be 100,000 deep.
import type { LightSpan } from "./spans.ts";

export interface Node {
  readonly span: LightSpan;
  readonly children: Node[];
  parent: Node | null;
  /** 0 for a root. */
  depth: number;
  /** Place among all spans by (start_time, span_id), from 1. */
  sequence: number;
  /** Its parent is named, but not in the trace (or the parents go round in a circle). */
  orphan: boolean;
  /** How many spans are below it. */
  below: number;
  /** How many of it and those below have failed. */
  errors: number;
}

export interface Tree {
  readonly roots: Node[];
  readonly byId: ReadonlyMap<string, Node>;
  /** Parents before their children, siblings by (start_time, span_id). */
  readonly order: Node[];
}

/** Every span stands in the tree once: one whose parent is missing as a root; of spans that are each other's parents the
 * earliest. */
export function buildTree(spans: readonly LightSpan[]): Tree {
  const sorted = [...spans].sort(byStart);
  const byId = new Map<string, Node>();
  sorted.forEach((span, i) => {
    byId.set(span.span_id, {
      span,
      children: [],
      parent: null,
      depth: 0,
      sequence: i + 1,
      orphan: false,
      below: 0,
      errors: span.status === "error" ? 1 : 0,
    });
  });
  const nodes = [...byId.values()];
  const roots: Node[] = [];
  for (const node of nodes) {
    const parentId = node.span.parent_span_id;
    const parent = parentId === null ? undefined : byId.get(parentId);
    if (parent === undefined) {
      node.orphan = parentId !== null;
      roots.push(node);
    } else node.parent = parent;
  }
  cutCircles(nodes, roots);
  for (const node of nodes) node.parent?.children.push(node);
  roots.sort((a, b) => byStart(a.span, b.span));

  const order: Node[] = [];
  const stack = [...roots].reverse();
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    node.depth = node.parent === null ? 0 : node.parent.depth + 1;
    order.push(node);
    for (let i = node.children.length - 1; i >= 0; i--) stack.push(node.children[i]!);
  }
  for (let i = order.length - 1; i >= 0; i--) {
    const node = order[i]!;
    if (node.parent !== null) {
      node.parent.below += node.below + 1;
      node.parent.errors += node.errors;
    }
  }
  return { roots, byId, order };
}

/** Nodes that no root leads to hang in a circle: cut each before its earliest node. */
function cutCircles(nodes: readonly Node[], roots: Node[]): void {
  const settled = new Set<Node>(roots);
  for (const start of nodes) {
    const path = new Set<Node>();
    let node: Node | null = start;
    while (node !== null && !settled.has(node) && !path.has(node)) {
      path.add(node);
      node = node.parent;
    }
    if (node !== null && path.has(node)) {
      // `nodes` are by start: the earliest of the circle has the lowest sequence
      let first = node;
      for (let other = node.parent!; other !== node; other = other.parent!) {
        if (other.sequence < first.sequence) first = other;
      }
      first.parent = null;
      first.orphan = true;
      roots.push(first);
    }
    for (const seen of path) settled.add(seen);
  }
}

function byStart(a: LightSpan, b: LightSpan): number {
  return a.start_time - b.start_time || (a.span_id < b.span_id ? -1 : a.span_id > b.span_id ? 1 : 0);
}

/** The rows of a tree whose `collapsed` nodes (by span id) hide what is below them. */
export function visibleRows(tree: Tree, collapsed: ReadonlySet<string>): Node[] {
  if (collapsed.size === 0) return tree.order;
  const rows: Node[] = [];
  const order = tree.order;
  for (let i = 0; i < order.length; i++) {
    const node = order[i]!;
    rows.push(node);
    if (collapsed.has(node.span.span_id)) i += node.below; // pre-order: they follow at once
  }
  return rows;
}

/** From the root to `node`, both among them. */
export function pathTo(node: Node): Node[] {
  const path: Node[] = [];
  for (let at: Node | null = node; at !== null; at = at.parent) path.push(at);
  return path.reverse();
}

/** Failing spans by time: the order `e` goes through them in. */
export function failing(tree: Tree): Node[] {
  return tree.order.filter((node) => node.span.status === "error").sort((a, b) => a.sequence - b.sequence);
}

/** The span to look at first in a trace that failed: the deepest that failed, of those the earliest; where a root has
 * failed, below it along spans that have failed too, since what an agent got over is not why it failed. Null when nothing
 * failed. */
export function firstFailure(tree: Tree): Node | null {
  const all = failing(tree);
  const downFromRoot = new Set<Node>();
  for (const node of tree.order) {
    if (node.span.status === "error" && (node.parent === null || downFromRoot.has(node.parent))) downFromRoot.add(node);
  }
  const blamed = all.filter((node) => node.depth > 0 && downFromRoot.has(node));
  let best: Node | null = null;
  for (const node of blamed.length > 0 ? blamed : all) {
    if (best === null || node.depth > best.depth) best = node;
  }
  return best;
}
