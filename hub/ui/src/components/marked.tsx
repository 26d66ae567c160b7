// What was searched for, marked in the text of the span that is open: `?q=` in the address. The marks are the browser's own
// highlights (https://drafts.csswg.org/css-highlight-api-1/): no element is put into what a view has drawn, so that every
// view has them, markdown and JSON too. A browser without them still goes from hit to hit.
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { useCommands } from "../app/commands.ts";
import { route, setQuery } from "../app/route.ts";
import { findHits, pieceAt } from "../model/hits.ts";
import { CloseIcon } from "./icons.tsx";
import { Key } from "./key.tsx";

/** Where marks are looked for. */
const WITHIN = ".pane";
const MARKED_MAX = 1_000;
const TEXT_MAX = 5_000_000;

/** What is searched for on this page, or "". Reads the address: who calls it while drawing is drawn again with it. */
export function searched(): string {
  return route.value.path.startsWith("/traces/") ? (route.value.query.get("q")?.trim() ?? "") : "";
}

/** Whether a text holds what is searched for: what a view folds or cuts off has to open then. */
export function holdsHit(text: string): boolean {
  const query = searched();
  return query !== "" && findHits(text, query, 1).length > 0;
}

const found = signal<{ count: number; at: number }>({ count: 0, at: 0 });

/** The line that counts the hits in the span that is open, with its keys; nothing where nothing is searched. */
export function SearchHits() {
  return searched() === "" ? null : <Hits key={searched()} query={searched()} />;
}

function Hits({ query }: { query: string }) {
  const ranges = useRef<Range[]>([]);
  const span = route.value.query.get("span");
  const show = (at: number, scroll: boolean) => {
    const range = ranges.current[at];
    found.value = { count: ranges.current.length, at };
    paint("search-hit-now", range === undefined ? [] : [range]);
    if (range === undefined || !scroll) return;
    const pane = document.querySelector(WITHIN);
    if (pane === null) return;
    const place = range.getBoundingClientRect();
    const room = pane.getBoundingClientRect();
    for (let box = range.startContainer.parentElement; box !== null && box !== pane; box = box.parentElement) {
      if (box.scrollHeight > box.clientHeight + 1 && getComputedStyle(box).overflowY !== "visible")
        box.scrollTop += range.getBoundingClientRect().top - box.getBoundingClientRect().top - box.clientHeight / 2;
    }
    if (place.top < room.top || place.bottom > room.bottom)
      pane.scrollTop += range.getBoundingClientRect().top - room.top - room.height / 3;
  };
  const step = (by: number) => {
    const { length } = ranges.current;
    if (length > 0) show((found.value.at + by + length) % length, true);
  };
  useCommands([
    { id: "hit-next", title: "Next search hit", group: "Search", keys: ["n"], run: () => step(1) },
    { id: "hit-previous", title: "Previous search hit", group: "Search", keys: ["N"], run: () => step(-1) },
    { id: "hit-end", title: "End the search", group: "Search", run: () => setQuery({ q: null }) },
  ]);

  useEffect(() => {
    let fresh = true;
    let frame = 0;
    const look = () => {
      frame = 0;
      const pane = document.querySelector(WITHIN);
      ranges.current = pane === null ? [] : rangesIn(pane, query);
      paint("search-hit", ranges.current);
      show(Math.min(found.value.at, Math.max(0, ranges.current.length - 1)), fresh && ranges.current.length > 0);
      if (ranges.current.length > 0) fresh = false;
    };
    found.value = { count: 0, at: 0 };
    look();
    // what a span holds comes after its name, and changes while it is live
    const watcher = new MutationObserver(() => {
      frame ||= requestAnimationFrame(look);
    });
    watcher.observe(document.getElementById("main")!, { childList: true, subtree: true, characterData: true });
    return () => {
      watcher.disconnect();
      cancelAnimationFrame(frame);
      paint("search-hit", []);
      paint("search-hit-now", []);
    };
  }, [query, span]);

  const { count, at } = found.value;
  return (
    <div class="hits" role="status">
      <span>
        {count === 0 ? "No hit in this span for " : `Hit ${at + 1} of ${count} for `}
        <q>{query}</q>
      </span>
      <button type="button" disabled={count < 2} onClick={() => step(1)}>
        Next <Key keys="n" />
      </button>
      <button type="button" disabled={count < 2} onClick={() => step(-1)}>
        Previous <Key keys="N" />
      </button>
      <button type="button" class="quiet" aria-label="End the search" onClick={() => setQuery({ q: null })}>
        <CloseIcon />
      </button>
    </div>
  );
}

function paint(name: string, ranges: Range[]): void {
  if (typeof Highlight === "undefined") return;
  if (ranges.length === 0) CSS.highlights.delete(name);
  else {
    const highlight = new Highlight(...ranges);
    if (name.endsWith("-now")) highlight.priority = 1;
    CSS.highlights.set(name, highlight);
  }
}

/** The places of `query` in what can be read below `root`, in its order. */
function rangesIn(root: Element, query: string): Range[] {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const nodes: Text[] = [];
  const starts: number[] = [];
  let text = "";
  for (let node = walker.nextNode() as Text | null; node !== null; node = walker.nextNode() as Text | null) {
    const { parentElement } = node;
    if (parentElement === null || parentElement.closest("button, .unseen, textarea, [hidden]")) continue;
    // text of two blocks does not run together
    const before = nodes.at(-1);
    if (before !== undefined && block(before) !== block(node)) text += "\u0000";
    nodes.push(node);
    starts.push(text.length);
    text += node.data;
    if (text.length > TEXT_MAX) break;
  }
  return findHits(text, query, MARKED_MAX).map(({ at, end }) => {
    const from = pieceAt(starts, at);
    const to = pieceAt(starts, end - 1);
    const range = document.createRange();
    range.setStart(nodes[from.piece]!, from.offset);
    range.setEnd(nodes[to.piece]!, Math.min(to.offset + 1, nodes[to.piece]!.length));
    return range;
  });
}

const INLINE = new Set(["SPAN", "CODE", "EM", "STRONG", "A", "B", "I", "MARK", "SMALL", "Q", "INS", "DEL"]);

function block(node: Text): Element | null {
  let element = node.parentElement;
  while (element !== null && INLINE.has(element.tagName)) element = element.parentElement;
  return element;
}
