import assert from "node:assert/strict";
import { test } from "node:test";
import type { Span } from "../src/api/schema.ts";
import { type AlignRow, alignTrees } from "../src/model/align.ts";
import { contentsOf, differing } from "../src/model/contents.ts";
import { countOf, firstDivergence, onlyDifferent, share, stepsOf } from "../src/model/divergence.ts";
import type { LightSpan } from "../src/model/spans.ts";
import { buildTree, type Tree } from "../src/model/tree.ts";
import { diffWords } from "../src/model/words.ts";
import { madeLight, madeSpan } from "./made.ts";

/** A tree of lines: two blanks a level, "tool search(x)" or "tool search(x) ✗". */
function run(id: string, text: string): Tree {
  const above: string[] = [];
  const spans: LightSpan[] = [];
  text
    .split("\n")
    .filter((line) => line.trim() !== "")
    .forEach((line, i) => {
      const depth = (line.length - line.trimStart().length) / 2;
      const failed = line.endsWith(" ✗");
      const [kind, ...rest] = line.trim().replace(" ✗", "").split(" ");
      const said = rest.join(" ");
      const spanId = `${id}${i}`;
      spans.push(
        madeLight(spanId, depth === 0 ? null : above[depth - 1]!, i, {
          span_type: ({ llm: "llm_call", tool: "tool_use", agent: "agent_step" } as const)[kind!] ?? "custom",
          name: said.replace(/[(:].*/, ""),
          label: said,
          status: failed ? "error" : "ok",
        }),
      );
      above[depth] = spanId;
    });
  return buildTree(spans);
}

const LIGHT = () => undefined;

/** Rows as lines: what it became, and the label. */
function told(a: string, b: string): string[] {
  return stepsOf(alignTrees(run("a", a), run("b", b)), LIGHT).map(
    ({ change, a: left, b: right }) => `${change} ${(right ?? left)!.span.label}`,
  );
}

const AGENT = `
agent support
  llm gpt: look up
  tool lookup(1)
  llm gpt: refund
  tool refund(1)
  llm gpt: done`;

test("two runs that did the same are the same, step by step", () => {
  assert.deepEqual(
    told(AGENT, AGENT).map((line) => line.split(" ")[0]),
    ["same", "same", "same", "same", "same", "same"],
  );
  assert.equal(firstDivergence(stepsOf(alignTrees(run("a", AGENT), run("b", AGENT)), LIGHT)), null);
});

test("a step that is inserted or removed is told as one, and the others keep their counterparts", () => {
  const more = AGENT.replace("  tool refund(1)", "  tool check_policy(1)\n  tool refund(1)");
  assert.deepEqual(
    told(AGENT, more).filter((line) => !line.startsWith("same")),
    ["added check_policy(1)"],
  );
  assert.deepEqual(
    told(more, AGENT).filter((line) => !line.startsWith("same")),
    ["removed check_policy(1)"],
  );
});

test("a step that was tried again is a retry of the one that worked, also with a call of the model between them", () => {
  const again = AGENT.replace("  tool refund(1)", "  tool refund(1) ✗\n  tool refund(1)");
  assert.deepEqual(
    told(AGENT, again).filter((line) => !line.startsWith("same")),
    ["retried refund(1)"],
  );
  const asked = AGENT.replace("  tool refund(1)", "  tool refund(1) ✗\n  llm gpt: again\n  tool refund(1)");
  assert.deepEqual(
    told(AGENT, asked).filter((line) => !line.startsWith("same")),
    ["retried refund(1)", "added gpt: again"],
  );
});

test("a second call with other arguments is no retry, and neither is one after a call that worked", () => {
  const other = AGENT.replace("  tool refund(1)", "  tool refund(2)\n  tool refund(1)");
  assert.deepEqual(
    told(AGENT, other).filter((line) => !line.startsWith("same")),
    ["added refund(2)"],
  );
  const twice = AGENT.replace("  tool refund(1)", "  tool refund(1)\n  tool refund(1)");
  assert.deepEqual(
    told(AGENT, twice).filter((line) => !line.startsWith("same")),
    ["added refund(1)"],
  );
});

test("steps in another order are one step each, at the place where the second run has them", () => {
  const a = "agent a\n  tool one(1)\n  tool two(2)\n  tool three(3)";
  const b = "agent a\n  tool three(3)\n  tool one(1)\n  tool two(2)";
  assert.deepEqual(told(a, b), ["same a", "moved three(3)", "same one(1)", "same two(2)"]);
});

test("another model, other arguments, another end: changed, and below it what has changed there", () => {
  const b = AGENT.replace("refund(1)", "refund(2)").replace("support", "support ✗");
  assert.deepEqual(
    told(AGENT, b).filter((line) => !line.startsWith("same")),
    ["changed support", "changed refund(2)"],
  );
  assert.deepEqual(told("agent a\n  llm gpt: x", "agent a\n  llm claude: x"), ["same a", "changed claude: x"]);
});

test("the first divergence is not what came of it further up", () => {
  const b = AGENT.replace("agent support", "agent support ✗").replace("tool refund(1)", "tool refund(1) ✗");
  const steps = stepsOf(alignTrees(run("a", AGENT), run("b", b)), LIGHT);
  assert.equal(steps[0]!.change, "changed");
  const first = steps[firstDivergence(steps)!]!;
  assert.equal(first.b!.span.label, "refund(1)");
  assert.deepEqual(first.differs, ["status"]);
});

test("only what differs, with what leads there", () => {
  const b = AGENT.replace("refund(1)", "refund(2)");
  const steps = onlyDifferent(stepsOf(alignTrees(run("a", AGENT), run("b", b)), LIGHT));
  assert.deepEqual(
    steps.map((step) => step.b!.span.label),
    ["support", "refund(2)"],
  );
  assert.deepEqual(countOf(steps), { same: 1, changed: 1, added: 0, removed: 0, retried: 0, moved: 0 });
});

test("runs that have nothing in common are two runs", () => {
  const lines = told("tool x(1)\ntool y(2)", "llm gpt: hi\nagent z");
  assert.deepEqual(
    lines.map((line) => line.split(" ")[0]),
    ["removed", "removed", "added", "added"],
  );
});

// ---------------------------------------------------------------- what holds for any two runs

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    return state / 0x7fffffff;
  };
}

function anyRun(id: string, next: () => number, size: number): LightSpan[] {
  const spans: LightSpan[] = [];
  for (let i = 0; i < size; i++) {
    const parent = i === 0 || next() < 0.05 ? null : spans[Math.floor(next() * i)]!.span_id;
    const name = "abc"[Math.floor(next() * 3)]!;
    spans.push(
      madeLight(`${id}${i}`, parent, i, {
        span_type: next() < 0.4 ? "llm_call" : "tool_use",
        name,
        label: `${name}(${Math.floor(next() * 2)})`,
        status: next() < 0.2 ? "error" : "ok",
      }),
    );
  }
  return spans;
}

/** What an alignment is, whatever it is of. */
function assertAlignment(rows: readonly AlignRow[], a: Tree, b: Tree): void {
  for (const [side, tree] of [
    ["a", a],
    ["b", b],
  ] as const) {
    const ids = rows.flatMap((row) => row[side]?.span.span_id ?? []);
    assert.equal(ids.length, tree.order.length, "every span stands there");
    assert.equal(new Set(ids).size, ids.length, "and once");
  }
  const orderB = new Map(b.order.map((node, i) => [node, i]));
  const placesB = rows.flatMap((row) => (row.b === null ? [] : orderB.get(row.b)!));
  assert.deepEqual(
    placesB,
    [...placesB].sort((x, y) => x - y),
    "the second run is in its own order",
  );
  const rowOf = new Map<unknown, AlignRow>();
  for (const row of rows) {
    if (row.a !== null) rowOf.set(row.a, row);
    if (row.b !== null) rowOf.set(row.b, row);
    for (const node of [row.a, row.b]) {
      if (node?.parent) assert.equal(rowOf.get(node.parent)?.depth, row.depth - 1, "parents stand before, a level up");
    }
    if (row.a !== null && row.b !== null) {
      assert.equal(rowOf.get(row.a.parent), rowOf.get(row.b.parent), "steps of a pair are below a pair");
      if (row.depth > 0) assert.equal(row.a.span.span_type, row.b.span.span_type);
    }
  }
  rows.forEach((row, i) => {
    const end = rows.findIndex((other, j) => j > i && other.depth <= row.depth);
    assert.equal(row.below, (end === -1 ? rows.length : end) - i - 1);
  });
}

test("any two runs: every span once, in order, below its parent", () => {
  for (let seed = 1; seed <= 300; seed++) {
    const next = random(seed);
    const a = buildTree(anyRun("a", next, 1 + Math.floor(next() * 40)));
    const b = buildTree(anyRun("b", next, 1 + Math.floor(next() * 40)));
    assertAlignment(alignTrees(a, b), a, b);
  }
});

test("any run against itself is the same; against itself with one step more, one is added", () => {
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed);
    const spans = anyRun("a", next, 2 + Math.floor(next() * 30));
    const a = buildTree(spans);
    const steps = stepsOf(alignTrees(a, buildTree(spans)), LIGHT);
    assert.ok(steps.every((step) => step.change === "same" && step.a!.span.span_id === step.b!.span.span_id));
    const parent = a.order[Math.floor(next() * a.order.length)]!.span.span_id;
    const extra = madeLight("new", parent, next() * spans.length, { span_type: "shell_command", name: "new" });
    const more = stepsOf(alignTrees(a, buildTree([...spans, extra])), LIGHT);
    assert.deepEqual(
      more.filter((step) => step.change !== "same").map((step) => [step.change, step.b?.span.span_id]),
      [["added", "new"]],
    );
    const less = stepsOf(alignTrees(buildTree([...spans, extra]), a), LIGHT);
    assert.deepEqual(countOf(less).removed, 1);
  }
});

test("5,000 steps side by side are weighed, 20,000 too: in time", () => {
  for (const [size, most] of [
    [5_000, 1_500],
    [20_000, 3_000],
  ] as const) {
    const flat = (id: string, seed: number) => {
      const next = random(seed);
      const root = madeLight(`${id}root`, null, 0, { name: "agent" });
      return buildTree([
        root,
        ...Array.from({ length: size }, (_, i) =>
          madeLight(`${id}${i}`, root.span_id, i + 1, { name: `step ${i % 7}`, label: `x${Math.floor(next() * 9)}` }),
        ),
      ]);
    };
    const a = flat("a", 1);
    const b = flat("b", 2);
    const began = performance.now();
    const rows = alignTrees(a, b);
    const took = performance.now() - began;
    assert.ok(took < most, `${size}: ${took} ms`);
    assert.ok(rows.filter((row) => row.kind === "pair").length > size * 0.7);
  }
});

// ---------------------------------------------------------------- contents and words

test("contents differ by what was said and done, not by ids that every run makes anew", () => {
  const call = (id: string, text: string): Pick<Span, "span_type" | "attributes" | "error_message"> =>
    madeSpan("s", {
      span_type: "llm_call",
      attributes: {
        "llm.model": "gpt",
        "llm.prompt": JSON.stringify([
          { role: "user", content: "Hi" },
          { role: "assistant", tool_calls: [{ id, function: { name: "look", arguments: '{"q": 1}' } }] },
          { role: "tool", tool_call_id: id, content: text },
        ]),
        "llm.completion": text,
      },
    });
  assert.deepEqual(differing(contentsOf(call("one", "x")), contentsOf(call("two", "x"))), []);
  assert.deepEqual(
    differing(contentsOf(call("one", "x")), contentsOf(call("one", "y"))).map((part) => [part.name, part.outcome]),
    [
      ["messages", false],
      ["answer", true],
    ],
  );
  const tool = (output: string, time: number) =>
    madeSpan("s", { span_type: "tool_use", attributes: { "tool.input": "{}", "tool.output": output, "x.time": time } });
  assert.deepEqual(differing(contentsOf(tool("1", 1)), contentsOf(tool("1", 2))), []);
  const own = (id: number, city: string) => madeSpan("s", { attributes: { request_id: id, city } });
  assert.deepEqual(
    differing(contentsOf(own(1, "Rome")), contentsOf(own(2, "Oslo"))).map((part) => part.name),
    ["city"],
  );
});

test("words: what went and what came, and both texts come out again", () => {
  assert.deepEqual(diffWords("It is 18C in Paris.", "It is 21C in Rome."), [
    { op: "equal", text: "It is " },
    { op: "delete", text: "18C" },
    { op: "insert", text: "21C" },
    { op: "equal", text: " in " },
    { op: "delete", text: "Paris" },
    { op: "insert", text: "Rome" },
    { op: "equal", text: "." },
  ]);
  assert.deepEqual(diffWords("", ""), []);
  for (let seed = 1; seed <= 200; seed++) {
    const next = random(seed);
    const text = () =>
      Array.from(
        { length: Math.floor(next() * 30) },
        () => ["a", "bb", " ", "\n", "é", "🙂", "-"][Math.floor(next() * 7)],
      ).join("");
    const [a, b] = [text(), text()];
    const runs = diffWords(a, b);
    const side = (without: string) =>
      runs
        .filter((one) => one.op !== without)
        .map((one) => one.text)
        .join("");
    assert.equal(side("insert"), a);
    assert.equal(side("delete"), b);
  }
});

test("long texts that share nothing are told so, and soon", () => {
  const text = (word: string) => Array.from({ length: 40_000 }, (_, i) => `${word}${i}`).join(" ");
  const began = performance.now();
  const runs = diffWords(text("a"), text("b"));
  assert.ok(performance.now() - began < 1_000);
  assert.deepEqual(
    runs.map((one) => one.op),
    ["delete", "insert"],
  );
});

test("a share of more or less", () => {
  assert.equal(share(10, 15), "+50 %");
  assert.equal(share(10, 9.5), "−5.0 %");
  assert.equal(share(0, 5), null);
  assert.equal(share(1, 30), "+2,900 %");
});
