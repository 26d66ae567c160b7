// A value as a tree that folds: its first two levels are open, of a long list a hundred at a time are in the page.
import { createContext } from "preact";
import { useContext, useState } from "preact/hooks";
import { exact } from "../model/format.ts";
import { jsonIn } from "../model/values.ts";
import { ChevronIcon } from "./icons.tsx";
import { LongText } from "./long_text.tsx";

const OPEN_DEPTH = 2;
const PAGE = 100;
/** Where siblings open so would show more than so many rows, they stay shut. */
const ROWS_OPEN = 200;
/** Rows of a tree among many. */
const CROWDED_PAGE = 3;
const INLINE = 160;

type Entries = { keys: string[] | null; size: number; at(i: number): unknown };

/** Whether many trees may stand on the page: then each shows its first rows alone. Sixty of 2,000 rows were 200,000
 * elements. */
export const Crowded = createContext(false);

export function JsonTree({ value, label }: { value: unknown; label: string }) {
  return (
    <div class="json" role="group" aria-label={label}>
      <Inner value={value} depth={0} />
    </div>
  );
}

function entriesOf(value: unknown): Entries | null {
  if (Array.isArray(value)) return { keys: null, size: value.length, at: (i) => value[i] };
  if (value === null || typeof value !== "object") return null;
  const keys = Object.keys(value);
  return { keys, size: keys.length, at: (i) => (value as Record<string, unknown>)[keys[i]!] };
}

/** What is in a list or an object, a page of it. */
function Inner({ value, depth }: { value: unknown; depth: number }) {
  const crowded = useContext(Crowded);
  const [shown, setShown] = useState(crowded ? CROWDED_PAGE : PAGE);
  const entries = entriesOf(value);
  if (entries === null) return <Leaf value={value} />;
  if (entries.size === 0) return <span class="dim">{entries.keys === null ? "[ ]" : "{ }"}</span>;
  const rows = Array.from({ length: Math.min(shown, entries.size) }, (_, i) => {
    const name = entries.keys?.[i] ?? String(i);
    return <Entry key={name} name={name} value={entries.at(i)} depth={depth + 1} siblings={entries.size} />;
  });
  return (
    <>
      <ul>{rows}</ul>
      {entries.size > shown ? (
        <button type="button" class="more" onClick={() => setShown(shown + PAGE)}>
          Show {exact(Math.min(PAGE, entries.size - shown))} more of {exact(entries.size)}
        </button>
      ) : null}
    </>
  );
}

function Entry({
  name,
  value: given,
  depth,
  siblings,
}: {
  name: string;
  value: unknown;
  depth: number;
  siblings: number;
}) {
  const inner = typeof given === "string" ? jsonIn(given) : undefined;
  const value = inner ?? given;
  const entries = entriesOf(value);
  const crowded = useContext(Crowded);
  const rows = siblings * Math.min(PAGE, entries?.size ?? 0);
  const [open, setOpen] = useState(depth < OPEN_DEPTH && rows <= ROWS_OPEN && !crowded);
  const key = <span class="json-key">{name.slice(0, 300)}: </span>;
  if (entries === null || entries.size === 0) {
    return (
      <li>
        {key}
        <Inner value={value} depth={depth} />
      </li>
    );
  }
  return (
    <li>
      <button
        type="button"
        class={`json-fold${open ? " open" : ""}`}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <ChevronIcon />
        {key}
        <span class="dim">
          {entries.keys === null ? `[${exact(entries.size)}]` : open ? `{${exact(entries.size)}}` : preview(entries)}
          {inner === undefined ? "" : " in a text"}
        </span>
      </button>
      {open ? <Inner value={value} depth={depth} /> : null}
    </li>
  );
}

function preview(entries: Entries): string {
  const names = entries.keys!.slice(0, 4).map((name) => name.slice(0, 40));
  return `{ ${names.join(", ")}${entries.size > 4 ? `, … ${exact(entries.size)}` : ""} }`;
}

function Leaf({ value }: { value: unknown }) {
  if (typeof value !== "string")
    return <span class={`json-${value === null ? "null" : typeof value}`}>{String(value)}</span>;
  if (value.length <= INLINE && !value.includes("\n")) return <span class="json-string">"{value}"</span>;
  return (
    <div class="json-text">
      <LongText text={value} />
    </div>
  );
}
