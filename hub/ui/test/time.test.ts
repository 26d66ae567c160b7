import assert from "node:assert/strict";
import { test } from "node:test";
import { criticalPath, idleBefore, selfTime } from "../src/model/time_spent.ts";
import { buildTree } from "../src/model/tree.ts";
import { around, inside, panned, readWindow, writeWindow, zoomed } from "../src/model/zoom.ts";
import { madeLight } from "./made.ts";

const WHOLE = { start: 100, end: 110 };

function lasting(id: string, parent: string | null, start: number, end: number | null) {
  return madeLight(id, parent, start, { end_time: end, duration_ms: end === null ? null : (end - start) * 1000 });
}

test("a window stays inside of the whole, and is none when it is all of it", () => {
  assert.deepEqual(inside({ start: 95, end: 99 }, WHOLE), { start: 100, end: 104 });
  assert.deepEqual(inside({ start: 109, end: 112 }, WHOLE), { start: 107, end: 110 });
  assert.equal(inside({ start: 90, end: 120 }, WHOLE), null);
  assert.deepEqual(zoomed(WHOLE, 0.5, 0.2, WHOLE), { start: 101, end: 106 });
  assert.equal(zoomed({ start: 101, end: 108 }, 2, 0.5, WHOLE), null);
  assert.deepEqual(panned({ start: 102, end: 104 }, 0.5, WHOLE), { start: 103, end: 105 });
  const close = around({ start: 105, end: 105 }, WHOLE)!;
  assert.ok(close.start < 105 && close.end > 105 && close.end - close.start < 0.001);
});

test("a window in an address reads as it was written", () => {
  for (const window of [
    { start: 102.5, end: 103.25 },
    { start: 100, end: 100.000123 },
    { start: 105.1234567, end: 109 },
  ]) {
    const back = readWindow(writeWindow(window, WHOLE.start), WHOLE)!;
    const length = window.end - window.start;
    assert.ok(Math.abs(back.start - window.start) < length / 50, writeWindow(window, 100)!);
    assert.ok(Math.abs(back.end - window.end) < length / 50);
  }
  for (const wrong of [null, "", "3", "5-2", "a-b", "-1-2", "1e9-2e9", "1-1"])
    assert.equal(wrong === "1e9-2e9" ? null : readWindow(wrong, WHOLE), null, String(wrong));
  assert.deepEqual(readWindow("500-503", WHOLE), { start: 107, end: 110 }); // of a trace that was longer
});

test("self time is what no child covers, however they overlap", () => {
  const tree = buildTree([
    lasting("root", null, 0, 10),
    lasting("a", "root", 1, 4),
    lasting("b", "root", 2, 3),
    lasting("c", "root", 3.5, 6),
    lasting("late", "root", 9, 20),
  ]);
  assert.equal(selfTime(tree.roots[0]!, 0), 4_000);
  assert.equal(selfTime(buildTree([lasting("open", null, 5, null)]).roots[0]!, 8), 3_000);
});

test("idle is when nothing beside a span ran before it", () => {
  const tree = buildTree([
    lasting("root", null, 0, 20),
    lasting("a", "root", 0, 10),
    lasting("b", "root", 2, 3),
    lasting("c", "root", 4, 5),
    lasting("d", "root", 13, 14),
    lasting("in d", "d", 13.5, 14),
  ]);
  assert.deepEqual([...idleBefore(tree, 0, 1)], [["d", { start: 10, end: 13 }]]);
  assert.deepEqual([...idleBefore(tree, 0, 0.5).keys()].sort(), ["d", "in d"]);
});

test("the critical path goes back from the end along what ended last", () => {
  const tree = buildTree([
    lasting("root", null, 0, 10),
    lasting("plan", "root", 0, 2),
    lasting("fetch", "root", 5, 10),
    lasting("log", "root", 5.5, 6.5),
    lasting("dns", "fetch", 5, 6),
    lasting("read", "fetch", 6, 10),
    lasting("beside", "fetch", 6, 7),
  ]);
  assert.deepEqual([...criticalPath(tree, 0)].sort(), ["dns", "fetch", "plan", "read", "root"]);
  assert.equal(criticalPath(buildTree([]), 0).size, 0);
  // begun and not waited for: the trace lasts as long as they do
  const async_ = buildTree([
    lasting("root", null, 0, 3),
    lasting("job", "root", 1, 53),
    lasting("step", "job", 2, 50),
    lasting("short", "root", 1, 2),
  ]);
  assert.deepEqual([...criticalPath(async_, 0)].sort(), ["job", "root", "step"]);
});

test("a chain of 100,000 is no stack overflow", () => {
  const spans = Array.from({ length: 100_000 }, (_, i) => lasting(`s${i}`, i === 0 ? null : `s${i - 1}`, 0, 1));
  assert.equal(criticalPath(buildTree(spans), 0).size, 100_000);
});
