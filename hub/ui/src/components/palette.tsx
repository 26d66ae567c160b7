// Ctrl+K: what is in the spans, found by its text, and every command there is, found by its words.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { SearchHit } from "../api/schema.ts";
import { type Command, commands } from "../app/commands.ts";
import { overlay } from "../app/overlays.ts";
import { address, go } from "../app/route.ts";
import { onReturn } from "../live/connection.ts";
import { age, exact, moment } from "../model/format.ts";
import { snippet } from "../model/hits.ts";
import { now } from "../state/clock.ts";
import { Search } from "../state/search.ts";
import { Dialog } from "./dialog.tsx";
import { Key } from "./key.tsx";
import { TypeMark } from "./marks.tsx";
import { describe } from "./states.tsx";

/** Commands that match all words of `text`, those whose title begins with it first. */
export function found(list: readonly Command[], text: string): Command[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = list.filter((command) => {
    const line = `${command.title} ${command.group}`.toLowerCase();
    return !command.hidden && words.every((word) => line.includes(word));
  });
  const starts = (command: Command) => command.title.toLowerCase().startsWith(text.trim().toLowerCase());
  return [...hits.filter(starts), ...hits.filter((command) => !starts(command))];
}

/** Commands beside hits at most: who searches does not look for them. */
const COMMANDS_BESIDE = 5;

/** Where a hit is shown: its span, with the text that was searched for marked in it. */
export function hitAddress(hit: SearchHit, text: string | undefined): string {
  const query = new URLSearchParams({ span: hit.span_id, ...(text === undefined ? {} : { q: text }) });
  return address(`/traces/${encodeURIComponent(hit.trace_id)}`, query);
}

export function Palette() {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const search = useMemo(() => new Search(), []);
  useEffect(() => () => search.leave(), []);
  const said = useRef(text);
  said.current = text;

  const searching = text.trim() !== "";
  const matching = found(commands.value, text).slice(0, searching ? COMMANDS_BESIDE : undefined);
  const result = searching ? search.found.value : null;
  const hits = result?.hits ?? [];
  const count = matching.length + hits.length;
  const active = Math.min(at, count - 1);
  useEffect(() => {
    list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [active, count]);

  const close = () => {
    overlay.value = null;
  };
  const run = (index: number) => {
    const command = matching[index];
    const hit = hits[index - matching.length];
    if (command === undefined && hit === undefined) return;
    close();
    // after the dialog has given the focus back
    setTimeout(() => (command ? command.run() : go(hitAddress(hit!, result!.texts[0]))));
  };
  // as the words of the failure promise: it goes on by itself
  useEffect(
    () =>
      onReturn(() => {
        if (search.failure.peek() !== null) search.ask(said.current);
      }),
    [],
  );
  return (
    <Dialog title="Search and commands" bare class="palette" close={close}>
      <input
        type="text"
        role="combobox"
        aria-label="Search and commands"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={count > 0 ? `palette-${active}` : undefined}
        placeholder="Search names, prompts, answers, tools, errors; or a command"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
          search.ask(event.currentTarget.value);
        }}
        onKeyDown={(event) => {
          const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
          if (step !== 0) {
            event.preventDefault();
            setAt(Math.max(0, Math.min(count - 1, active + step)));
          } else if (event.key === "Enter") {
            event.preventDefault();
            run(active);
          }
        }}
      />
      <ul id="palette-list" role="listbox" aria-label="Commands and hits" ref={list}>
        {matching.map((command, i) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys
          <li
            key={command.id}
            id={`palette-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === active}
            onClick={() => run(i)}
            onPointerMove={() => setAt(i)}
          >
            <span>{command.title}</span>
            <small>{command.group}</small>
            {command.keys?.[0] ? <Key keys={command.keys[0]} /> : null}
          </li>
        ))}
        {hits.map((hit, i) => (
          <HitRow
            key={`${hit.trace_id}/${hit.span_id}`}
            hit={hit}
            id={`palette-${matching.length + i}`}
            active={matching.length + i === active}
            open={() => run(matching.length + i)}
            point={() => setAt(matching.length + i)}
          />
        ))}
      </ul>
      {searching ? <Foot search={search} commands={matching.length} /> : null}
      {!searching && matching.length === 0 ? (
        <p class="dim pad" role="status">
          No command is called that.
        </p>
      ) : null}
    </Dialog>
  );
}

interface HitProps {
  hit: SearchHit;
  id: string;
  active: boolean;
  open(): void;
  point(): void;
}

function HitRow({ hit, id, active, open, point }: HitProps) {
  const [before, match, after] = snippet(hit.match_context, hit.offsets);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys
    <li id={id} class="hit" role="option" tabIndex={-1} aria-selected={active} onClick={open} onPointerMove={point}>
      <TypeMark type={hit.span_type} />
      <span class="hit-where">
        {hit.trace_name || "(no name)"} › <strong>{hit.name || "(no name)"}</strong>
      </span>
      <small title={moment(hit.start_time)}>{age(hit.start_time, now.value)}</small>
      <span class="hit-text">
        {hit.field === "name" ? null : `${hit.field.replace(/^attributes\./, "").replace(/_/g, " ")}: `}
        {before}
        <mark>{match}</mark>
        {after}
      </span>
    </li>
  );
}

function Foot({ search, commands: beside }: { search: Search; commands: number }) {
  const failure = search.failure.value;
  const result = search.found.value;
  if (failure !== null && failure.kind !== "aborted") {
    return (
      <p class="bad pad" role="alert">
        {describe(failure)}
      </p>
    );
  }
  if (result === null || (search.busy.value && result.hits.length === 0)) {
    return (
      <p class="dim pad" role="status">
        Searching…
      </p>
    );
  }
  const { hits, total, more } = result;
  return (
    <p class="dim pad palette-foot" role="status">
      {total === 0
        ? `Nothing that is stored ${result.texts.length > 0 ? "holds" : "is"} “${result.query}”${beside > 0 ? "; a command does" : ""}.`
        : `${exact(total)}${more ? "+" : ""} ${total === 1 ? "span" : "spans"}`}
      {hits.length < total ? (
        <button type="button" class="more" disabled={search.busy.value} onClick={() => search.more()}>
          Show more
        </button>
      ) : null}
    </p>
  );
}
