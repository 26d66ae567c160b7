import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFilter, toQuery } from "../src/model/filter.ts";
import { barsOf, brushed, totalsOf, written } from "../src/model/histogram.ts";
import { placeIn } from "../src/model/place.ts";

const bucket = (date: string, trace_count: number, error_count = 0) => ({
  date,
  trace_count,
  error_count,
  total_cost: 0.5,
  total_tokens: 10,
  success_rate: 1,
});

test("bars begin where their bucket does, in UTC", () => {
  assert.deepEqual(barsOf([bucket("2026-01-31", 3, 1)], 86_400), [
    { from: 1_769_817_600, to: 1_769_904_000, traces: 3, errors: 1 },
  ]);
  assert.equal(barsOf([bucket("2026-01-31T14:00:00Z", 0)], 3_600)[0]!.from, 1_769_868_000);
  assert.deepEqual(totalsOf([bucket("2026-01-31", 3, 1), bucket("2026-02-01", 2)]), {
    traces: 5,
    errors: 1,
    tokens: 20,
    cost: 1,
  });
});

test("a brush covers whole bars, either way round, inside the histogram", () => {
  assert.deepEqual(brushed(0.25, 0.75, 8), [2, 6]);
  assert.deepEqual(brushed(0.75, 0.25, 8), [2, 6]);
  assert.deepEqual(brushed(-1, 2, 8), [0, 7]);
  assert.deepEqual(brushed(0, 0, 8), [0, 0]);
});

test("a time written into the filter is read as the same time", () => {
  for (const seconds of [1_769_868_000, 1_769_868_030, 1_769_817_600]) {
    const filter = parseFilter(`since:${written(seconds)}`);
    assert.deepEqual(filter.errors, []);
    assert.equal(toQuery(filter, 0).since, seconds);
  }
});

test("where JSON breaks is told in lines, and bytes are not characters", () => {
  assert.deepEqual(placeIn('{"a": 1,\n "b": x}', "invalid character (byte 15)."), { line: 2, column: 7 });
  assert.deepEqual(placeIn('{"ä": x}', "invalid character (byte 7)"), { line: 1, column: 7 });
  assert.deepEqual(placeIn('{"a":', "truncated (byte 5)"), { line: 1, column: 6 });
  assert.equal(placeIn("{", "something else"), null);
});
