import assert from "node:assert/strict";
import { test } from "node:test";
import type { Model } from "../src/api/schema.ts";
import {
  differs,
  draftOf,
  messageOf,
  modelOf,
  modifications,
  priceOf,
  toolsOf,
  wrongDraft,
} from "../src/model/replay.ts";

const CALL = { id: "c1", type: "function", function: { name: "look", arguments: "{}" } };
const MESSAGES = [
  { role: "system", content: "Be terse." },
  {
    role: "user",
    content: [
      { type: "text", text: "What is it?" },
      { type: "image_url", image_url: { url: "data:," } },
    ],
  },
  { role: "assistant", content: null, tool_calls: [CALL] },
  { role: "tool", tool_call_id: "c1", content: "18C" },
];
const ATTRIBUTES = {
  "llm.model": "large",
  "llm.provider": "lab",
  "llm.prompt": JSON.stringify(MESSAGES),
  "llm.temperature": 0.2,
  "llm.tools": JSON.stringify([{ type: "function", function: { name: "look" } }]),
  "llm.tool_choice": "auto",
  "llm.tokens.input": 1000,
  "llm.tokens.output": 500,
};
const MODEL: Model = {
  model: "large",
  provider: "lab",
  context: null,
  input_usd_per_million: 1,
  output_usd_per_million: 10,
  configured: true,
};

test("a draft that was not touched differs in nothing, and is the messages it was made of", () => {
  const draft = draftOf(ATTRIBUTES);
  assert.deepEqual(draft.cards.map(messageOf), MESSAGES);
  assert.deepEqual(modifications(draft, ATTRIBUTES), {});
  assert.equal(wrongDraft(draft), null);
  assert.deepEqual(toolsOf(ATTRIBUTES), ["look"]);
});

test("only what was edited is sent", () => {
  const draft = draftOf(ATTRIBUTES);
  draft.cards[0]!.body = "Be long.";
  draft.cards.splice(3, 1);
  const changed = modifications(
    { ...draft, model: "small", temperature: "", maxTokens: "50", tools: false },
    ATTRIBUTES,
  );
  assert.deepEqual(JSON.parse(changed["llm.prompt"] as string), [
    { role: "system", content: "Be long." },
    MESSAGES[1],
    MESSAGES[2],
  ]);
  const { "llm.prompt": _, ...others } = changed;
  assert.deepEqual(others, {
    "llm.model": "small",
    "llm.temperature": null,
    "llm.max_tokens": 50,
    "llm.tools": null,
    "llm.tool_choice": null,
  });
  assert.equal(differs(changed), "messages · model small · no temperature · max tokens 50 · no tools · no tool choice");
});

test("a prompt that is a text is one message of a user, and stays a text when nothing is edited", () => {
  for (const prompt of ["Say hello", "[note] read this", '{"half": ']) {
    const attributes = { "llm.model": "m", "llm.prompt": prompt };
    const draft = draftOf(attributes);
    assert.deepEqual(draft.cards.map(messageOf), [{ role: "user", content: prompt }]);
    assert.deepEqual(modifications(draft, attributes), {});
  }
  assert.match(wrongDraft(draftOf({ "llm.model": "m" }))!, /no message/);
});

test("what cannot be sent is named", () => {
  const draft = draftOf(ATTRIBUTES);
  assert.match(wrongDraft({ ...draft, temperature: "3" })!, /0 to 2/);
  assert.match(wrongDraft({ ...draft, maxTokens: "1.5" })!, /whole number/);
  assert.match(wrongDraft({ ...draft, model: " " })!, /model/);
  const [, image] = draft.cards[1]!.parts!;
  draft.cards[1]!.parts = [{ ...image!, text: "[{" }];
  assert.match(wrongDraft(draft)!, /Message 2: Part 1 is not JSON/);
  draft.cards[1]!.parts = [];
  draft.cards[2]!.calls = [{ ...draft.cards[2]!.calls[0]!, text: "{" }];
  assert.match(wrongDraft(draft)!, /Message 3: The arguments of look are not JSON/);
});

test("hostile values of attributes break nothing", () => {
  for (const value of [null, 1, [], {}, [1], [null], { role: 3 }, "[", '[{"role":1}]', [{ role: "user" }], true]) {
    const attributes = { "llm.prompt": value, "llm.tools": value, "llm.model": value, "llm.temperature": value };
    const draft = draftOf(attributes);
    assert.deepEqual(modifications(draft, attributes), {});
    wrongDraft(draft);
    toolsOf(attributes);
  }
});

test("the price of a run is that of the record's tokens, bounded by max tokens", () => {
  const draft = draftOf(ATTRIBUTES);
  assert.deepEqual(priceOf(draft, MODEL, ATTRIBUTES), { usd: 0.006, most: null, exact: true });
  assert.deepEqual(priceOf({ ...draft, maxTokens: "100" }, MODEL, ATTRIBUTES), {
    usd: 0.002,
    most: 0.002,
    exact: true,
  });
  draft.cards[0]!.body = "x".repeat(9 + 4000);
  assert.deepEqual(priceOf(draft, MODEL, ATTRIBUTES), { usd: 0.007, most: null, exact: false });
  assert.equal(priceOf(draft, { ...MODEL, input_usd_per_million: null }, ATTRIBUTES).usd, null);
  assert.equal(priceOf(draft, { ...MODEL, local: true, input_usd_per_million: null }, ATTRIBUTES).usd, 0);
  assert.equal(modelOf({ model: "large", provider: "other" }, [MODEL]), MODEL);
  assert.equal(modelOf({ model: "none", provider: "lab" }, [MODEL]), undefined);
});

test("parts and calls are edited one by one, and what was not touched goes back to the letter", () => {
  const given = '{"city":  "Par\\u00eds"}';
  const odd = [
    { id: "c1", type: "function", function: { name: "look", arguments: given }, extra_content: { google: 1 } },
    { id: "c2", type: "custom", custom: { name: "run", input: "print(1)" } },
    { type: "tool_use", id: "c3", name: "add", input: { a: 1 } },
    { strange: true },
    null,
    7,
  ];
  const content = [
    "plain",
    { type: "text", text: "said", cache_control: {} },
    { type: "image_url", image_url: {} },
    null,
  ];
  for (const message of [
    { role: "assistant", content: null, tool_calls: odd },
    { role: "user", content },
    { role: "user", content: { type: "text", text: "one part, no list" } },
    { role: "user", content: 5 },
    { role: "assistant", content: "x", tool_calls: [] },
    { role: "assistant", content: "x", tool_calls: "[]" },
  ]) {
    const attributes = { "llm.prompt": JSON.stringify([message]) };
    const draft = draftOf(attributes);
    assert.deepEqual(draft.cards.map(messageOf), [message]);
    assert.deepEqual(modifications(draft, attributes), {});
  }
  const [card] = draftOf({ "llm.prompt": JSON.stringify([{ role: "assistant", content, tool_calls: odd }]) }).cards;
  assert.deepEqual(
    card!.calls.map(({ name, text }) => [name, text.replace(/\s+/g, "")]),
    [
      ["look", '{"city":"París"}'],
      ["run", "print(1)"],
      ["add", '{"a":1}'],
      [null, '{"strange":true}'],
      [null, "null"],
      [null, "7"],
    ],
  );
  card!.calls = card!.calls.map((call, i) => (i < 3 ? { ...call, text: i === 1 ? "print(2)" : '{"b": 2}' } : call));
  card!.calls = card!.calls.map((call, i) => (i === 0 ? { ...call, name: "see" } : call));
  card!.parts = card!.parts!.map((part, i) => (i < 2 ? { ...part, text: `new ${i}` } : part));
  assert.deepEqual(messageOf(card!), {
    role: "assistant",
    content: ["new 0", { type: "text", text: "new 1", cache_control: {} }, content[2], null],
    tool_calls: [
      { id: "c1", type: "function", function: { name: "see", arguments: '{"b": 2}' }, extra_content: { google: 1 } },
      { id: "c2", type: "custom", custom: { name: "run", input: "print(2)" } },
      { type: "tool_use", id: "c3", name: "add", input: { b: 2 } },
      ...odd.slice(3),
    ],
  });
});
