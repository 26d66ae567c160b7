import assert from "node:assert/strict";
import { test } from "node:test";
import { findHits, pieceAt, snippet } from "../src/model/hits.ts";
import { EventReader } from "../src/model/sse.ts";

test("hits are found whatever the case, and white space is one space", () => {
  const text = "Refund ORDER 4711; refund\n   order 12. Größe GRÖSSE (a.b)";
  assert.deepEqual(
    findHits(text, " refund order ").map(({ at, end }) => text.slice(at, end)),
    ["Refund ORDER", "refund\n   order"],
  );
  assert.equal(findHits(text, "größe").length, 1);
  assert.equal(findHits(text, "a.b").length, 1);
  assert.equal(findHits(text, "axb").length, 0);
  assert.deepEqual(findHits(text, "  "), []);
  assert.equal(findHits("aaaa", "a", 2).length, 2);
  assert.equal(findHits("\ud800 😀 x", "😀").length, 1);
});

test("a place of the joined text is one of a piece", () => {
  assert.deepEqual(pieceAt([0, 3, 3, 10], 0), { piece: 0, offset: 0 });
  assert.deepEqual(pieceAt([0, 3, 3, 10], 4), { piece: 2, offset: 1 });
  assert.deepEqual(pieceAt([0, 3, 3, 10], 10), { piece: 3, offset: 0 });
});

test("a snippet's offsets count characters, not halves of them", () => {
  assert.deepEqual(snippet("😀 boom: needle!", [8, 14]), ["😀 boom: ", "needle", "!"]);
  assert.deepEqual(snippet(`${"a".repeat(60)}needle`, [60, 66]), [`…${"a".repeat(36)}`, "needle", ""]);
});

test("server-sent events are whole however they are cut", () => {
  const stream = ': a job\n\nevent: delta\ndata: {"text": "a: b"}\n\n: still\n\nevent: result\ndata: {}\n\n';
  for (let size = 1; size < stream.length; size++) {
    const reader = new EventReader();
    const events = [];
    for (let at = 0; at < stream.length; at += size) events.push(...reader.feed(stream.slice(at, at + size)));
    assert.deepEqual(events, [
      { name: "delta", data: '{"text": "a: b"}' },
      { name: "result", data: "{}" },
    ]);
  }
});
