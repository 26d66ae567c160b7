import assert from "node:assert/strict";
import { test } from "node:test";
import type { LightSpan } from "../src/model/spans.ts";
import { buildTree, failing, firstFailure, visibleRows } from "../src/model/tree.ts";
import { madeLight } from "./made.ts";

const ids = (nodes: readonly { span: LightSpan }[]) => nodes.map((node) => node.span.span_id);

test("parents come before children, siblings by start, whatever order spans come in", () => {
  const tree = buildTree([
    madeLight("c", "a", 3),
    madeLight("a", null, 1),
    madeLight("d", "b", 4),
    madeLight("b", "a", 2),
  ]);
  assert.deepEqual(ids(tree.order), ["a", "b", "d", "c"]);
  assert.deepEqual(
    tree.order.map((node) => node.depth),
    [0, 1, 2, 1],
  );
  assert.deepEqual(
    tree.order.map((node) => node.below),
    [3, 1, 0, 0],
  );
  assert.deepEqual(
    tree.order.map((node) => node.sequence),
    [1, 2, 4, 3],
  );
});

test("a span whose parent is missing is a root that says so", () => {
  const tree = buildTree([madeLight("b", "nobody", 2), madeLight("a", null, 1)]);
  assert.deepEqual(ids(tree.roots), ["a", "b"]);
  assert.deepEqual(
    tree.roots.map((node) => node.orphan),
    [false, true],
  );
});

test("circles are cut before their earliest span, and nothing is lost", () => {
  const tree = buildTree([
    madeLight("self", "self", 5),
    madeLight("x", "z", 2),
    madeLight("y", "x", 3),
    madeLight("z", "y", 1),
    madeLight("under", "y", 9),
  ]);
  assert.deepEqual(ids(tree.roots), ["z", "self"]);
  assert.deepEqual(ids(tree.order), ["z", "x", "y", "under", "self"]);
  assert.ok(tree.roots.every((node) => node.orphan));
});

test("a chain of 50,000 spans and a fan of as many", () => {
  const chain = Array.from({ length: 50_000 }, (_, i) => madeLight(`s${i}`, i ? `s${i - 1}` : null, i));
  assert.equal(buildTree(chain).order.at(-1)!.depth, 49_999);
  const fan = Array.from({ length: 50_000 }, (_, i) => madeLight(`s${i}`, i ? "s0" : null, i));
  assert.equal(buildTree(fan).roots[0]!.below, 49_999);
});

test("any set of parents gives a tree with every span once", () => {
  let seed = 3;
  const random = (n: number) => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return Math.floor((seed / 2 ** 31) * n);
  };
  for (let round = 0; round < 500; round++) {
    const n = 1 + random(12);
    const spans = Array.from({ length: n }, (_, i) =>
      madeLight(`s${i}`, random(4) ? `s${random(n + 2)}` : null, random(5)),
    );
    const tree = buildTree(spans);
    assert.equal(new Set(ids(tree.order)).size, n);
    for (const node of tree.order) {
      assert.equal(node.depth, node.parent ? node.parent.depth + 1 : 0);
      assert.equal(
        node.below,
        node.children.reduce((sum, child) => sum + child.below + 1, 0),
      );
    }
  }
});

test("collapsed nodes hide what is below them", () => {
  const tree = buildTree([
    madeLight("a", null, 1),
    madeLight("b", "a", 2),
    madeLight("c", "b", 3),
    madeLight("d", "a", 4),
  ]);
  assert.deepEqual(ids(visibleRows(tree, new Set(["b"]))), ["a", "b", "d"]);
  assert.deepEqual(ids(visibleRows(tree, new Set(["a", "b"]))), ["a"]);
});

const error = { status: "error" as const };

test("the first failure is the deepest, then the earliest", () => {
  const tree = buildTree([
    madeLight("root", null, 0, error),
    madeLight("early", "root", 1, error),
    madeLight("mid", "root", 2, error),
    madeLight("deep-late", "mid", 4, error),
    madeLight("deep-early", "mid", 3, error),
  ]);
  assert.equal(firstFailure(tree)!.span.span_id, "deep-early");
  assert.deepEqual(ids(failing(tree)), ["root", "early", "mid", "deep-early", "deep-late"]);
});

test("what an agent got over is not why it failed", () => {
  const tree = buildTree([
    madeLight("root", null, 0, error),
    madeLight("retry", "root", 1),
    madeLight("flaky", "retry", 1.1),
    madeLight("flaked", "flaky", 1.2, error),
    madeLight("refund", "root", 3, error),
  ]);
  assert.equal(firstFailure(tree)!.span.span_id, "refund");
});

test("a failure below a root that went well is still the one to look at", () => {
  assert.equal(
    firstFailure(buildTree([madeLight("root", null, 0), madeLight("tool", "root", 1, error)]))!.span.span_id,
    "tool",
  );
  assert.equal(firstFailure(buildTree([madeLight("root", null, 0, error)]))!.span.span_id, "root");
  assert.equal(firstFailure(buildTree([madeLight("root", null, 0)])), null);
});
