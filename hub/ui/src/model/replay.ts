// A recorded call of a model as something to edit: its messages as cards, its settings as fields, and back as what is to
// differ from the record. Pure.
import type { Model, NewOutput, ReplayRun } from "../api/schema.ts";
import { callOf, isBroken, type Piece, partOf, written } from "./pieces.ts";

type Fields = Record<string, unknown>;

export interface Card {
  /** Stays the same while cards are moved. */
  key: number;
  role: string;
  /** What is edited, of a message that is a text. */
  body: string;
  /** What is edited, of a message in parts; null of one that is a text. */
  parts: readonly Piece[] | null;
  /** Its content is one part, and no list of parts. */
  alone: boolean;
  /** The tool calls the message makes. */
  calls: readonly Piece[];
  /** Everything else of the message, kept as it was recorded. */
  rest: Fields;
}

export interface Draft {
  cards: Card[];
  model: string;
  provider: string;
  /** As typed; "" leaves it to the provider. */
  temperature: string;
  maxTokens: string;
  tools: boolean;
}

export const ROLES = ["system", "user", "assistant", "tool"] as const;

/** The recorded call as a draft. A prompt that is no list of messages becomes one message of a user. */
export function draftOf(attributes: Fields): Draft {
  return {
    cards: cardsOf(attributes["llm.prompt"]),
    model: text(attributes["llm.request_model"] ?? attributes["llm.model"]),
    provider: text(attributes["llm.provider"]),
    temperature: numeral(attributes["llm.temperature"]),
    maxTokens: numeral(attributes["llm.max_tokens"]),
    tools: toolsOf(attributes).length > 0,
  };
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function numeral(value: unknown): string {
  return typeof value === "number" && Number.isFinite(value) ? String(value) : "";
}

function decoded(value: unknown): unknown {
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The recorded messages; one of a user around a prompt that is a text. */
function messagesOf(prompt: unknown): Fields[] {
  let value = decoded(prompt);
  if (isObject(value) && Array.isArray(value.messages)) value = value.messages;
  if (isObject(value) && "role" in value) value = [value];
  if (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((item) => isObject(item) && typeof item.role === "string")
  )
    return value as Fields[];
  if (prompt === undefined || prompt === null) return [];
  return [{ role: "user", content: typeof prompt === "string" ? prompt : JSON.stringify(prompt) }];
}

function cardsOf(prompt: unknown): Card[] {
  return messagesOf(prompt).map((message, key) => {
    const { role, content, tool_calls, ...rest } = message;
    const plain = typeof content === "string" || content === null || content === undefined;
    const calls = Array.isArray(tool_calls) && tool_calls.length > 0 ? tool_calls : null;
    return {
      key,
      role: text(role),
      body: text(content),
      parts: plain ? null : (Array.isArray(content) ? content : [content]).map(partOf),
      alone: !plain && !Array.isArray(content),
      calls: (calls ?? []).map(callOf),
      rest: {
        ...rest,
        ...("content" in message && content === null ? { content } : {}),
        ...("tool_calls" in message && calls === null ? { tool_calls } : {}),
      },
    };
  });
}

/** The names of the tools that were offered. */
export function toolsOf(attributes: Fields): string[] {
  const tools = decoded(attributes["llm.tools"]);
  if (!Array.isArray(tools)) return [];
  return tools.map((tool) => {
    const one = decoded(tool);
    if (!isObject(one)) return "?";
    return text(isObject(one.function) ? one.function.name : one.name) || text(one.type) || "?";
  });
}

/** Why a card cannot be sent, or null. */
export function wrongWith(card: Card): string | null {
  const part = (card.parts ?? []).findIndex(isBroken);
  if (part >= 0) return `Part ${part + 1} is not JSON any more.`;
  const call = card.calls.find(isBroken);
  if (call)
    return call.name ? `The arguments of ${call.name} are not JSON any more.` : "A tool call is not JSON any more.";
  return null;
}

/** A card as the message that is sent. */
export function messageOf({ role, body, parts, alone, calls, rest }: Card): Fields {
  const { content: nothing, ...others } = rest;
  const plain = body === "" && "content" in rest ? nothing : body;
  const pieces = parts?.map(written);
  const content = pieces === undefined ? plain : alone ? pieces[0] : pieces;
  return { role, content, ...others, ...(calls.length === 0 ? {} : { tool_calls: calls.map(written) }) };
}

/** Why the draft cannot be sent, or null. */
export function wrongDraft(draft: Draft): string | null {
  if (draft.cards.length === 0) return "There is no message to send; add one.";
  const wrong = draft.cards.findIndex((card) => wrongWith(card) !== null);
  if (wrong >= 0) return `Message ${wrong + 1}: ${wrongWith(draft.cards[wrong]!)}`;
  if (draft.model.trim() === "") return "No model is named.";
  const temperature = Number(draft.temperature);
  if (draft.temperature !== "" && !(temperature >= 0 && temperature <= 2))
    return "The temperature is a number from 0 to 2.";
  if (draft.maxTokens !== "" && !/^[1-9]\d*$/.test(draft.maxTokens)) return "Max tokens is a whole number above 0.";
  return null;
}

/** What differs from the record: `modified_attributes` of POST /v1/replay. Null takes a recorded value away. */
export function modifications(draft: Draft, attributes: Fields): Fields {
  const changed: Fields = {};
  const before = draftOf(attributes);
  const messages = draft.cards.map(messageOf);
  if (JSON.stringify(messages) !== JSON.stringify(before.cards.map(messageOf)))
    changed["llm.prompt"] = JSON.stringify(messages);
  if (draft.model.trim() !== before.model) changed["llm.model"] = draft.model.trim();
  if (draft.provider !== before.provider) changed["llm.provider"] = draft.provider === "" ? null : draft.provider;
  if (draft.temperature !== before.temperature)
    changed["llm.temperature"] = draft.temperature === "" ? null : Number(draft.temperature);
  if (draft.maxTokens !== before.maxTokens)
    changed["llm.max_tokens"] = draft.maxTokens === "" ? null : Number(draft.maxTokens);
  if (draft.tools !== before.tools) {
    changed["llm.tools"] = null;
    if ("llm.tool_choice" in attributes) changed["llm.tool_choice"] = null;
  }
  return changed;
}

/** What a run was asked to do otherwise, in a few words: "model fake-small · temperature 0.2 · messages". */
export function differs(modified: Fields | undefined): string {
  const words = Object.entries(modified ?? {}).map(([key, value]) => {
    if (key === "llm.prompt") return "messages";
    if (key === "llm.tools") return value === null ? "no tools" : "tools";
    const name = key.replace(/^llm\./, "").replace(/_/g, " ");
    return value === null ? `no ${name}` : `${name} ${typeof value === "object" ? "…" : String(value)}`;
  });
  return words.length > 0 ? words.join(" · ") : "as recorded";
}

export interface Price {
  /** US dollars of one run, as far as it can be known before it is made; null where the price is not. */
  usd: number | null;
  /** At most, where max tokens bound the answer. */
  most: number | null;
  /** Whether the tokens are those of the record, not counted by length. */
  exact: boolean;
}

/** What a run will cost: the tokens of the record, or where the messages are others, a token for four characters. */
export function priceOf(draft: Draft, model: Model | undefined, attributes: Fields): Price {
  if (model?.local) return { usd: 0, most: 0, exact: true };
  if (!model || model.input_usd_per_million === null || model.output_usd_per_million === null)
    return { usd: null, most: null, exact: false };
  const recorded = draftOf(attributes);
  const long = (pieces: readonly Piece[]) => pieces.reduce((sum, piece) => sum + piece.text.length, 0);
  const length = (cards: readonly Card[]) =>
    cards.reduce((sum, card) => sum + card.body.length + long(card.parts ?? []) + long(card.calls), 0);
  const tokens = attributes["llm.tokens.input"];
  const same = JSON.stringify(draft.cards.map(messageOf)) === JSON.stringify(recorded.cards.map(messageOf));
  const grown = Math.round((length(draft.cards) - length(recorded.cards)) / 4);
  const input = typeof tokens === "number" ? Math.max(1, same ? tokens : tokens + grown) : length(draft.cards) / 4;
  const limit = draft.maxTokens === "" ? null : Number(draft.maxTokens);
  const before = attributes["llm.tokens.output"];
  const output = Math.min(typeof before === "number" ? before : 500, limit ?? Number.POSITIVE_INFINITY);
  const dollars = (answer: number) =>
    (input * model.input_usd_per_million! + answer * model.output_usd_per_million!) / 1e6;
  return {
    usd: dollars(output),
    most: limit === null ? null : dollars(limit),
    exact: same && typeof tokens === "number" && typeof before === "number",
  };
}

/** The row of GET /v1/models a draft means. */
export function modelOf(draft: Pick<Draft, "model" | "provider">, models: readonly Model[]): Model | undefined {
  const named = models.filter((one) => one.model === draft.model.trim());
  return named.find((one) => one.provider === draft.provider) ?? named[0];
}

/** What an answer says, its tool calls too. */
export function outputText(output: NewOutput | null | undefined): string {
  if (!output) return "";
  const calls = (output.tool_calls ?? []).map((call) => {
    const made = isObject(call.function) ? call.function : call;
    return `→ ${text(made.name)}(${typeof made.arguments === "string" ? made.arguments : JSON.stringify(made.arguments ?? {})})`;
  });
  return [output["llm.completion"], ...calls].filter((part) => part !== "").join("\n");
}

/** The recorded answer in the form of a run's, to stand beside them. */
export function recordedOutput(attributes: Fields, durationMs: number | null): NewOutput {
  const number = (key: string) => {
    const value = attributes[key];
    return typeof value === "number" ? value : null;
  };
  const completion = attributes["llm.completion"];
  const calls = decoded(attributes["llm.tool_calls"]);
  return {
    "llm.completion": typeof completion === "string" ? completion : completion ? JSON.stringify(completion) : "",
    "llm.tokens.input": number("llm.tokens.input"),
    "llm.tokens.output": number("llm.tokens.output"),
    "llm.cost_usd": number("llm.cost_usd"),
    "llm.model": text(attributes["llm.model"]),
    "llm.finish_reason": text(attributes["llm.finish_reason"]) || null,
    tool_calls: Array.isArray(calls) ? (calls as Array<Fields>) : null,
    latency_ms: durationMs,
  };
}

/** Runs as they are listed, newest first, each once. */
export function joined(fresh: readonly ReplayRun[], known: readonly ReplayRun[]): ReplayRun[] {
  const ids = new Set(fresh.map((run) => run.replay_id));
  return [...fresh, ...known.filter((run) => !ids.has(run.replay_id))].sort((a, b) => b.created_at - a.created_at);
}
