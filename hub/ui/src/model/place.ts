// A byte of a text as the line and column somebody looks for. Pure.

/** Line and column, both from 1, of the byte a message names ("… (byte 17)"); null when it names none. */
export function placeIn(text: string, message: string): { line: number; column: number } | null {
  const found = /\bbyte (\d+)/.exec(message);
  if (found === null) return null;
  const bytes = new TextEncoder().encode(text).subarray(0, Number(found[1]));
  const before = new TextDecoder().decode(bytes);
  return { line: before.split("\n").length, column: before.length - before.lastIndexOf("\n") };
}
