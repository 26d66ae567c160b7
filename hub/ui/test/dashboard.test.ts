import assert from "node:assert/strict";
import { test } from "node:test";
import { dashboardOf, percentile, slotsUntil } from "../src/model/dashboard.ts";
import { madeTrace } from "./made.ts";

test("a percentile is one of the values", () => {
  assert.equal(percentile([], 0.5), null);
  assert.equal(percentile([7], 0.95), 7);
  assert.equal(percentile([4, 1, 3, 2], 0.5), 2);
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.deepEqual([percentile(hundred, 0.5), percentile(hundred, 0.95)], [50, 95]);
});

test("days are those of the reader's clock, one after the other, the last with now in it", () => {
  const now = new Date(2026, 2, 30, 15, 5).getTime() / 1000;
  const days = slotsUntil(now, "day", 30);
  assert.equal(days.length, 30);
  for (const [i, { from, to }] of days.entries()) {
    assert.equal(new Date(from * 1000).getHours(), 0);
    if (i > 0) assert.equal(days[i - 1]!.to, from);
    assert.ok([23, 24, 25].includes((to - from) / 3600));
  }
  assert.ok(days.at(-1)!.from <= now && now < days.at(-1)!.to);
  const hours = slotsUntil(now, "hour", 24);
  assert.ok(hours.every(({ from, to }) => to - from === 3600 && from % 3600 === 0));
  assert.ok(hours.at(-1)!.from <= now && now < hours.at(-1)!.to);
});

test("figures are those of the runs inside, gaps are zeros, and the worst comes first", () => {
  const now = 1_000_000_800;
  const slots = slotsUntil(now, "hour", 3);
  const run = (id: string, ago: number, fields: object) =>
    madeTrace(id, { start_time: now - ago, status: "ok", duration_ms: 1000, ...fields });
  const figures = dashboardOf(
    [
      run("a", 60, { status: "error", name: "pay", total_cost_usd: 2, models: ["m", "n"], duration_ms: 4000 }),
      run("b", 30, { status: "error", name: "pay", total_tokens: 7, unpriced_count: 1 }),
      run("c", 20, { name: "pay", models: ["m"] }),
      run("d", 7_000, { status: "error", name: "mail", duration_ms: 9_000, running_count: 1 }),
      run("e", 90_000, { status: "error", name: "long ago" }),
    ],
    slots,
  );
  assert.deepEqual([figures.runs, figures.errors, figures.tokens, figures.cost, figures.unpriced], [4, 3, 7, 2, 1]);
  assert.deepEqual([figures.p50, figures.p95], [1000, 4000]);
  assert.deepEqual(
    figures.failing.map((one) => [one.name, one.errors, one.runs, one.last.trace_id]),
    [
      ["pay", 2, 3, "b"],
      ["mail", 1, 1, "d"],
    ],
  );
  assert.deepEqual(
    figures.models.map((one) => [one.model, one.runs, one.cost]),
    [
      ["m", 2, 2],
      ["n", 1, 2],
    ],
  );
  assert.deepEqual(
    figures.slots.map((slot) => slot.runs).reduce((all, runs) => all + runs, 0),
    4,
  );
  assert.equal(figures.slots.length, 3);
});
