// Values of attributes as text for people. Pure.

/** Beyond so many characters JSON in a text is not taken apart: it would take longer than somebody waits. */
const PARSED_MAX = 2_000_000;

/** Levels of JSON in a text beyond which it stays text: ten thousand are a stack overflow wherever it is walked or written. */
const DEPTH_MAX = 200;

/** A text as it is, anything else as JSON; a text that is a JSON object or list is laid out in lines. */
export function asText(value: unknown): string {
  if (typeof value === "string") {
    const inner = jsonIn(value);
    return inner === undefined ? value : JSON.stringify(inner, null, 2);
  }
  return JSON.stringify(value, null, 2) ?? "";
}

/** Texts in texts that are taken apart: an agent that writes JSON of JSON does so once more than it meant to. */
const WRAPPED_MAX = 3;

/** The object or list a text is the JSON of, also of JSON in a JSON text; undefined when it is none. */
export function jsonIn(text: string, wrapped = 0): object | undefined {
  if (text.length > PARSED_MAX || !/^\s*[[{"]/.test(text)) return undefined;
  try {
    const found: unknown = JSON.parse(text);
    if (typeof found === "string") return wrapped < WRAPPED_MAX ? jsonIn(found, wrapped + 1) : undefined;
    return typeof found !== "object" || found === null || isDeep(found) ? undefined : found;
  } catch {
    return undefined;
  }
}

function isDeep(value: object): boolean {
  let level: object[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth === DEPTH_MAX) return true;
    const below: object[] = [];
    for (const one of level)
      for (const inner of Object.values(one)) if (typeof inner === "object" && inner !== null) below.push(inner);
    level = below;
  }
  return false;
}
