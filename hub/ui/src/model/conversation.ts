// What was said to a model and what it answered, out of the attributes of a call, whoever's form they are in. Pure: nothing
// that an agent may have written makes it fail, what it does not know is kept as it is.
import { jsonIn } from "./values.ts";

export type Part =
  | { kind: "text"; text: string }
  | { kind: "reasoning"; text: string }
  | { kind: "image"; url: string }
  | { kind: "call"; id: string | null; name: string; input: unknown }
  | { kind: "result"; id: string | null; name: string | null; output: unknown; failed: boolean }
  | { kind: "other"; what: string; value: unknown };

export interface Message {
  role: string;
  /** Who, where it says so: a name beside the role. */
  name: string | null;
  parts: Part[];
}

export type Call = Extract<Part, { kind: "call" }>;
export type Result = Extract<Part, { kind: "result" }>;

type Fields = Record<string, unknown>;

/** The messages of `llm.prompt`: JSON text of a list, an object that holds one, or a plain text from the user. */
export function readPrompt(value: unknown): Message[] {
  const said = typeof value === "string" ? (jsonIn(value) ?? value) : value;
  if (said === null || said === undefined || said === "") return [];
  if (Array.isArray(said)) return said.map((one) => readMessage(one, "user"));
  if (isObject(said)) {
    const inner = said.messages ?? said.input ?? said.contents;
    const system = said.system ?? said.instructions;
    if (Array.isArray(inner)) {
      const first = system ? [{ role: "system", name: null, parts: readContent(system) }] : [];
      return [...first, ...inner.map((one) => readMessage(one, "user"))];
    }
    if ("role" in said || "content" in said) return [readMessage(said, "user")];
  }
  return [{ role: "user", name: null, parts: readContent(said) }];
}

/** What the model answered: its reasoning, its words, the tools it called. Null when none of it is there. */
export function readAnswer(attributes: Fields): Message | null {
  const parts: Part[] = [];
  const reasoning = attributes["llm.reasoning"];
  if (reasoning) parts.push(...readContent(reasoning).map(asReasoning));
  const completion = attributes["llm.completion"];
  const inner = typeof completion === "string" ? jsonIn(completion) : completion;
  if (Array.isArray(inner) && inner.length > 0 && inner.every((one) => isObject(one) && typeof one.type === "string"))
    parts.push(...readContent(inner));
  else if (isObject(inner) && typeof inner.role === "string") parts.push(...readMessage(inner, "assistant").parts);
  else if (completion !== undefined && completion !== null && completion !== "")
    parts.push(
      typeof completion === "string"
        ? { kind: "text", text: completion }
        : { kind: "other", what: "answer", value: completion },
    );
  const told = new Set(parts.map((part) => (part.kind === "call" ? (part.id ?? part.name) : "")));
  for (const call of readCalls(attributes["llm.tool_calls"])) if (!told.has(call.id ?? call.name)) parts.push(call);
  return parts.length === 0 ? null : { role: "assistant", name: null, parts };
}

/** Tools that were called, of a list in OpenAI's form or a flat one. */
export function readCalls(value: unknown): Call[] {
  const list = typeof value === "string" ? jsonIn(value) : value;
  const calls: Call[] = [];
  for (const one of Array.isArray(list) ? list : []) {
    if (!isObject(one)) continue;
    const at = isObject(one.function) ? one.function : isObject(one.custom) ? one.custom : one;
    const input = at.arguments ?? at.input ?? at.args;
    calls.push({
      kind: "call",
      id: text(one.id) ?? text(one.call_id),
      name: text(at.name) ?? "(no name)",
      input: parsed(input),
    });
  }
  return calls;
}

function readMessage(value: unknown, role: string): Message {
  if (!isObject(value)) return { role, name: null, parts: readContent(value) };
  const said = text(value.role) ?? ROLES.get(text(value.type) ?? "") ?? role;
  const name = text(value.name);
  const content = value.content ?? value.parts ?? value.text;
  if ((said === "tool" || said === "function") && !holdsResult(content)) {
    const id = text(value.tool_call_id) ?? text(value.call_id) ?? null;
    const output = resultOf(content ?? value.output);
    return { role: "tool", name, parts: [{ kind: "result", id, name, output, failed: value.is_error === true }] };
  }
  if (value.role === undefined && (content === undefined || value.type === "reasoning")) {
    // an item of OpenAI's Responses API, where what a model does in its turn stands beside its messages
    const part = readPart(value);
    return { role: SPEAKERS.get(part.kind) ?? said, name, parts: [part] };
  }
  const parts: Part[] = [];
  const reasoning = value.reasoning_content ?? value.reasoning;
  if (reasoning) parts.push(...readContent(reasoning).map(asReasoning));
  parts.push(...readContent(content), ...readCalls(value.tool_calls));
  if (isObject(value.function_call)) parts.push(...readCalls([{ function: value.function_call }]));
  if (text(value.refusal) !== null) parts.push({ kind: "other", what: "refusal", value: value.refusal });
  return { role: said === "model" ? "assistant" : said, name, parts };
}

const SPEAKERS = new Map<Part["kind"], string>([
  ["call", "assistant"],
  ["reasoning", "assistant"],
  ["result", "tool"],
]);

// no object: that answers to "constructor", too
const ROLES = new Map([
  ["human", "user"],
  ["ai", "assistant"],
  ["system", "system"],
  ["tool", "tool"],
]);

function readContent(content: unknown): Part[] {
  if (content === null || content === undefined || content === "") return [];
  if (typeof content === "string") return [{ kind: "text", text: content }];
  if (Array.isArray(content)) return content.map(readPart);
  return [readPart(content)];
}

function readPart(part: unknown): Part {
  if (typeof part === "string") return { kind: "text", text: part };
  if (!isObject(part)) return { kind: "other", what: "value", value: part };
  const type = text(part.type) ?? "";
  const said = text(part.text) ?? text(part.content);
  switch (type) {
    case "image_url":
    case "input_image":
    case "image": {
      const url = imageUrl(part);
      return url === null ? { kind: "other", what: "image", value: part } : { kind: "image", url };
    }
    case "tool_use":
    case "tool_call":
    case "function_call":
    case "custom_tool_call":
    case "server_tool_use":
      return {
        kind: "call",
        id: text(part.call_id) ?? text(part.id),
        name: text(part.name) ?? "(no name)",
        input: parsed(part.input ?? part.arguments ?? part.args),
      };
    case "tool_result":
    case "tool_call_response":
    case "function_call_output":
    case "custom_tool_call_output":
      return {
        kind: "result",
        id: text(part.tool_use_id) ?? text(part.call_id) ?? text(part.id),
        name: text(part.name),
        output: resultOf(part.content ?? part.output ?? part.response ?? part.result),
        failed: part.is_error === true,
      };
    case "thinking":
    case "reasoning":
    case "redacted_thinking": {
      const thought = text(part.thinking) ?? said ?? text(part.summary) ?? summed(part.summary) ?? summed(part.content);
      return thought === null ? { kind: "other", what: type, value: part } : { kind: "reasoning", text: thought };
    }
    default:
      if (type === "") {
        const google = ofGoogle(part);
        if (google !== null) return google;
      }
      if (said !== null && (type === "" || type.endsWith("text"))) return { kind: "text", text: said };
      return { kind: "other", what: type || "part", value: part };
  }
}

/** The texts of a list of parts, as OpenAI's Responses API sums up what a model thought. */
function summed(parts: unknown): string | null {
  if (!Array.isArray(parts)) return null;
  return text(
    parts
      .map((one) => (isObject(one) ? (text(one.text) ?? "") : ""))
      .join("\n\n")
      .trim(),
  );
}

/** A part of Google's, which has no type: the field that is there says what it is. */
function ofGoogle(part: Fields): Part | null {
  const call = part.functionCall ?? part.function_call;
  if (isObject(call))
    return { kind: "call", id: text(call.id), name: text(call.name) ?? "(no name)", input: parsed(call.args) };
  const result = part.functionResponse ?? part.function_response;
  if (isObject(result)) {
    return {
      kind: "result",
      id: text(result.id),
      name: text(result.name),
      output: parsed(result.response),
      failed: false,
    };
  }
  const bytes = part.inlineData ?? part.inline_data;
  if (isObject(bytes) && text(bytes.data) !== null) {
    return {
      kind: "image",
      url: `data:${text(bytes.mimeType) ?? text(bytes.mime_type) ?? "image/png"};base64,${bytes.data}`,
    };
  }
  if (part.thought === true && text(part.text) !== null) return { kind: "reasoning", text: text(part.text)! };
  return null;
}

/** Where an image is: of OpenAI's `image_url`, Anthropic's `source`, or bytes beside their type. */
function imageUrl(part: Fields): string | null {
  const at = part.image_url ?? part.url;
  if (typeof at === "string") return at;
  if (isObject(at)) return text(at.url);
  const source = isObject(part.source) ? part.source : part;
  if (text(source.url) !== null) return text(source.url);
  const bytes = text(source.data) ?? text(part.content);
  const type = text(source.media_type) ?? text(source.mime_type) ?? "image/png";
  return bytes === null ? null : `data:${type};base64,${bytes}`;
}

function holdsResult(content: unknown): boolean {
  return Array.isArray(content) && content.some((part) => isObject(part) && String(part.type).startsWith("tool_"));
}

/** What a tool gave back: a text where it is one, in however many parts; what JSON text says else. */
function resultOf(content: unknown): unknown {
  if (Array.isArray(content) && content.every((one) => isObject(one) && one.type === "text"))
    return parsed(content.map((one) => String((one as Fields).text ?? "")).join("\n"));
  return parsed(content);
}

function parsed(value: unknown): unknown {
  return typeof value === "string" ? (jsonIn(value) ?? value) : value;
}

function asReasoning(part: Part): Part {
  return part.kind === "text" ? { kind: "reasoning", text: part.text } : part;
}

function isObject(value: unknown): value is Fields {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

/** Which result belongs to which call: by id, and where a side has none, in order among those of one name. */
export function pairs(messages: readonly Message[]): Map<Part, Part> {
  const found = new Map<Part, Part>();
  const open: Call[] = [];
  for (const { parts } of messages) {
    for (const part of parts) {
      if (part.kind === "call") open.push(part);
      if (part.kind !== "result") continue;
      let at = part.id === null ? -1 : open.findIndex((call) => call.id === part.id);
      if (at === -1)
        at = open.findIndex(
          (call) => (part.id === null || call.id === null) && (part.name === null || part.name === call.name),
        );
      if (at === -1) continue;
      const [call] = open.splice(at, 1);
      found.set(call!, part);
      found.set(part, call!);
    }
  }
  return found;
}

/** The characters of what is said in a message. */
export function sizeOf(message: Message): number {
  let size = 0;
  for (const part of message.parts) {
    if (part.kind === "text" || part.kind === "reasoning") size += part.text.length;
    else if (part.kind === "image") size += part.url.length;
    else
      size +=
        JSON.stringify(part.kind === "call" ? part.input : part.kind === "result" ? part.output : part.value)?.length ??
        0;
  }
  return size;
}

/** A message as text, to be copied. */
export function asPlainText(message: Message): string {
  return message.parts.map(plainPart).join("\n\n");
}

function plainPart(part: Part): string {
  const said = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? ""));
  switch (part.kind) {
    case "text":
    case "reasoning":
      return part.text;
    case "image":
      return part.url;
    case "call":
      return `${part.name}(${said(part.input)})`;
    case "result":
      return said(part.output);
    case "other":
      return said(part.value);
  }
}
