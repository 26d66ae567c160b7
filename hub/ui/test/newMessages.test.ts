import assert from "node:assert/strict";
import { test } from "node:test";
import { type Message, readPrompt } from "../src/model/conversation.ts";
import { newSince, previousCall } from "../src/model/newMessages.ts";
import { buildTree } from "../src/model/tree.ts";
import { madeLight } from "./made.ts";

/** Messages out of "s:be kind u:hi a:hello". */
function said(text: string): Message[] {
  const roles: Record<string, string> = { s: "system", u: "user", a: "assistant", t: "tool" };
  return readPrompt(text.split(" ").map((one) => ({ role: roles[one[0]!], content: one.slice(2), tool_call_id: "1" })));
}

test("what came to the end is new", () => {
  const change = newSince(said("s:kind u:hi"), said("s:kind u:hi a:look t:found"));
  assert.deepEqual(change, { old: [true, true, false, false], added: 2, gone: 0, continues: true });
});

test("the same prompt again has nothing new", () => {
  assert.deepEqual(newSince(said("u:hi"), said("u:hi")), { old: [true], added: 0, gone: 0, continues: true });
});

test("a history that was cut at its beginning is old where it still stands", () => {
  const change = newSince(said("s:kind u:1 a:2 u:3 a:4"), said("s:kind u:3 a:4 u:5"));
  assert.deepEqual(change.old, [true, true, true, false]);
  assert.equal(change.gone, 2);
  assert.ok(change.continues);
});

test("another conversation shares at most what the system says", () => {
  assert.equal(newSince(said("s:kind u:hi"), said("s:kind u:bye")).continues, false);
  assert.equal(newSince([], said("u:hi")).continues, false);
});

test("the same words twice are two messages", () => {
  assert.deepEqual(newSince(said("u:go a:ok"), said("u:go a:ok u:go a:ok")).old, [true, true, false, false]);
});

test("thousands of messages that all differ are no work of hours", { timeout: 60_000 }, () => {
  const many = (stem: string) => said(Array.from({ length: 3_000 }, (_, i) => `u:${stem}${i}`).join(" "));
  const change = newSince([...said("u:x"), ...many("a")], [...said("u:y"), ...many("b"), ...said("u:a7")]);
  assert.equal(change.added, 3_001);
});

test("the call before is the last of the same agent", () => {
  const llm = { span_type: "llm_call" } as const;
  const tree = buildTree([
    madeLight("root", null, 0),
    madeLight("one", "root", 1),
    madeLight("two", "root", 2),
    madeLight("one-a", "one", 3, llm),
    madeLight("two-a", "two", 4, llm),
    madeLight("one-b", "one", 5, llm),
    madeLight("two-b", "two", 6, llm),
    madeLight("step", "two", 7),
    madeLight("two-c", "step", 8, llm),
  ]);
  const before = (id: string) => previousCall(tree, tree.byId.get(id)!)?.span.span_id ?? null;
  assert.equal(before("one-a"), null);
  assert.equal(before("two-a"), "one-a");
  assert.equal(before("one-b"), "one-a");
  assert.equal(before("two-b"), "two-a");
  assert.equal(before("two-c"), "two-b");
});

test("spans of other roots are looked at too, the own first", () => {
  const llm = { span_type: "llm_call" } as const;
  const tree = buildTree([madeLight("a", null, 0, llm), madeLight("b", null, 1, llm), madeLight("c", null, 2, llm)]);
  assert.equal(previousCall(tree, tree.byId.get("c")!)?.span.span_id, "b");
});
