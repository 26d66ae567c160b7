/** The beginning of a text: at most so many lines and characters. A pair of surrogates is not cut. Pure. */
export function clamp(text: string, lines: number, characters: number): string {
  let end = Math.min(text.length, characters);
  let at = -1;
  for (let i = 0; i < lines; i++) {
    at = text.indexOf("\n", at + 1);
    if (at === -1 || at >= end) break;
    if (i === lines - 1) end = at;
  }
  if (end < text.length && /[\uD800-\uDBFF]/.test(text[end - 1] ?? "")) end--;
  return text.slice(0, end);
}

/** How many lines a text has, counted up to `most`. */
export function linesOf(text: string, most: number): number {
  let lines = 1;
  for (let at = text.indexOf("\n"); at !== -1 && lines < most; at = text.indexOf("\n", at + 1)) lines++;
  return lines;
}
