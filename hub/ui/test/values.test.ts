import assert from "node:assert/strict";
import { test } from "node:test";
import { asText, jsonIn } from "../src/model/values.ts";

test("a text is taken for JSON where it is an object or a list", () => {
  assert.deepEqual(jsonIn(' {"a": [1]}'), { a: [1] });
  for (const text of ["17", '"a"', "{", "[1,]", "plain", ""]) assert.equal(jsonIn(text), undefined);
});

test("JSON in a JSON text is taken apart, also twice", () => {
  assert.deepEqual(jsonIn(JSON.stringify('{"a":1}')), { a: 1 });
  assert.deepEqual(jsonIn(JSON.stringify(JSON.stringify("[1]"))), [1]);
  assert.equal(jsonIn('"only words"'), undefined);
  assert.equal(jsonIn('"null"'), undefined);
});

test("JSON that is nested beyond reason stays text", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  assert.equal(typeof jsonIn(nested(150)), "object");
  assert.equal(jsonIn(nested(10_000)), undefined);
  assert.equal(asText(nested(10_000)), nested(10_000));
});
