import assert from "node:assert/strict";
import { test } from "node:test";
import { asPlainText, pairs, readAnswer, readPrompt, sizeOf } from "../src/model/conversation.ts";

const kinds = (value: unknown) => readPrompt(value).map(({ role, parts }) => [role, ...parts.map((part) => part.kind)]);

test("a prompt is a list of messages, one that holds one, or a plain text", () => {
  assert.deepEqual(kinds("Plan a trip."), [["user", "text"]]);
  assert.deepEqual(kinds('[{"role":"system","content":"Be kind"},{"role":"user","content":"Hi"}]'), [
    ["system", "text"],
    ["user", "text"],
  ]);
  assert.deepEqual(kinds({ system: "Be kind", messages: [{ role: "user", content: "Hi" }] }), [
    ["system", "text"],
    ["user", "text"],
  ]);
  assert.deepEqual(kinds({ role: "user", content: "Hi" }), [["user", "text"]]);
  assert.deepEqual(kinds([{ type: "human", content: "Hi" }]), [["user", "text"]]);
  for (const nothing of ["", null, undefined]) assert.deepEqual(kinds(nothing), []);
});

test("calls and results are read in every form", () => {
  const openai = [
    { role: "assistant", content: null, tool_calls: [{ id: "1", function: { name: "f", arguments: '{"a":1}' } }] },
    { role: "tool", tool_call_id: "1", content: '{"b":2}' },
  ];
  const anthropic = [
    { role: "assistant", content: [{ type: "tool_use", id: "1", name: "f", input: { a: 1 } }] },
    {
      role: "user",
      content: [{ type: "tool_result", tool_use_id: "1", content: [{ type: "text", text: '{"b":2}' }] }],
    },
  ];
  const responses = [
    { type: "function_call", call_id: "1", name: "f", arguments: '{"a":1}' },
    { type: "function_call_output", call_id: "1", output: '{"b":2}' },
  ];
  for (const form of [openai, anthropic, responses]) {
    const [call, result] = readPrompt(form).flatMap(({ parts }) => parts);
    assert.deepEqual(call, { kind: "call", id: "1", name: "f", input: { a: 1 } });
    assert.equal(result?.kind, "result");
    assert.deepEqual(result?.kind === "result" && [result.id, result.output], ["1", { b: 2 }]);
    const paired = pairs(readPrompt(form));
    assert.equal(paired.size, 2);
  }
});

test("results find their calls by id, and without one in order", () => {
  const call = (name: string, id?: string) => ({ id, function: { name, arguments: "{}" } });
  const messages = readPrompt([
    { role: "assistant", tool_calls: [call("f", "a"), call("f", "b"), call("g")] },
    { role: "tool", tool_call_id: "b", content: "second" },
    { role: "tool", tool_call_id: "a", content: "first" },
    { role: "tool", name: "g", content: "third" },
    { role: "tool", tool_call_id: "nobody", content: "nobody's" },
  ]);
  const paired = pairs(messages);
  const said = messages[0]!.parts.map((part) => {
    const result = paired.get(part);
    return result?.kind === "result" ? result.output : null;
  });
  assert.deepEqual(said, ["first", "second", "third"]);
  assert.equal(paired.has(messages[4]!.parts[0]!), false);
});

test("an answer is its reasoning, its words and the tools it called, each once", () => {
  const tools = '[{"id":"1","function":{"name":"f","arguments":"{}"}}]';
  const answer = readAnswer({ "llm.reasoning": "Hm", "llm.completion": "Yes", "llm.tool_calls": tools });
  assert.deepEqual(
    answer?.parts.map(({ kind }) => kind),
    ["reasoning", "text", "call"],
  );
  const block = '[{"type":"text","text":"Yes"},{"type":"tool_use","id":"1","name":"f","input":{}}]';
  assert.deepEqual(
    readAnswer({ "llm.completion": block, "llm.tool_calls": tools })?.parts.map(({ kind }) => kind),
    ["text", "call"],
  );
  assert.equal(readAnswer({}), null);
});

test("images are where they say", () => {
  const url = (part: unknown) => {
    const found = readPrompt([{ role: "user", content: [part] }])[0]!.parts[0]!;
    return found.kind === "image" ? found.url : found.kind;
  };
  assert.equal(url({ type: "image_url", image_url: { url: "https://e.example/a.png" } }), "https://e.example/a.png");
  assert.equal(
    url({ type: "image", source: { type: "base64", media_type: "image/jpeg", data: "AA" } }),
    "data:image/jpeg;base64,AA",
  );
  assert.equal(url({ type: "image", weird: 1 }), "other");
});

test("nothing that may stand there breaks it", () => {
  const values: unknown[] = [0, true, [], {}, [null], [[[]]], [{ role: 7, content: { text: 3 } }], { messages: 3 }];
  values.push([{ role: "assistant", tool_calls: [null, 3, { function: "f" }, {}] }], [{ role: "tool" }], "[1, 2", "{}");
  values.push([{ role: "user", content: [null, 4, { type: 3 }, { type: "tool_result" }, { type: "image" }] }]);
  for (const value of values) {
    const messages = readPrompt(value);
    pairs(messages);
    for (const message of messages) assert.ok(sizeOf(message) >= 0 && asPlainText(message) !== undefined);
    readAnswer({ "llm.completion": value, "llm.tool_calls": value, "llm.reasoning": value });
  }
});

test("items of OpenAI's Responses API are said by who says them, and Google's parts are known by their fields", () => {
  const items = [
    { role: "user", content: "Add" },
    { type: "reasoning", summary: [{ type: "summary_text", text: "hm" }] },
    { type: "function_call", call_id: "c1", name: "add", arguments: '{"a":1}' },
    { type: "custom_tool_call", call_id: "c2", name: "run", input: "print(1)" },
    { type: "function_call_output", call_id: "c1", output: "1" },
    { type: "custom_tool_call_output", call_id: "c2", output: "ok" },
  ];
  assert.deepEqual(kinds(items), [
    ["user", "text"],
    ["assistant", "reasoning"],
    ["assistant", "call"],
    ["assistant", "call"],
    ["tool", "result"],
    ["tool", "result"],
  ]);
  assert.equal(pairs(readPrompt(items)).size, 4);
  for (const [call, response, data] of [
    ["functionCall", "functionResponse", "inlineData"],
    ["function_call", "function_response", "inline_data"],
  ] as const) {
    const prompt = [
      { role: "user", parts: [{ text: "See" }, { [data]: { mimeType: "image/gif", data: "R0lG" } }] },
      { role: "model", parts: [{ text: "hm", thought: true }, { [call]: { name: "look", args: { a: 1 } } }] },
      { role: "user", parts: [{ [response]: { name: "look", response: { b: 2 } } }] },
    ];
    assert.deepEqual(kinds(prompt), [
      ["user", "text", "image"],
      ["assistant", "reasoning", "call"],
      ["user", "result"],
    ]);
    assert.equal(pairs(readPrompt(prompt)).size, 2);
  }
});
