// The messages of a call as cards: edited, added, removed, put in another order.
import type { ComponentChildren } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { bytes, count } from "../../model/format.ts";
import { isBroken, type Piece } from "../../model/pieces.ts";
import { type Card, ROLES, wrongWith } from "../../model/replay.ts";

interface Props {
  cards: readonly Card[];
  change(cards: Card[]): void;
}

/** Messages shown at first, from the end; and how many more at a time. */
const SHOWN = 40;
const MORE = 100;

/** Characters from which a text is put into a field only when asked: one of 10 MB stops the page for seconds. */
const LONG = 100_000;
const PREVIEW = 1_000;

export function Cards({ cards, change }: Props) {
  const list = useRef<HTMLOListElement>(null);
  const [shown, setShown] = useState(SHOWN);
  const from = Math.max(1, cards.length - shown); // the first is there always: it tells the model who it is
  const edit = (index: number, changes: Partial<Card>) =>
    change(cards.map((card, i) => (i === index ? { ...card, ...changes } : card)));
  const move = (index: number, by: number) => {
    const moved = [...cards];
    const [card] = moved.splice(index, 1);
    moved.splice(index + by, 0, card!);
    change(moved);
    focusAt(index + by, by < 0 ? ".card-up" : ".card-down");
  };
  const add = () => {
    const key = Math.max(-1, ...cards.map((card) => card.key)) + 1;
    change([...cards, { key, role: "user", body: "", parts: null, alone: false, calls: [], rest: {} }]);
    focusAt(cards.length, "textarea");
  };
  const focusAt = (index: number, what: string) =>
    requestAnimationFrame(() => {
      const card = list.current?.querySelector(`[data-index="${index}"]`);
      const wanted = card?.querySelector<HTMLElement>(what);
      // a button at the end of the list is off: the other one is not
      if (wanted instanceof HTMLButtonElement && wanted.disabled) card?.querySelector("textarea")?.focus();
      else wanted?.focus();
    });
  return (
    <>
      <ol class="cards" ref={list}>
        {cards.map((card, i) =>
          i > 0 && i < from ? null : (
            <CardEditor
              key={card.key}
              card={card}
              number={i + 1}
              last={i === cards.length - 1}
              edit={(changes) => edit(i, changes)}
              move={(by) => move(i, by)}
              remove={() => change(cards.filter((_, other) => other !== i))}
              between={
                i > 0 || from <= 1 ? null : (
                  <button type="button" class="cards-between" onClick={() => setShown(shown + MORE)}>
                    {from - 1 === 1 ? "1 message between" : `${count(from - 1)} messages between`}, sent as they are:
                    show more
                  </button>
                )
              }
            />
          ),
        )}
      </ol>
      <button type="button" onClick={add}>
        Add a message
      </button>
    </>
  );
}

interface CardProps {
  card: Card;
  number: number;
  last: boolean;
  edit(changes: Partial<Card>): void;
  move(by: number): void;
  remove(): void;
  /** What stands between this card and the next. */
  between: ComponentChildren;
}

function CardEditor({ card, number, last, edit, move, remove, between }: CardProps) {
  const wrong = useMemo(() => wrongWith(card), [card]);
  const roles = ROLES.some((role) => role === card.role) ? ROLES : [card.role, ...ROLES];
  const said = `wrong-${card.key}`;
  return (
    <li class={`card card-${KNOWN.has(card.role) ? card.role : "other"}`} data-index={number - 1}>
      <header>
        <select
          aria-label={`Role of message ${number}`}
          value={card.role}
          onChange={(event) => edit({ role: event.currentTarget.value })}
        >
          {roles.map((role) => (
            <option key={role} value={role}>
              {role}
            </option>
          ))}
        </select>
        <span />
        <button
          type="button"
          class="quiet card-up"
          disabled={number === 1}
          aria-label={`Move message ${number} up`}
          onClick={() => move(-1)}
        >
          ↑
        </button>
        <button
          type="button"
          class="quiet card-down"
          disabled={last}
          aria-label={`Move message ${number} down`}
          onClick={() => move(1)}
        >
          ↓
        </button>
        <button type="button" class="quiet" aria-label={`Remove message ${number}`} onClick={remove}>
          ✕
        </button>
      </header>
      {card.parts !== null ? (
        <Pieces
          pieces={card.parts}
          label={(part, i) =>
            `${part.kind === "words" ? "Text" : part.type || "Part"}, part ${i + 1} of message ${number}`
          }
          describedBy={wrong ? said : undefined}
          edit={(parts) => edit({ parts })}
        />
      ) : card.calls.length > 0 && card.body === "" ? null : (
        <Field label={`Message ${number}`} mono={false} text={card.body} edit={(body) => edit({ body })} />
      )}
      {card.calls.length === 0 ? null : (
        <div class="card-calls">
          <Pieces
            pieces={card.calls}
            label={(call, i) =>
              `${call.name === null ? "Call" : `Arguments of ${call.name}, call`} ${i + 1} of message ${number}`
            }
            describedBy={wrong ? said : undefined}
            edit={(calls) => edit({ calls })}
          />
        </div>
      )}
      {wrong ? (
        <p class="bad" id={said} role="alert">
          {wrong}
        </p>
      ) : null}
      {between}
    </li>
  );
}

/** Pieces of a message shown at first, and how many more at a time. */
const PIECES = 20;

interface PiecesProps {
  pieces: readonly Piece[];
  label(piece: Piece, index: number): string;
  describedBy: string | undefined;
  edit(pieces: Piece[]): void;
}

/** The parts of a message, or its tool calls: each by itself, with what it is above it. */
function Pieces({ pieces, label, describedBy, edit }: PiecesProps) {
  const [shown, setShown] = useState(PIECES);
  const put = (index: number, changes: Partial<Piece>) =>
    edit(pieces.map((piece, i) => (i === index ? { ...piece, ...changes } : piece)));
  return (
    <>
      {pieces.slice(0, shown).map((piece, i) => (
        <div key={i} class="piece">
          {piece.name !== null ? (
            <label class="piece-name">
              <span class="dim">calls</span>
              <input
                type="text"
                class="mono"
                aria-label={`Name of ${label(piece, i).replace(/^Arguments of .*, /, "")}`}
                spellcheck={false}
                value={piece.name}
                onInput={(event) => put(i, { name: event.currentTarget.value })}
              />
            </label>
          ) : piece.kind === "json" ? (
            <small class="dim">{piece.type || "part"}</small>
          ) : null}
          <Field
            label={label(piece, i)}
            mono={piece.kind !== "words"}
            describedBy={isBroken(piece) ? describedBy : undefined}
            text={piece.text}
            edit={(text) => put(i, { text })}
          />
        </div>
      ))}
      {pieces.length > shown ? (
        <button type="button" class="cards-between" onClick={() => setShown(shown + MORE)}>
          {count(pieces.length - shown)} more, sent as they are: show more
        </button>
      ) : null}
    </>
  );
}

const KNOWN = new Set<string>(ROLES);

interface FieldProps {
  label: string;
  text: string;
  mono: boolean;
  describedBy?: string | undefined;
  edit(text: string): void;
}

function Field({ label, text, mono, describedBy, edit }: FieldProps) {
  const [whole, setWhole] = useState(text.length <= LONG);
  if (!whole) {
    return (
      <div class="card-long">
        <pre class="mono">{text.slice(0, PREVIEW)}…</pre>
        <p class="dim">
          {bytes(text.length)}, sent as it is.{" "}
          <button type="button" onClick={() => setWhole(true)} aria-label={`Edit ${label.toLowerCase()}`}>
            Edit it
          </button>
        </p>
      </div>
    );
  }
  return (
    <textarea
      aria-label={label}
      aria-describedby={describedBy}
      class={mono ? "mono" : ""}
      rows={rowsFor(text)}
      spellcheck={false}
      value={text}
      onInput={(event) => edit(event.currentTarget.value)}
    />
  );
}

/** Enough to read, without a card of a thousand lines. */
function rowsFor(text: string): number {
  let lines = 1;
  for (let i = 0; i < Math.min(text.length, 2_000); i++) if (text.charCodeAt(i) === 10) lines++;
  return Math.max(2, Math.min(12, lines + Math.floor(Math.min(text.length, 2_000) / 90)));
}
