import assert from "node:assert/strict";
import { test } from "node:test";
import { sentence, stateAfter, stepAt, stepsOf } from "../src/model/steps.ts";
import { buildTree } from "../src/model/tree.ts";
import { madeLight } from "./made.ts";

const llm = { span_type: "llm_call" as const };
const tool = { span_type: "tool_use" as const };
const tree = buildTree([
  madeLight("agent", null, 0, { span_type: "agent_step", end_time: 10 }),
  madeLight("slow", "agent", 1, { ...tool, end_time: 6 }),
  madeLight("ask", "agent", 2, { ...llm, end_time: 3, tokens: 100, cost_usd: 0.5 }),
  madeLight("outer", "agent", 6, { ...llm, end_time: 8, tokens: 70, cost_usd: 0.2 }),
  madeLight("inner", "outer", 6.5, { ...llm, end_time: 7.5, tokens: 70, cost_usd: 0.2 }),
  madeLight("pay", "agent", 8, { ...tool, end_time: 9, status: "error", error_message: "503\nat x" }),
  madeLight("open", "agent", 9, { ...tool, end_time: null }),
]);
const steps = stepsOf(tree);
const at = (id: string) => stepAt(steps, tree.byId.get(id)!);

test("steps are in the order in which they were over; what holds them and what still runs is none", () => {
  assert.deepEqual(
    steps.map((node) => node.span.span_id),
    ["ask", "slow", "inner", "outer", "pay"],
  );
});

test("a span that is no step is at the last one that was over when it was", () => {
  assert.equal(at("slow"), 1);
  assert.equal(at("agent"), 4);
  assert.equal(at("open"), 4);
  assert.equal(stepAt(steps, null), -1);
});

test("the state after a step: what was spent, each call once, the last call and the last result", () => {
  const before = stateAfter(steps, -1, 0);
  assert.deepEqual([before.tokens, before.call, before.tool], [0, null, null]);
  const first = stateAfter(steps, 0, 0);
  assert.deepEqual(
    [first.since, first.tokens, first.cost, first.call?.span.span_id, first.tool],
    [3, 100, 0.5, "ask", null],
  );
  const last = stateAfter(steps, 4, 0);
  assert.deepEqual([last.since, last.tokens, last.cost, last.errors], [9, 170, 0.7, 1]);
  assert.deepEqual([last.call?.span.span_id, last.tool?.span.span_id], ["outer", "pay"]);
});

test("a step in a sentence", () => {
  assert.equal(sentence(steps[4]!), "pay failed: 503");
  assert.equal(sentence({ ...steps[0]!, span: { ...steps[0]!.span, label: "ask → look" } }), "ask → look");
});
