import assert from "node:assert/strict";
import { test } from "node:test";
import * as format from "../src/model/format.ts";

test("durations have a unit and no more figures than mean something", () => {
  const cases: Array<[number | null, string]> = [
    [null, "–"],
    [0, "0 ms"],
    [0.04, "40 µs"],
    [0.0999, "0.1 ms"],
    [0.4, "0.4 ms"],
    [9.96, "10 ms"],
    [640, "640 ms"],
    [999.4, "999 ms"],
    [999.6, "1.0 s"],
    [2_500, "2.5 s"],
    [2_543, "2.5 s"],
    [14_240, "14.2 s"],
    [59_949, "59.9 s"],
    [59_960, "1 m 00 s"],
    [184_000, "3 m 04 s"],
    [3_599_600, "1 h 00 m"],
    [7_500_000, "2 h 05 m"],
    [400_000_000, "4 d 15 h"],
    [Number.NaN, "–"],
  ];
  for (const [ms, text] of cases) assert.equal(format.duration(ms), text, String(ms));
});

test("counts and bytes", () => {
  assert.deepEqual([0, 857, 1_000, 1_877, 9_949, 9_951, 12_345, 999_499, 999_500, 1_234_567].map(format.count), [
    "0",
    "857",
    "1k",
    "1.9k",
    "9.9k",
    "10k",
    "12k",
    "999k",
    "1M",
    "1.2M",
  ]);
  assert.equal(format.count(null), "–");
  assert.deepEqual([0, 812, 12_345, 1_400_000].map(format.bytes), ["0 B", "812 B", "12 KB", "1.4 MB"]);
});

test("costs are dollars, and none is not nothing", () => {
  assert.deepEqual([0, 0.00001, 0.00005, 0.007, 0.99999, 1.254, 1240.4].map(format.cost), [
    "$0",
    "<$0.0001",
    "$0.0001",
    "$0.0070",
    "$1.00",
    "$1.25",
    "$1,240",
  ]);
  assert.equal(format.cost(null), "–");
});

test("ages never lie in the future", () => {
  assert.deepEqual(
    [101, 100, 88, -80, -7100, -500_000].map((then) => format.age(then, 100)),
    ["now", "now", "12 s ago", "3 m ago", "2 h ago", "5 d ago"],
  );
});
