import assert from "node:assert/strict";
import { test } from "node:test";
import type { TraceSummary } from "../src/api/schema.ts";
import { belongs, complete, parseFilter, toQuery, without, withTerm } from "../src/model/filter.ts";
import { madeTrace } from "./made.ts";

const NOW = 1_790_000_000;
const NOTHING = { models: [], sessions: [], tags: [] };

function trace(fields: Partial<TraceSummary> = {}): TraceSummary {
  return madeTrace("t", {
    name: "Trip planner",
    start_time: NOW - 60,
    end_time: NOW,
    duration_ms: 60_000,
    status: "ok",
    total_cost_usd: 0.05,
    tags: { env: "prod", "a:b": "c" },
    session_id: "s1",
    ...fields,
  });
}

test("every filter becomes what the server is asked for", () => {
  const text =
    'status:error model:gpt-4o type:tool_use tag:env=prod tag:team=a=b session:"a b" cost>0.05 duration>=1.5s since:2h until:30m trip planner';
  const filter = parseFilter(text);
  assert.deepEqual(filter.errors, []);
  assert.deepEqual(toQuery(filter, NOW), {
    status: "error",
    model: "gpt-4o",
    span_type: "tool_use",
    tag: ["env:prod", "team:a=b"],
    session_id: "a b",
    min_cost_usd: 0.05,
    min_duration_ms: 1500,
    since: NOW - 7200,
    until: NOW - 1800,
    q: "trip planner",
  });
});

test("dates are local, and only those there are", () => {
  assert.equal(
    toQuery(parseFilter("since:2026-01-31T14:30"), NOW).since,
    new Date(2026, 0, 31, 14, 30).getTime() / 1000,
  );
  assert.equal(parseFilter("since:2026-02-31").errors.length, 1);
});

test("errors point at what is wrong, and say what to do", () => {
  const wrong = (text: string) => {
    const { errors } = parseFilter(text);
    assert.equal(errors.length, 1, text);
    const { at, end, message } = errors[0]!;
    return [text.slice(at, end), message] as const;
  };
  const cases: Array<[string, string, RegExp]> = [
    ["ok stats:error", "stats", /did you mean status:/],
    ["status:bad", "bad", /ok, error, unset/],
    ["cost>lots", "lots", /US dollars/],
    ["cost<1", "cost<", /at least/],
    ["cost:1", "cost:", /cost>0.05/],
    ["status>ok", "status>", /colon/],
    ["duration>2", "2", /unit/],
    ["tag:env", "env", /key=value/],
    ["since:yesterday", "yesterday", /2h/],
    ['a name:"never closed', '"never closed', /not closed/],
    ["model:", "model:", /needs a value/],
    ["status:ok status:error", "status:error", /twice/],
    ["type:llm", "llm", /llm_call/],
  ];
  for (const [text, place, message] of cases) {
    const [got, said] = wrong(text);
    assert.equal(got, place, text);
    assert.match(said, message, text);
  }
});

test("a wrong term leaves the others as they are", () => {
  const filter = parseFilter("status:error cost>lots trip");
  assert.deepEqual(toQuery(filter, NOW), { status: "error", q: "trip" });
  assert.equal(toQuery(parseFilter('"status:ok"'), NOW).q, '"status:ok"');
  assert.equal(toQuery(parseFilter('"say \\"-x\\""'), NOW).q, '"say \\"-x\\""');
  assert.equal(toQuery(parseFilter("-x"), NOW).q, '"-x"');
});

test("text may be quoted, escaped, and hold anything", () => {
  assert.deepEqual(toQuery(parseFilter('"http://a b" \\x "say \\"hi\\""'), NOW).q, '"http://a b \\\\x say \\"hi\\""');
  assert.deepEqual(toQuery(parseFilter("  "), NOW), {});
});

test("no text at all makes it throw", () => {
  const pieces = ['"', "\\", ":", ">", "<", "=", " ", "status", "tag", "cost", "since", "é", "1", "s", "\u0000"];
  let seed = 7;
  const random = (n: number) => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return seed % n;
  };
  for (let i = 0; i < 3000; i++) {
    const text = Array.from({ length: random(12) }, () => pieces[random(pieces.length)]).join("");
    const filter = parseFilter(text);
    for (const { at, end } of [...filter.terms, ...filter.errors])
      assert.ok(0 <= at && at <= end && end <= text.length, text);
    toQuery(filter, NOW);
    complete(text, random(text.length + 1), NOTHING);
  }
});

test("what the browser judges of a trace is what the server would answer", () => {
  const judged = (text: string, fields: Partial<TraceSummary> = {}) =>
    belongs(toQuery(parseFilter(text), NOW), trace(fields));
  assert.equal(judged(""), true);
  assert.equal(judged("status:error"), false);
  assert.equal(judged("status:ok trip tag:env=prod cost>0.05 duration>60s since:2m session:s1"), true);
  assert.equal(judged("TRIP PLAN"), true);
  assert.equal(judged("trap"), false);
  assert.equal(judged("tag:env=dev"), false);
  assert.equal(judged("cost>0.06"), false);
  assert.equal(judged("duration>1s", { duration_ms: null }), false);
  assert.equal(judged("until:2m"), false);
  assert.equal(judged("model:gpt-4o"), false);
  assert.equal(judged("model:gpt-4o", { models: ["o3", "gpt-4o"] }), true);
  const many = Array.from({ length: 16 }, (_, i) => `m${i}`);
  assert.equal(judged("model:gpt-4o", { models: many }), undefined, "a summary names 16 models, and there may be more");
  assert.equal(judged("model:m3", { models: many }), true);
  assert.equal(judged("type:llm_call model:o3", { models: ["o3"] }), undefined, "a summary does not name types");
  assert.equal(judged("type:llm_call status:error"), false, "but one wrong term is enough");
  assert.equal(judged("STRASSE", { name: "Straße" }), undefined, "letters are folded by the server");
});

test("completion gives names, then values, and replaces what was typed", () => {
  const options = (text: string, caret = text.length, known = NOTHING) =>
    complete(text, caret, known).options.map((option) => option.insert);
  assert.ok(options("").includes("status:"));
  assert.deepEqual(options("st"), ["status:"]);
  assert.deepEqual(options("status:"), ["error", "ok", "unset"]);
  assert.deepEqual(options("trip status:e"), ["error", "unset"]);
  const known = { models: ["gpt-4o", "my model"], sessions: [], tags: ["env=prod"] };
  assert.deepEqual(complete("model:m cost>1", 7, known), {
    at: 6,
    end: 7,
    options: [{ insert: '"my model"', hint: "" }],
  });
  assert.deepEqual(options("tag:", 4, known as never), ["env=prod"]);
  assert.deepEqual(options("status:error"), [], "nothing to add");
});

test("terms are dropped and put in", () => {
  const filter = parseFilter("status:error trip cost>1");
  assert.equal(without(filter, filter.terms[1]!), "status:error cost>1");
  assert.equal(withTerm("status:error trip", "status", "ok"), "status:ok trip");
  assert.equal(withTerm("trip", "session", "a b"), 'trip session:"a b"');
  assert.equal(withTerm("tag:a=1", "tag", "b=2"), "tag:a=1 tag:b=2");
  assert.equal(withTerm("tag:a=1", "tag", "a=1"), "tag:a=1");
});
