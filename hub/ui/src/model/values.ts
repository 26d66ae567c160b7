// Values of attributes as text for people. Pure.

/** Beyond so many characters JSON in a text is not taken apart: it would take longer than somebody waits. */
const PARSED_MAX = 2_000_000;

/** A text as it is, anything else as JSON; a text that is a JSON object or list is laid out in lines. */
export function asText(value: unknown): string {
  if (typeof value === "string") {
    const inner = jsonIn(value);
    return inner === undefined ? value : JSON.stringify(inner, null, 2);
  }
  return JSON.stringify(value, null, 2) ?? "";
}

/** The object or list a text is the JSON of; undefined when it is none. */
export function jsonIn(text: string): object | undefined {
  if (text.length > PARSED_MAX || !/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text) as object;
  } catch {
    return undefined;
  }
}
