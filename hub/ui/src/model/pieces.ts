// What a message is made of beside plain text, as something to edit: the parts of its content, and the tools it calls. What
// is not touched goes back as it was recorded, to the letter. Pure.

type Fields = Record<string, unknown>;

/** One part of a message, or one tool call of it. */
export interface Piece {
  /** What is recorded. */
  recorded: unknown;
  /** The tool that is called; null of a part, and of a call in an unknown shape. */
  name: string | null;
  /** What is edited: a text, a call's arguments, or the whole as JSON. */
  text: string;
  /** What `text` is. `words`: any text will do. */
  kind: "words" | "arguments" | "json";
  /** The type of a part that is no text: "image_url". */
  type: string;
}

export function partOf(part: unknown): Piece {
  if (typeof part === "string") return { recorded: part, name: null, text: part, kind: "words", type: "text" };
  if (isObject(part) && typeof part.text === "string" && typeof (part.type ?? "text") === "string") {
    return { recorded: part, name: null, text: part.text, kind: "words", type: String(part.type ?? "text") };
  }
  return {
    recorded: part,
    name: null,
    text: json(part),
    kind: "json",
    type: isObject(part) ? String(part.type ?? "") : "",
  };
}

/** A call in the shape of OpenAI (of a function, or of a tool that takes any text) or of Anthropic. */
export function callOf(call: unknown): Piece {
  const inner = isObject(call) ? innerOf(call) : null;
  if (inner === null) return { recorded: call, name: null, text: json(call), kind: "json", type: "" };
  const { name, given } = inner;
  const parsed = parsedIn(given);
  const kind = parsed === undefined ? "words" : "arguments";
  return { recorded: call, name, text: parsed === undefined ? String(given ?? "") : json(parsed), kind, type: "" };
}

/** A piece as it is sent. */
export function written(piece: Piece): unknown {
  const { recorded, text, name, kind } = piece;
  const before = name === null ? partOf(recorded) : callOf(recorded);
  if (before.text === text && before.name === name) return recorded;
  if (name === null) {
    if (kind === "words") return typeof recorded === "string" ? text : { ...(recorded as Fields), text };
    return parsedIn(text);
  }
  const call = recorded as Fields;
  const { at, field, given } = innerOf(call)!;
  const said = typeof given === "string" || given === undefined ? text : parsedIn(text);
  const inner = { ...(at === null ? call : (call[at] as Fields)), name, [field]: before.text === text ? given : said };
  return at === null ? inner : { ...call, [at]: inner };
}

/** Whether what was JSON is none any more. */
export function isBroken({ kind, text }: Piece): boolean {
  return kind !== "words" && parsedIn(text) === undefined;
}

function innerOf(
  call: Fields,
): { at: "function" | "custom" | null; name: string; field: string; given: unknown } | null {
  for (const at of ["function", "custom"] as const) {
    const inner = call[at];
    if (isObject(inner) && typeof inner.name === "string") {
      const field = at === "custom" ? "input" : "arguments";
      return { at, name: inner.name, field, given: inner[field] };
    }
  }
  const field = ["input", "arguments", "args"].find((key) => key in call);
  if (typeof call.name !== "string" || field === undefined) return null;
  return { at: null, name: call.name, field, given: call[field] };
}

/** The object or list that `value` is, or that its text is; undefined where it is neither. */
function parsedIn(value: unknown): unknown {
  if (typeof value === "object" && value !== null) return value;
  if (typeof value !== "string" || !/^\s*[[{]/.test(value)) return undefined;
  try {
    return JSON.parse(value);
  } catch {
    return undefined;
  }
}

function json(value: unknown): string {
  return JSON.stringify(value, null, 2) ?? "";
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
