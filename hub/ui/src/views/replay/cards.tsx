// The messages of a call as cards: edited, added, removed, put in another order.
import { useRef } from "preact/hooks";
import { type Card, ROLES, wrongWith } from "../../model/replay.ts";

interface Props {
  cards: readonly Card[];
  change(cards: Card[]): void;
}

export function Cards({ cards, change }: Props) {
  const list = useRef<HTMLOListElement>(null);
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
    change([...cards, { key, role: "user", body: "", kind: "text", calls: "", rest: {} }]);
    focusAt(cards.length, "textarea");
  };
  const focusAt = (index: number, what: string) =>
    requestAnimationFrame(() => {
      const card = list.current?.children[index];
      const wanted = card?.querySelector<HTMLElement>(what);
      // a button at the end of the list is off: the other one is not
      if (wanted instanceof HTMLButtonElement && wanted.disabled) card?.querySelector("textarea")?.focus();
      else wanted?.focus();
    });
  return (
    <>
      <ol class="cards" ref={list}>
        {cards.map((card, i) => (
          <CardEditor
            key={card.key}
            card={card}
            number={i + 1}
            last={i === cards.length - 1}
            edit={(changes) => edit(i, changes)}
            move={(by) => move(i, by)}
            remove={() => change(cards.filter((_, other) => other !== i))}
          />
        ))}
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
}

function CardEditor({ card, number, last, edit, move, remove }: CardProps) {
  const wrong = wrongWith(card);
  const roles = ROLES.some((role) => role === card.role) ? ROLES : [card.role, ...ROLES];
  const said = `wrong-${card.key}`;
  return (
    <li class={`card card-${card.role}`}>
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
        <span class="dim">{card.kind === "json" ? "parts, as JSON" : null}</span>
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
      {card.calls !== "" && card.body === "" ? null : (
        <textarea
          aria-label={`Message ${number}`}
          aria-describedby={wrong ? said : undefined}
          class={card.kind === "json" ? "mono" : ""}
          rows={rowsFor(card.body)}
          spellcheck={false}
          value={card.body}
          onInput={(event) => edit({ body: event.currentTarget.value })}
        />
      )}
      {card.calls === "" ? null : (
        <label>
          <small class="dim">Tool calls</small>
          <textarea
            aria-label={`Tool calls of message ${number}`}
            class="mono"
            rows={rowsFor(card.calls)}
            spellcheck={false}
            value={card.calls}
            onInput={(event) => edit({ calls: event.currentTarget.value })}
          />
        </label>
      )}
      {wrong ? (
        <p class="bad" id={said} role="alert">
          {wrong}
        </p>
      ) : null}
    </li>
  );
}

/** Enough to read, without a card of a thousand lines. */
function rowsFor(text: string): number {
  let lines = 1;
  for (let i = 0; i < Math.min(text.length, 2_000); i++) if (text.charCodeAt(i) === 10) lines++;
  return Math.max(2, Math.min(12, lines + Math.floor(Math.min(text.length, 2_000) / 90)));
}
