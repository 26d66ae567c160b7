// The field of the filter language: completes what is typed, marks what is wrong, and is in the address.
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../../api/client.ts";
import { CloseIcon } from "../../components/icons.tsx";
import { Key } from "../../components/key.tsx";
import { type Completion, complete, parseFilter, type Vocabulary } from "../../model/filter.ts";
import { traces } from "../../state/traces.ts";

const APPLY_MS = 250;

interface Props {
  /** As it stands in the address. */
  text: string;
  field: RefObject<HTMLInputElement | null>;
  /** What the server had against it. */
  refused: string | null;
  change(text: string): void;
}

export function FilterBar({ text, field, refused, change }: Props) {
  const [typed, setTyped] = useState(text);
  const [settled, setSettled] = useState(true);
  /** Where in the text something is offered; null where nothing is. What is offered follows from it and from the text:
   * kept beside them it was once that of the letters before, and completed in their place. */
  const [caret, setCaret] = useState<number | null>(null);
  const [chosen, setChosen] = useState(-1);
  const [values, setValues] = useState<Known>({ models: [], sessions: [] });
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const backdrop = useRef<HTMLDivElement>(null);
  const sent = useRef(text);

  // an address that somebody else changed: back, a tag, a dropped term
  if (text !== sent.current) {
    sent.current = text;
    clearTimeout(timer.current);
    setTyped(text);
    setCaret(null);
  }
  useEffect(() => () => clearTimeout(timer.current), []);
  const offer: Completion | null = caret === null ? null : complete(typed, caret, vocabulary(values));

  const apply = (value: string) => {
    clearTimeout(timer.current);
    setSettled(true);
    sent.current = value.trim();
    change(value.trim());
  };
  const edit = (value: string, at: number) => {
    setTyped(value);
    setSettled(false);
    setCaret(at);
    setChosen(-1);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => apply(value), APPLY_MS);
  };
  const take = (index: number) => {
    const option = offer?.options[index];
    if (offer === null || option === undefined) return;
    const open = /[:>]$/.test(option.insert);
    const rest = typed.slice(offer.end);
    const value = typed.slice(0, offer.at) + option.insert + (open || rest.startsWith(" ") ? "" : " ") + rest;
    const after = offer.at + option.insert.length + (open ? 0 : 1);
    edit(value, after);
    if (!open) {
      setCaret(null);
      apply(value);
    }
    requestAnimationFrame(() => field.current?.setSelectionRange(after, after));
  };

  const { errors } = parseFilter(typed);
  const wrong = settled ? errors : [];
  const said = wrong.length > 0 ? wrong[0]!.message : refused;
  const open = offer !== null && offer.options.length > 0;
  return (
    <div class="filter">
      <div class={`filter-field${said ? " wrong" : ""}`}>
        <div class="filter-marks" aria-hidden="true" ref={backdrop}>
          {marked(typed, wrong)}
        </div>
        <input
          ref={field}
          type="text"
          role="combobox"
          aria-label="Filter"
          aria-expanded={open}
          aria-controls="filter-options"
          aria-activedescendant={open && chosen >= 0 ? `filter-option-${chosen}` : undefined}
          aria-invalid={said !== null}
          aria-describedby={said ? "filter-said" : undefined}
          placeholder="Filter: status:error tag:env=prod cost>0.05 or text of the name"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={typed}
          onScroll={(event) => {
            if (backdrop.current) backdrop.current.scrollLeft = event.currentTarget.scrollLeft;
          }}
          onFocus={() => void known().then(setValues)}
          onInput={(event) =>
            edit(event.currentTarget.value, event.currentTarget.selectionStart ?? event.currentTarget.value.length)
          }
          onClick={(event) => setCaret(event.currentTarget.selectionStart ?? typed.length)}
          onBlur={() => {
            setCaret(null);
            if (!settled) apply(typed);
          }}
          onKeyDown={(event) => {
            const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
            if (step !== 0) {
              event.preventDefault();
              if (open)
                setChosen(
                  (chosen + step + offer.options.length + (chosen < 0 && step < 0 ? 1 : 0)) % offer.options.length,
                );
              else setCaret(event.currentTarget.selectionStart ?? typed.length);
            } else if (event.key === "Enter") {
              event.preventDefault();
              if (open && chosen >= 0) take(chosen);
              else {
                setCaret(null);
                apply(typed);
              }
            } else if (event.key === "Tab" && open && chosen >= 0) {
              event.preventDefault();
              take(chosen);
            } else if (event.key === "Escape") {
              event.preventDefault();
              if (open) setCaret(null);
              else event.currentTarget.blur();
            }
          }}
        />
        {typed === "" ? (
          <Key keys="/" />
        ) : (
          <button type="button" class="quiet" aria-label="Clear the filter" onClick={() => edit("", 0)}>
            <CloseIcon />
          </button>
        )}
      </div>
      <ul id="filter-options" role="listbox" aria-label="Completions" hidden={!open}>
        {open
          ? offer.options.map((option, i) => (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys
              <li
                key={option.insert}
                id={`filter-option-${i}`}
                role="option"
                tabIndex={-1}
                aria-selected={i === chosen}
                onPointerDown={(event) => event.preventDefault()}
                onClick={() => take(i)}
              >
                <code>{option.insert}</code>
                <small>{option.hint}</small>
              </li>
            ))
          : null}
      </ul>
      {said ? (
        <p id="filter-said" class="filter-said" role="alert">
          {said}
        </p>
      ) : null}
    </div>
  );
}

/** The text with its wrong stretches marked, to lie under the field. */
function marked(text: string, errors: readonly { at: number; end: number }[]) {
  const parts = [];
  let at = 0;
  for (const error of [...errors].sort((a, b) => a.at - b.at)) {
    if (error.at < at) continue;
    parts.push(text.slice(at, error.at), <mark key={error.at}>{text.slice(error.at, error.end)}</mark>);
    at = error.end;
  }
  parts.push(text.slice(at));
  return parts;
}

/** What the rows that are loaded, and the server, know of values. */
function vocabulary({ models, sessions: others }: Known): Vocabulary {
  const tags = new Set<string>();
  const named = new Set<string>(models);
  const sessions = new Set<string>(others);
  const { list } = traces;
  for (let i = 0; i < Math.min(list.loaded, 500); i++) {
    const trace = list.at(i);
    if (trace === undefined) continue;
    for (const [key, value] of Object.entries(trace.tags)) tags.add(`${key}=${value}`);
    for (const model of trace.models) named.add(model);
    if (trace.session_id !== null) sessions.add(trace.session_id);
  }
  return { models: [...named].sort(), tags: [...tags].sort(), sessions: [...sessions] };
}

interface Known {
  models: readonly string[];
  sessions: readonly string[];
}

const FRESH_MS = 30_000;
let asked: { at: number; answer: Promise<Known> } | null = null;

/** The models of the dearest calls and the newest sessions: asked for when somebody begins to filter. */
function known(): Promise<Known> {
  if (asked !== null && Date.now() - asked.at < FRESH_MS) return asked.answer;
  const answer = Promise.all([
    ask("GET /v1/stats/top-costs", { query: { limit: 200 } }),
    ask("GET /v1/sessions", { query: { limit: 200 } }),
  ]).then(([calls, sessions]) => {
    if (!calls.ok || !sessions.ok) asked = null;
    const models = calls.ok ? calls.value.prompts.map((call) => call.model).filter((name) => name !== null) : [];
    return {
      models: [...new Set(models)].sort(),
      sessions: sessions.ok ? sessions.value.sessions.map((session) => session.session_id) : [],
    };
  });
  asked = { at: Date.now(), answer };
  return answer;
}
