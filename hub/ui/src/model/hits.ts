// Where a searched text stands in a text, as the search of the server means it: whatever the case. Pure.

export interface Hit {
  at: number;
  end: number;
}

/** Every place of `query` in `text`, at most `most`, none overlapping. White space counts as one space: that is how the
 * server's snippets are written. */
export function findHits(text: string, query: string, most = 1_000): Hit[] {
  const wanted = query.trim();
  if (wanted === "" || text === "") return [];
  const pattern = wanted
    .split(/\s+/)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join("\\s+");
  const hits: Hit[] = [];
  for (const found of text.matchAll(new RegExp(pattern, "giu"))) {
    hits.push({ at: found.index, end: found.index + found[0].length });
    if (hits.length >= most) break;
  }
  return hits;
}

/** Where a place of the joined text of many pieces stands: which piece, and how far in it. `starts`: where each begins. */
export function pieceAt(starts: readonly number[], at: number): { piece: number; offset: number } {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= at) low = middle;
    else high = middle - 1;
  }
  return { piece: low, offset: at - starts[low]! };
}

/** Characters before a match that are shown: the line is as wide as its window, and the match has to be on it. */
const BEFORE_MAX = 36;

/** A snippet as what stands before the match, the match, and what stands after. The offsets count characters as the
 * server does, which are code points. */
export function snippet(context: string, offsets: readonly [number, number]): [string, string, string] {
  const points = Array.from(context);
  const from = Math.max(0, offsets[0] - BEFORE_MAX);
  return [
    (from > 0 ? "…" : "") + points.slice(from, offsets[0]).join(""),
    points.slice(offsets[0], offsets[1]).join(""),
    points.slice(offsets[1]).join(""),
  ];
}
