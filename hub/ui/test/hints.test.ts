import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Span, TraceDetail } from "../src/api/schema.ts";
import { hintsOf } from "../src/model/hints.ts";
import { madeSpan } from "./made.ts";

/** A run of a demo agent as it was recorded, with what a real model answered. */
function recorded(name: string): Span[] {
  return (JSON.parse(readFileSync(`test/traces/${name}.json`, "utf8")) as TraceDetail).spans;
}

let next = 0;
function tool(name: string, input: unknown, output: unknown, fields: Partial<Span> = {}): Span {
  next++;
  return madeSpan(`s${next}`, {
    span_type: "tool_use",
    name,
    status: "ok",
    start_time: next,
    end_time: next + 0.5,
    attributes: {
      "tool.name": name,
      "tool.input": typeof input === "string" ? input : JSON.stringify(input),
      ...(output === undefined ? {} : { "tool.output": output }),
    },
    ...fields,
  });
}

function call(messages: unknown[], completion: string | null, more: Record<string, unknown> = {}): Span {
  next++;
  return madeSpan(`s${next}`, {
    span_type: "llm_call",
    name: "chat",
    status: "ok",
    start_time: next,
    end_time: next + 0.5,
    attributes: { "llm.prompt": JSON.stringify(messages), "llm.completion": completion, ...more },
  });
}

const user = (content: string) => ({ role: "user", content });
const kinds = (spans: readonly Span[]) => hintsOf(spans).map((hint) => hint.kind);
const times = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));
const FOUND = { results: ["Invoice 7", "Invoice 9"] };

test("of five recorded agents, the one that loops is told of, and the four others are left alone", () => {
  for (const name of ["research_assistant", "code_reviewer", "trip_planner", "flaky_deploy"]) {
    assert.deepEqual(hintsOf(recorded(name)), [], name);
  }
  const spans = recorded("endless_search");
  const [hint, ...others] = hintsOf(spans);
  assert.deepEqual(others, []);
  assert.equal(hint!.kind, "repeated");
  assert.equal(hint!.title, "search_archive was asked the same 5 times");
  const tools = spans.filter((span) => span.span_type === "tool_use");
  assert.deepEqual(
    hint!.spans,
    tools.map((span) => span.span_id),
  );
});

test("the same question with the same answer, from the third time on, whatever the order of keys", () => {
  assert.deepEqual(kinds(times(2, () => tool("search", { q: "x" }, FOUND))), []);
  assert.deepEqual(kinds(times(3, () => tool("search", { q: "x" }, FOUND))), ["repeated"]);
  assert.deepEqual(
    kinds([
      tool("search", '{"a": 1, "b": 2}', FOUND),
      tool("search", '{"b":2,"a":1}', JSON.stringify(FOUND)),
      tool("search", { a: 1, b: 2 }, FOUND),
    ]),
    ["repeated"],
  );
});

test("waiting, doing and asking on are no repetition", () => {
  const states = ["pending", "pending", "pending", "ready at last"];
  assert.deepEqual(kinds(states.map((state) => tool("check_build", { id: 1 }, { state }))), []);
  assert.deepEqual(kinds(times(9, () => tool("click", { button: "Next" }, '{"status": "ok"}'))), []);
  assert.deepEqual(kinds(times(9, () => tool("press", { key: "Tab" }, "done"))), []);
  assert.deepEqual(kinds(times(9, () => tool("sleep", { s: 5 }, "slept for five seconds"))), []);
  assert.deepEqual(kinds(times(9, (i) => tool("read", { page: i }, "the same words on every page"))), []);
  assert.deepEqual(kinds(times(9, () => tool("search", { q: "x" }, undefined))), [], "answers were not recorded");
  assert.deepEqual(kinds(times(9, () => tool("search", "", FOUND))), [], "nor what was asked");
});

test("three failures in the same way are a hint, retries that end are none", () => {
  const failed = (message: string) => ({ status: "error" as const, error_message: message });
  const fetch = (fields: Partial<Span> = {}) => tool("fetch", { url: "/a" }, "a page of text", fields);
  assert.deepEqual(kinds([fetch(failed("503")), fetch(failed("503")), fetch()]), []);
  assert.deepEqual(kinds([fetch(failed("503")), fetch(failed("timeout")), fetch(failed("503"))]), []);
  const hints = hintsOf([...times(4, () => fetch(failed("503 Unavailable\n at x"))), fetch()]);
  assert.deepEqual(
    hints.map((hint) => [hint.kind, hint.title, hint.spans.length]),
    [["failing", "fetch failed 4 times in the same way", 4]],
  );
  assert.match(hints[0]!.saw, /: 503 Unavailable$/);
});

test("an answer that was cut off says at how many tokens", () => {
  const [hint] = hintsOf([
    call([user("Tell me")], "It was", { "llm.finish_reason": "MAX_TOKENS", "llm.max_tokens": 300 }),
  ]);
  assert.equal(hint!.kind, "cut");
  assert.match(hint!.saw, /max tokens 300/);
  for (const reason of ["stop", "end_turn", "tool_calls", "content_filter", undefined, null])
    assert.deepEqual(kinds([call([user("Hi")], "Hello", { "llm.finish_reason": reason })]), []);
});

test("a tool that was called and not offered; where offers cannot be read, nothing", () => {
  const called = { "llm.tool_calls": JSON.stringify([{ id: "1", function: { name: "fly", arguments: "{}" } }]) };
  const offer = (...tools: unknown[]) => ({ ...called, "llm.tools": JSON.stringify(tools) });
  const named = (name: string) => ({ type: "function", function: { name } });
  const [hint] = hintsOf([call([user("Go")], "", offer(named("walk"), named("swim")))]);
  assert.equal(hint!.title, "The model called fly, which it was not offered");
  assert.equal(hint!.saw, "Offered were: walk, swim.");
  assert.deepEqual(kinds([call([user("Go")], "", offer(named("walk"), { name: "fly", input_schema: {} }))]), []);
  assert.deepEqual(kinds([call([user("Go")], "", offer(named("walk"), { type: "computer_use" }))]), []);
  assert.deepEqual(kinds([call([user("Go")], "", called)]), []);
});

test("an empty answer is one where contents are recorded and nothing was written", () => {
  assert.deepEqual(kinds([call([user("Hi")], "")]), ["empty"]);
  assert.deepEqual(
    kinds([call([user("Hi")], "", { "llm.tokens.output": 40 })]),
    [],
    "it was written, and not recorded",
  );
  assert.deepEqual(kinds([call([], "")]), [], "contents are not recorded");
  assert.deepEqual(kinds([madeSpan("x", { span_type: "llm_call", status: "ok", end_time: 1 })]), []);
  assert.deepEqual(kinds([call([user("Hi")], "", { "llm.tool_calls": '[{"function": {"name": "a"}}]' })]), []);
  assert.deepEqual(kinds([call([user("Hi")], "", { "llm.reasoning": "Hm." })]), []);
});

test("the same words in one conversation are a circle; in calls of their own they are not", () => {
  const said = "I am sorry, I cannot find that document.";
  const talk = (n: number) =>
    times(n, (i) =>
      call([user("Find it"), ...times(i, () => [{ role: "assistant", content: said }, user("Again")]).flat()], said),
    );
  assert.deepEqual(kinds(talk(2)), []);
  assert.deepEqual(kinds(talk(3)), ["circling"]);
  assert.deepEqual(kinds(times(9, (i) => call([user(`Label ${i}`)], "This one is about the weather."))), []);
  const yes = (i: number) => call([user("Find it"), ...times(2 * i, (j) => user(`${j}`))], "Yes.");
  assert.deepEqual(kinds(times(5, yes)), []);
});

test("a prompt that grows many times over, with how much of it was sent again", () => {
  const talk = (sizes: readonly number[]) =>
    sizes.map((size, i) =>
      call([user("Begin"), ...times(i, (j) => ({ role: "assistant", content: `step ${j}` }))], `answer ${i}`, {
        "llm.tokens.input": size,
      }),
    );
  const [hint] = hintsOf(talk([1_000, 3_000, 5_000, 9_000, 12_000]));
  assert.equal(hint!.kind, "growing");
  assert.equal(hint!.title, "The prompt grew 12 times over 5 calls");
  assert.equal(hint!.saw, "From 1k to 12k tokens; 60 % of the 30k tokens that were sent had been sent before.");
  assert.deepEqual(hint!.series, [1_000, 3_000, 5_000, 9_000, 12_000]);
  assert.deepEqual(kinds(talk([1_000, 2_000, 3_000, 4_000, 5_000])), [], "small");
  assert.deepEqual(kinds(talk([9_000, 10_000, 11_000, 12_000, 13_000])), [], "it began as large");
  assert.deepEqual(kinds(talk([1_000, 5_000, 12_000])), [], "a short talk");
  const apart = [1_000, 3_000, 5_000, 9_000, 12_000].map((size, i) =>
    call([user(`another ${i}`)], "x", { "llm.tokens.input": size }),
  );
  assert.deepEqual(kinds(apart), []);
});

test("spans that still run, and spans with nothing in them, say nothing", () => {
  assert.deepEqual(hintsOf([]), []);
  assert.deepEqual(kinds(times(5, () => tool("search", { q: "x" }, FOUND, { end_time: null }))), []);
  assert.deepEqual(kinds(times(5, () => madeSpan(`n${next++}`))), []);
});
