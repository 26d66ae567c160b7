// What a step was given and what came of it, as parts that can be laid beside those of another run: without the ids and times
// that differ in every run. Pure.
import type { Span } from "../api/schema.ts";
import { asPlainText, type Message, type Part, readAnswer, readPrompt } from "./conversation.ts";
import { asText, jsonIn } from "./values.ts";

type Fields = Record<string, unknown>;

export interface Content {
  /** "answer", "arguments", "result". */
  name: string;
  /** It came of the step; what is none was given to it. */
  outcome: boolean;
  text: string;
}

type Said = Pick<Span, "span_type" | "attributes" | "error_message">;

/** The parts of a step that say something, in the order they are read in. */
export function contentsOf({ span_type, attributes, error_message }: Said): Content[] {
  const found: Content[] = [];
  const add = (name: string, outcome: boolean, value: unknown) => {
    const text = value === undefined || value === null ? "" : asText(value);
    if (text !== "") found.push({ name, outcome, text });
  };
  if (span_type === "llm_call") {
    add("model", false, attributes["llm.model"]);
    add("settings", false, settings(attributes));
    add("tools offered", false, attributes["llm.tools"]);
    add("messages", false, readPrompt(attributes["llm.prompt"]).map(spoken).join("\n\n"));
    const answer = readAnswer(attributes);
    add("answer", true, answer === null ? null : asPlainText(withoutIds(answer)));
  } else {
    const [given, came] = FIELDS[span_type] ?? [[], []];
    for (const [key, name] of given) add(name, false, attributes[key]);
    for (const [key, name] of came) add(name, true, attributes[key]);
    if (span_type === "custom") {
      for (const key of Object.keys(attributes).sort()) {
        if (!VOLATILE.test(key)) add(key, /out|result|response/i.test(key), attributes[key]);
      }
    }
  }
  add("error", true, error_message);
  return found;
}

const FIELDS: Partial<Record<Span["span_type"], readonly [Named, Named]>> = {
  tool_use: [[["tool.input", "arguments"]], [["tool.output", "result"]]],
  agent_step: [
    [["agent.input", "input"]],
    [
      ["agent.thought", "thought"],
      ["agent.output", "output"],
    ],
  ],
  chain: [[["chain.input", "input"]], [["chain.output", "output"]]],
  shell_command: [
    [["shell.command", "command"]],
    [
      ["shell.returncode", "exit status"],
      ["shell.stdout", "output"],
      ["shell.stderr", "error output"],
    ],
  ],
  file_operation: [
    [
      ["file.operation", "operation"],
      ["file.path", "path"],
    ],
    [["file.content", "content"]],
  ],
  browser_action: [
    [
      ["browser.action", "action"],
      ["browser.url", "address"],
      ["browser.selector", "selector"],
      ["browser.value", "value"],
    ],
    [["browser.page_title", "page title"]],
  ],
};
type Named = ReadonlyArray<readonly [key: string, name: string]>;

/** Attributes that differ in every run and say nothing of what was done. */
const VOLATILE = /(^|[._])(id|uuid|time|timestamp|date|duration|latency|pid|port|host(name)?)$|_(id|ms|at)$/i;

function settings(attributes: Fields): string {
  return ["temperature", "max_tokens", "top_p"]
    .filter((name) => attributes[`llm.${name}`] !== undefined && attributes[`llm.${name}`] !== null)
    .map((name) => `${name.replace("_", " ")} ${attributes[`llm.${name}`]}`)
    .join(", ");
}

function spoken(message: Message): string {
  return `${message.role}: ${asPlainText(withoutIds(message))}`;
}

/** Ids of tool calls are made anew in every run. */
function withoutIds(message: Message): Message {
  const parts = message.parts.map((part): Part => {
    if (part.kind === "call" || part.kind === "result") return { ...part, id: null };
    return part.kind === "text" && jsonIn(part.text) !== undefined ? { ...part, text: asText(part.text) } : part;
  });
  return { ...message, parts };
}

/** Which parts of a step differ between two runs: names in the order of the first, then those only the second has. */
export function differing(a: readonly Content[], b: readonly Content[]): Content[] {
  const other = new Map(b.map((one) => [one.name, one]));
  const found = a.filter((one) => other.get(one.name)?.text !== one.text);
  const known = new Set(a.map((one) => one.name));
  return [...found, ...b.filter((one) => !known.has(one.name))];
}
