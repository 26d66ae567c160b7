// What an agent may have done in vain, found without asking a model. Pure. A false alarm is worse than none: each rule says
// nothing where what it needs was not recorded, and names what is left alone on purpose.
import type { Span } from "../api/schema.ts";
import { asPlainText, readAnswer, readCalls, readPrompt } from "./conversation.ts";
import { count } from "./format.ts";
import { newSince } from "./newMessages.ts";
import { lightOf } from "./spans.ts";
import { buildTree, type Node } from "./tree.ts";
import { jsonIn } from "./values.ts";

export type HintKind = "repeated" | "failing" | "circling" | "growing" | "cut" | "unoffered" | "empty";

export interface Hint {
  kind: HintKind;
  /** What is the matter, in a few words. */
  title: string;
  /** What was seen, in figures. */
  saw: string;
  /** The spans it was seen in, by time. */
  spans: readonly string[];
  /** A figure of each span, drawn as bars: tokens of the input. */
  series?: readonly number[];
}

/** Calls with the same arguments and the same result from which on it is no chance. */
const SAME_LEAST = 3;
/** A prompt that grows is worth a word from so many calls and tokens on, where it has grown so many times. */
const GROWN_CALLS = 5;
const GROWN_TOKENS = 8_000;
const GROWN_TIMES = 3;

interface Call {
  node: Node;
  attributes: Record<string, unknown>;
}

/** Everything there is to say about these spans, the gravest first. */
export function hintsOf(spans: readonly Span[]): Hint[] {
  const tree = buildTree(spans.map(lightOf));
  const attributes = new Map(spans.map((span) => [span.span_id, span.attributes]));
  const all = [...tree.order]
    .sort((a, b) => a.sequence - b.sequence)
    .map((node): Call => ({ node, attributes: attributes.get(node.span.span_id) ?? {} }));
  const tools = all.filter(({ node }) => node.span.span_type === "tool_use" && node.span.end_time !== null);
  const calls = all.filter(({ node }) => node.span.span_type === "llm_call" && node.span.end_time !== null);
  const talks = conversations(calls);
  return [
    ...repeats(tools),
    ...failures(tools),
    ...unoffered(calls),
    ...cut(calls),
    ...empty(calls),
    ...talks.flatMap(circling),
    ...talks.flatMap(growing),
  ];
}

// ---------------------------------------------------------------- tools

/** The same tool, asked the same, answered the same. A tool that is asked until its answer changes is waited for, and one that
 * answers "ok" was told to do something: neither is one of these. */
function repeats(tools: readonly Call[]): Hint[] {
  const found: Hint[] = [];
  for (const same of byArguments(tools.filter(({ node }) => node.span.status !== "error")).values()) {
    const results = new Set(same.map(({ attributes }) => canonical(attributes["tool.output"])));
    const [result] = results;
    const name = toolName(same[0]!);
    if (same.length < SAME_LEAST || results.size > 1 || !result || saysNothing(result) || WAITS.test(name)) continue;
    found.push({
      kind: "repeated",
      title: `${name} was asked the same ${same.length} times`,
      saw: `${same.length} calls with the same arguments got the same answer, word for word.`,
      spans: ids(same),
    });
  }
  return found;
}

const WAITS = /sleep|wait|delay|pause|poll/i;
/** Answers of tools that do something rather than tell something. */
const DONE =
  /^(ok|okay|done|success|succeeded|true|false|null|none|status|result|message|saved|sent|clicked|error|code|\d+)$/i;

function saysNothing(result: string): boolean {
  return result.split(/[^\p{L}\p{N}]+/u).every((word) => word === "" || DONE.test(word));
}

/** The same tool, asked the same, failing the same way, with nothing between that changed it. */
function failures(tools: readonly Call[]): Hint[] {
  const found: Hint[] = [];
  for (const same of byArguments(tools).values()) {
    let run: Call[] = [];
    const end = () => {
      if (run.length >= SAME_LEAST) {
        const name = toolName(run[0]!);
        const message = (run[0]!.node.span.error_message ?? "").split("\n", 1)[0]!.slice(0, 120);
        found.push({
          kind: "failing",
          title: `${name} failed ${run.length} times in the same way`,
          saw: `${run.length} calls with the same arguments, one after the other${message === "" ? "" : `: ${message}`}`,
          spans: ids(run),
        });
      }
      run = [];
    };
    for (const call of same) {
      const { status, error_message } = call.node.span;
      if (run.length > 0 && (status !== "error" || error_message !== run[0]!.node.span.error_message)) end();
      if (status === "error") run.push(call);
    }
    end();
  }
  return found;
}

/** Calls by tool and arguments. One whose arguments were not recorded is left out: they may have differed. */
function byArguments(tools: readonly Call[]): Map<string, Call[]> {
  const groups = new Map<string, Call[]>();
  for (const call of tools) {
    const input = call.attributes["tool.input"];
    if (input === undefined || input === null || input === "") continue;
    const key = `${toolName(call)}\n${canonical(input)}`;
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [call]);
    else known.push(call);
  }
  return groups;
}

function toolName({ node, attributes }: Call): string {
  const name = attributes["tool.name"];
  return typeof name === "string" && name !== "" ? name : node.span.name;
}

// ---------------------------------------------------------------- calls of a model

const CUT = new Set(["length", "max_tokens", "max_output_tokens"]);

/** Answers that end because no more tokens were allowed. */
function cut(calls: readonly Call[]): Hint[] {
  const found = calls.filter(({ attributes }) => CUT.has(String(attributes["llm.finish_reason"] ?? "").toLowerCase()));
  if (found.length === 0) return [];
  const limits = new Set(
    found.map(({ attributes }) => attributes["llm.max_tokens"]).filter((one) => typeof one === "number"),
  );
  const [limit] = limits;
  const said = limits.size === 1 ? `, at max tokens ${count(limit as number)}` : "";
  return [
    {
      kind: "cut",
      title: found.length === 1 ? "An answer was cut off" : `${found.length} answers were cut off`,
      saw: `The model stopped for want of tokens (finish reason ${String(found[0]!.attributes["llm.finish_reason"])})${said}.`,
      spans: ids(found),
    },
  ];
}

/** Tools that were called and had not been offered. Where one of those offered has no name, nobody can tell. */
function unoffered(calls: readonly Call[]): Hint[] {
  const found = new Map<string, Call[]>();
  for (const call of calls) {
    const offered = offeredNames(call.attributes["llm.tools"]);
    if (offered === null) continue;
    for (const { name } of readCalls(call.attributes["llm.tool_calls"])) {
      if (offered.has(name) || name === "(no name)") continue;
      const known = found.get(name);
      if (known === undefined) found.set(name, [call]);
      else known.push(call);
    }
  }
  return Array.from(found, ([name, at]) => ({
    kind: "unoffered" as const,
    title: `The model called ${name}, which it was not offered`,
    saw: `Offered were: ${[...offeredNames(at[0]!.attributes["llm.tools"])!].slice(0, 8).join(", ")}.`,
    spans: ids(at),
  }));
}

function offeredNames(value: unknown): Set<string> | null {
  const list = typeof value === "string" ? jsonIn(value) : value;
  if (!Array.isArray(list) || list.length === 0) return null;
  const names = new Set<string>();
  for (const one of list) {
    const inner = one?.function ?? one?.custom ?? one;
    if (typeof inner?.name !== "string") return null;
    names.add(inner.name);
  }
  return names;
}

/** Calls that went well and brought nothing. Where contents are not recorded, and where tokens were written, it is no finding. */
function empty(calls: readonly Call[]): Hint[] {
  const found = calls.filter(({ node, attributes }) => {
    const written = attributes["llm.tokens.output"];
    return (
      node.span.status === "ok" &&
      "llm.completion" in attributes &&
      readPrompt(attributes["llm.prompt"]).length > 0 &&
      readAnswer(attributes) === null &&
      (typeof written !== "number" || written <= 2)
    );
  });
  if (found.length === 0) return [];
  return [
    {
      kind: "empty",
      title: found.length === 1 ? "An answer was empty" : `${found.length} answers were empty`,
      saw: "The call went well, and the model wrote no text and called no tool.",
      spans: ids(found),
    },
  ];
}

/** Calls that carry one conversation on, each with what came before it. */
function conversations(calls: readonly Call[]): Call[][] {
  const talks: Array<{ calls: Call[]; prompt: ReturnType<typeof readPrompt> }> = [];
  for (const call of calls) {
    const prompt = readPrompt(call.attributes["llm.prompt"]);
    if (prompt.length === 0) continue;
    // the newest that it goes on from: agents take turns
    const talk = talks.findLast((one) => {
      const { continues, gone } = newSince(one.prompt, prompt);
      return continues && gone === 0 && prompt.length > one.prompt.length;
    });
    if (talk === undefined) talks.push({ calls: [call], prompt });
    else {
      talk.calls.push(call);
      talk.prompt = prompt;
    }
  }
  return talks.map((talk) => talk.calls).filter((talk) => talk.length >= SAME_LEAST);
}

/** A model that says the same again and again while its conversation goes on. Where it calls tools with it, those tell. */
function circling(talk: readonly Call[]): Hint[] {
  const found: Hint[] = [];
  let run: Call[] = [];
  const end = () => {
    if (run.length >= SAME_LEAST) {
      found.push({
        kind: "circling",
        title: `The model said the same ${run.length} times in a row`,
        saw: `${run.length} calls of one conversation were answered with the same words.`,
        spans: ids(run),
      });
    }
    run = [];
  };
  for (const call of talk) {
    const said = wordsOf(call);
    if (run.length > 0 && said !== wordsOf(run[0]!)) end();
    if (said.length >= WORDS_LEAST) run.push(call);
  }
  end();
  return found;
}

/** Characters of an answer below which it may well be the same twice: "yes". */
const WORDS_LEAST = 20;

function wordsOf({ attributes }: Call): string {
  const answer = readAnswer(attributes);
  return answer === null || answer.parts.some((part) => part.kind === "call") ? "" : asPlainText(answer).trim();
}

/** A conversation whose prompt has grown many times over: most of what is paid for was sent before. */
function growing(talk: readonly Call[]): Hint[] {
  const sizes = talk.map(({ attributes }) => attributes["llm.tokens.input"]);
  if (talk.length < GROWN_CALLS || !sizes.every((size): size is number => typeof size === "number" && size > 0))
    return [];
  const first = sizes[0]!;
  const last = sizes.at(-1)!;
  if (last < GROWN_TOKENS || last < GROWN_TIMES * first) return [];
  const sum = sizes.reduce((all, size) => all + size, 0);
  const again = Math.round((100 * (sum - last)) / sum);
  return [
    {
      kind: "growing",
      title: `The prompt grew ${(last / first).toFixed(1).replace(/\.0$/, "")} times over ${talk.length} calls`,
      saw: `From ${count(first)} to ${count(last)} tokens; ${again} % of the ${count(sum)} tokens that were sent had been sent before.`,
      spans: ids(talk),
      series: sizes,
    },
  ];
}

// ----------------------------------------------------------------

function ids(calls: readonly Call[]): string[] {
  return calls.map(({ node }) => node.span.span_id);
}

/** A value as text, the same for the same value whatever the order of its keys and the blanks in its JSON. */
function canonical(value: unknown): string {
  const inner = typeof value === "string" ? (jsonIn(value) ?? value.trim()) : value;
  if (inner === undefined || inner === null) return "";
  if (typeof inner !== "object") return String(inner);
  return JSON.stringify(inner, (_, one: unknown) =>
    one !== null && typeof one === "object" && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}
