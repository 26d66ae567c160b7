// Two texts as one, with what went and what came: long stretches that are the same are folded.
import { useMemo, useState } from "preact/hooks";
import { plural } from "../model/format.ts";
import { diffWords, type Run } from "../model/words.ts";

/** Runs in the page at most: a diff of two novels is told, not drawn. */
const DRAWN_MAX = 3_000;
/** Lines that are the same, on each side of a change. */
const AROUND = 3;
const FOLDED_LEAST = 4;

export function Words({ a, b }: { a: string; b: string }) {
  const runs = useMemo(() => diffWords(a, b), [a, b]);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const show = (i: number) => setOpen(new Set([...open, i]));
  return (
    <div class="difference">
      <pre>
        {runs
          .slice(0, DRAWN_MAX)
          .map((run, i) =>
            run.op === "insert" ? (
              <ins key={i}>{run.text}</ins>
            ) : run.op === "delete" ? (
              <del key={i}>{run.text}</del>
            ) : (
              <Equal
                key={i}
                run={run}
                first={i === 0}
                last={i === runs.length - 1}
                whole={open.has(i)}
                show={() => show(i)}
              />
            ),
          )}
      </pre>
      {runs.length > DRAWN_MAX ? <p class="dim">The rest of the difference is not drawn: it is too long.</p> : null}
    </div>
  );
}

interface EqualProps {
  run: Run;
  first: boolean;
  last: boolean;
  whole: boolean;
  show(): void;
}

function Equal({ run, first, last, whole, show }: EqualProps) {
  const lines = run.text.split("\n");
  const head = first ? 0 : AROUND;
  const tail = last ? 0 : AROUND;
  const between = lines.length - head - tail;
  if (whole || between < FOLDED_LEAST) return <span>{run.text}</span>;
  return (
    <>
      <span>{lines.slice(0, head).map((line) => `${line}\n`)}</span>
      <button type="button" class="more" onClick={show}>
        ▸ {plural(between, "line")} the same
      </button>
      {"\n"}
      <span>{lines.slice(lines.length - tail).join("\n")}</span>
    </>
  );
}
