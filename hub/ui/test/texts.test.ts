import assert from "node:assert/strict";
import { test } from "node:test";
import cases from "../../../tests/unit/query/label_cases.json";
import type { Span } from "../src/api/schema.ts";
import { plain } from "../src/model/ansi.ts";
import { linesOf } from "../src/model/clamp.ts";
import { failuresOf } from "../src/model/failure.ts";
import { beside, labelOf } from "../src/model/labels.ts";

test("output of a terminal is what somebody saw", () => {
  assert.equal(plain("\u001b[1;32mok\u001b[0m"), "ok");
  assert.equal(plain("\u001b]0;title\u0007after"), "after");
  assert.equal(plain("\u001b]8;;https://e.example\u001b\\link\u001b]8;;\u001b\\"), "link");
  assert.equal(plain("10 %\r50 %\r100 %\r\ndone\r\n"), "100 %\ndone\n");
  assert.equal(plain("a\u0000b\u0008c\td"), "abc\td");
  assert.equal(plain("\u001b[38;5;1"), ""); // cut in the middle: nothing is left of it
});

test("a long line of escapes takes linear time", { timeout: 60_000 }, () => {
  // in the square of its length it took minutes
  plain("\u001b]".repeat(200_000));
  plain("\u001b[".repeat(200_000));
  plain("\r".repeat(500_000));
});

test("labels say what the name does not", () => {
  // the cases of the server's own labels (tests/unit/query/test_labels.py): a row must not change when it is read again
  for (const { span_type, attributes, label } of cases) {
    assert.equal(labelOf(span_type as Span["span_type"], "span", attributes), label);
  }
  assert.equal(beside("f", "f(a.py)"), "(a.py)");
  assert.equal(beside("gpt", "gpt: Hello"), "Hello");
  assert.equal(beside("call", "gpt: Hello"), "gpt: Hello");
  assert.equal(beside("chat gpt", "gpt: Hello"), "Hello");
  assert.equal(beside("chat gpt", "gpt → read, write"), "→ read, write");
  assert.equal(beside("chat gpt", "gpt"), "");
  assert.equal(beside("mygpt", "gpt: Hello"), "gpt: Hello");
  assert.equal(beside("x", null), "");
});

test("why it failed is said once", () => {
  const event = { name: "exception", time: 0, attributes: { "exception.type": "KeyError", "exception.message": "x" } };
  assert.deepEqual(failuresOf({ error_message: "KeyError: x", events: [event] }), [
    { message: "KeyError: x", trace: null },
  ]);
  assert.equal(failuresOf({ error_message: "gave up", events: [event] }).length, 2);
  assert.deepEqual(failuresOf({ error_message: "boom\n  at f (a.js:1)" }), [
    { message: "boom", trace: "  at f (a.js:1)" },
  ]);
  assert.equal(failuresOf({ error_message: "Traceback (most recent call last):\n  x\nE: y" })[0]!.message, "E: y");
  assert.deepEqual(failuresOf({ error_message: null }), []);
});

test("lines are counted no further than asked", () => {
  assert.equal(linesOf("a\nb\n", 100), 3);
  assert.equal(linesOf("\n".repeat(1_000), 10), 10);
});
