// What a call to a model says that the one before it did not. In a loop the prompt repeats: what matters is its end. Pure.
import type { Message } from "./conversation.ts";
import type { Node, Tree } from "./tree.ts";

export interface NewMessages {
  /** For every message now: whether the call before had it too. */
  old: boolean[];
  /** How many are new. */
  added: number;
  /** How many of the messages before are not there any more: a history that was cut, or summed up. */
  gone: number;
  /** The two are one conversation: they share more than what the system says. */
  continues: boolean;
}

/** Beyond so many comparisons, order is not looked at: 1,000 messages against 1,000. */
const COMPARED_MAX = 1_000_000;

/** `now` against `before`: a message is old when it stands in both, in the same order. The end of a long history that was
 * cut at its beginning is old all the same. */
export function newSince(before: readonly Message[], now: readonly Message[]): NewMessages {
  const a = before.map(fingerprint);
  const b = now.map(fingerprint);
  const old = new Array<boolean>(b.length).fill(false);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) old[start++] = true;
  if (start < a.length && start < b.length) {
    if ((a.length - start) * (b.length - start) <= COMPARED_MAX) common(a.slice(start), b.slice(start), start, old);
    else {
      const known = new Set(a.slice(start));
      for (let i = start; i < b.length; i++) old[i] = known.has(b[i]!);
    }
  }
  const kept = old.filter(Boolean).length;
  const continues = now.some((message, i) => old[i] && message.role !== "system" && message.role !== "developer");
  return { old, added: b.length - kept, gone: Math.max(0, a.length - kept), continues };
}

/** Mark what is in a longest common subsequence of both. */
function common(a: readonly string[], b: readonly string[], offset: number, old: boolean[]): void {
  const width = b.length + 1;
  const table = new Uint32Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      table[i * width + j] =
        a[i] === b[j]
          ? table[(i + 1) * width + j + 1]! + 1
          : Math.max(table[(i + 1) * width + j]!, table[i * width + j + 1]!);
    }
  }
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) {
      old[offset + j] = true;
      i++;
      j++;
    } else if (table[(i + 1) * width + j]! >= table[i * width + j + 1]!) i++;
    else j++;
  }
}

function fingerprint(message: Message): string {
  return JSON.stringify([message.role, message.name, message.parts]);
}

/** The call to a model before `node`: the latest of those that share the most of what they stand below with it, so that
 * agents that take turns are each compared with themselves. Null when it is the first. */
export function previousCall(tree: Tree, node: Node): Node | null {
  const above = new Set<Node>();
  for (let at = node.parent; at !== null; at = at.parent) above.add(at);
  const shared = new Map<Node, number>();
  let best: Node | null = null;
  let bestShared = -2;
  for (const other of tree.order) {
    // parents stand before their children
    const depth = above.has(other) ? other.depth : other.parent === null ? -1 : shared.get(other.parent)!;
    shared.set(other, depth);
    if (other.span.span_type !== "llm_call" || other.sequence >= node.sequence) continue;
    if (depth > bestShared || (depth === bestShared && other.sequence > best!.sequence)) {
      best = other;
      bestShared = depth;
    }
  }
  return best;
}
