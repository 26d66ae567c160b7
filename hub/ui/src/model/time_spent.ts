// Where the time of a trace went: what a span did itself, when nothing was done, and the spans that made it as long as it
// is. Pure; no recursion, since a chain may be 100,000 deep.
import type { Node, Tree } from "./tree.ts";
import { endOf, type Window } from "./waterfall.ts";

/** Milliseconds of a span in which none of its children ran. */
export function selfTime(node: Node, now: number): number {
  const from = node.span.start_time;
  const to = endOf(node.span, now);
  let covered = 0;
  let upTo = from;
  for (const { span } of node.children) {
    // children are by start
    const start = Math.max(upTo, span.start_time);
    const end = Math.min(to, endOf(span, now));
    if (end <= start) continue;
    covered += end - start;
    upTo = end;
  }
  return Math.max(0, to - from - covered) * 1000;
}

/** The stretch before a span in which nothing beside it ran, from the start of what it stands below or the end of the
 * last before it; by span id. Only those of at least `least` seconds. */
export function idleBefore(tree: Tree, now: number, least: number): Map<string, Window> {
  const idle = new Map<string, Window>();
  const among = (siblings: readonly Node[], from: number) => {
    let busyUntil = from;
    for (const { span } of siblings) {
      if (span.start_time - busyUntil >= least) idle.set(span.span_id, { start: busyUntil, end: span.start_time });
      busyUntil = Math.max(busyUntil, endOf(span, now));
    }
  };
  if (tree.roots.length > 0) among(tree.roots, tree.roots[0]!.span.start_time);
  for (const node of tree.order) if (node.children.length > 0) among(node.children, node.span.start_time);
  return idle;
}

/** The critical path: from where the trace ends backwards, always along the child that ended last before. A span that is
 * waited for may end after the one that began it: what counts is the last end below. What is on the path, were it shorter,
 * the trace would be. Span ids. */
export function criticalPath(tree: Tree, now: number): Set<string> {
  const path = new Set<string>();
  const ends = lastEnds(tree, now);
  let last: Node | null = null;
  for (const root of tree.roots) if (last === null || ends.get(root)! > ends.get(last)!) last = root;
  if (last === null) return path;
  const stack: { node: Node; until: number }[] = [{ node: last, until: ends.get(last)! }];
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    path.add(at.node.span.span_id);
    const byEnd = [...at.node.children].sort((a, b) => ends.get(b)! - ends.get(a)!);
    let { until } = at;
    for (const child of byEnd) {
      const end = Math.min(ends.get(child)!, at.until);
      if (end > until || child.span.start_time >= until) continue;
      stack.push({ node: child, until: end });
      until = child.span.start_time;
    }
  }
  return path;
}

/** When each span, and all below it, had ended. */
function lastEnds(tree: Tree, now: number): Map<Node, number> {
  const ends = new Map<Node, number>();
  const above = [...tree.roots];
  const order: Node[] = [];
  for (let node = above.pop(); node !== undefined; node = above.pop()) {
    order.push(node);
    for (const child of node.children) above.push(child);
  }
  for (const node of order.reverse()) {
    let end = endOf(node.span, now);
    for (const child of node.children) end = Math.max(end, ends.get(child)!);
    ends.set(node, end);
  }
  return ends;
}
