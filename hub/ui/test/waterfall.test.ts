import assert from "node:assert/strict";
import { test } from "node:test";
import { clamp } from "../src/model/clamp.ts";
import { told } from "../src/model/spans.ts";
import { bar, extent, ticks } from "../src/model/waterfall.ts";
import { madeLight } from "./made.ts";

test("the extent goes from the first start to the last end, and now while something runs", () => {
  const spans = [madeLight("a", null, 10), madeLight("b", null, 12, { end_time: null })];
  assert.deepEqual(extent(spans, 20), { start: 10, end: 20 });
  assert.deepEqual(extent([madeLight("a", null, 10, { end_time: null, interrupted: true })], 20), {
    start: 10,
    end: 10.001,
  });
  assert.deepEqual(extent([madeLight("a", null, 10, { end_time: 9 })], 20), { start: 10, end: 10.001 });
  assert.deepEqual(extent([], 20), { start: 0, end: 0.001 });
});

test("bars are shares of the window, cut at its edges", () => {
  const window = { start: 10, end: 20 };
  assert.deepEqual(bar(madeLight("a", null, 12), window, 0), {
    left: 0.2,
    width: 0.09999999999999998,
    before: false,
    after: false,
  });
  assert.deepEqual(bar(madeLight("a", null, 5, { end_time: 30 }), window, 0), {
    left: 0,
    width: 1,
    before: true,
    after: true,
  });
  assert.deepEqual(bar(madeLight("a", null, 15, { end_time: null }), window, 20), {
    left: 0.5,
    width: 0.5,
    before: false,
    after: false,
  });
  assert.equal(bar(madeLight("a", null, 5), window, 0), null);
  assert.equal(bar(madeLight("a", null, 21), window, 0), null);
});

test("marks are at round distances, few enough, with a unit", () => {
  const labels = (start: number, end: number, most = 4) => ticks({ start, end }, start, most).map((tick) => tick.label);
  assert.deepEqual(labels(100, 114.2), ["0", "5 s", "10 s"]);
  assert.deepEqual(labels(0, 0.001), ["0", "0.5 ms", "1 ms"]);
  assert.deepEqual(labels(0, 0.5), ["0", "200 ms", "400 ms"]);
  assert.deepEqual(labels(0, 300), ["0", "2 m", "4 m"]);
  assert.deepEqual(labels(0, 8000), ["0", "1 h", "2 h"]);
  assert.deepEqual(ticks({ start: 10, end: 10 }, 10, 4), []);
  for (const length of [1e-6, 0.003, 0.7, 3, 61, 3599, 100_000, 3e7]) {
    const found = ticks({ start: 1.79e9, end: 1.79e9 + length }, 1.79e9, 5);
    assert.ok(found.length >= 1 && found.length <= 6, String(length));
    assert.ok(found.every(({ at }) => at >= 0 && at <= 1 + 1e-6));
  }
});

test("a text is cut at its lines, its length, and between characters", () => {
  assert.equal(clamp("a\nb\nc", 2, 100), "a\nb");
  assert.equal(clamp("abcdef", 2, 3), "abc");
  assert.equal(clamp("ab😀", 2, 3), "ab");
  assert.equal(clamp("ab", 2, 3), "ab");
});

test("a row says what happened", () => {
  const calls = JSON.stringify([{ function: { name: "lookup_order" } }]);
  assert.equal(told("llm_call", { "llm.model": "gpt-4o", "llm.tool_calls": calls }).label, "gpt-4o → lookup_order");
  assert.equal(
    told("llm_call", { "llm.model": "gpt-4o", "llm.completion": "Hello\n  there" }).label,
    "gpt-4o: Hello there",
  );
  assert.equal(told("llm_call", { "llm.tokens.input": 3 }).tokens, 3);
  assert.equal(told("llm_call", { "llm.tool_calls": "{broken", "llm.tokens.input": "many" }).tokens, null);
  assert.equal(told("shell_command", { "shell.command": "ls" }).label, "ls");
  assert.equal(told("tool_use", { "tool.input": { a: 1 } }, "add").label, "add(1)");
});
