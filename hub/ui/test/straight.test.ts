import assert from "node:assert/strict";
import { test } from "node:test";
import { straight } from "../src/model/straight.ts";

test("signs of direction go, letters of every direction stay", () => {
  assert.equal(straight("\u202egnp.exe\u202c \u2066a\u2069"), "gnp.exe a");
  assert.equal(straight("שלום ab مرحبا 👩‍👩‍👧"), "שלום ab مرحبا 👩‍👩‍👧");
});
