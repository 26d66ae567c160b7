// What became of a step: a sign and a word beside its colour.
import type { Change } from "../../model/divergence.ts";

export const CHANGES: Record<Change, { sign: string; word: string; said: string }> = {
  same: { sign: "=", word: "same", said: "Both runs did the same here" },
  changed: { sign: "≠", word: "changed", said: "Both runs have this step, and it differs" },
  added: { sign: "+", word: "only in B", said: "Only run B has this step" },
  removed: { sign: "−", word: "only in A", said: "Only run A has this step" },
  retried: { sign: "↻", word: "retry", said: "One more attempt at the same, after one that failed" },
  moved: { sign: "⇅", word: "moved", said: "The same step, at another place" },
};

export function ChangeMark({ change, word = false }: { change: Change; word?: boolean }) {
  const { sign, word: name, said } = CHANGES[change];
  return (
    <span class={`change change-${change}`} title={said}>
      <span aria-hidden="true">{sign}</span> <span class={word ? "" : "unseen"}>{name}</span>
    </span>
  );
}
