// Both runs in figures, and how they differ.
import { tracePath } from "../../app/route.ts";
import { OutcomeMark, outcomeOfTrace } from "../../components/marks.tsx";
import { type Figures, figuresOf, share } from "../../model/divergence.ts";
import { cost, count, duration, exact, moment, started } from "../../model/format.ts";
import { now } from "../../state/clock.ts";
import type { Side } from "../../state/comparison.ts";

interface Row {
  id: keyof Figures;
  title: string;
  write(value: number | null): string;
  /** More of it is worse; of the others nobody knows. */
  dear?: boolean;
}

const whole = (value: number | null) => (value === null ? "–" : exact(value));
const ROWS: readonly Row[] = [
  { id: "duration", title: "Duration", write: duration, dear: true },
  { id: "spans", title: "Spans", write: whole },
  { id: "calls", title: "LLM calls", write: whole },
  { id: "tools", title: "Tool calls", write: whole },
  { id: "errors", title: "Errors", write: whole, dear: true },
  { id: "tokens", title: "Tokens", write: count, dear: true },
  { id: "cost", title: "Cost", write: cost, dear: true },
];

export function FiguresTable({ a, b, swap }: { a: Side; b: Side; swap(): void }) {
  const one = figuresOf(a.tree, a.summary);
  const two = figuresOf(b.tree, b.summary);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls where it has no room
    <div class="compare-figures" role="region" aria-label="Both runs in figures" tabIndex={0} data-own-keys>
      <table>
        <thead>
          <tr>
            <th scope="col">
              <button type="button" onClick={swap} title="A becomes B">
                ⇅ Swap
              </button>
            </th>
            {ROWS.map(({ id, title }) => (
              <th key={id} scope="col" class="number">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          <RunRow letter="A" side={a} figures={one} />
          <RunRow letter="B" side={b} figures={two} />
          <tr>
            <th scope="row">B less A</th>
            {ROWS.map((row) => (
              <Delta key={row.id} row={row} a={one[row.id]} b={two[row.id]} />
            ))}
          </tr>
        </tbody>
      </table>
    </div>
  );
}

function RunRow({ letter, side, figures }: { letter: "A" | "B"; side: Side; figures: Figures }) {
  const { summary } = side;
  return (
    <tr>
      <th scope="row">
        <span class={`side side-${letter.toLowerCase()}`}>{letter}</span>{" "}
        <a href={tracePath(summary.trace_id)} title={`${summary.name}, ${moment(summary.start_time)}`}>
          {summary.name || "(no name)"}
        </a>{" "}
        <OutcomeMark outcome={outcomeOfTrace(summary)} />{" "}
        <small class="dim">{started(summary.start_time, now.value)}</small>
      </th>
      {ROWS.map(({ id, write }) => (
        <td key={id} class="number">
          {write(figures[id])}
        </td>
      ))}
    </tr>
  );
}

function Delta({ row, a, b }: { row: Row; a: number | null; b: number | null }) {
  if (a === null || b === null) return <td class="number dim">–</td>;
  if (a === b) return <td class="number dim">same</td>;
  const sign = b > a ? "+" : "−";
  const part = share(a, b);
  return (
    <td class={`number${row.dear ? (b > a ? " worse" : " better") : ""}`}>
      {sign}
      {row.write(Math.abs(b - a))}
      {part === null ? null : <small> {part}</small>}
    </td>
  );
}
