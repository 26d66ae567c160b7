// What was found of loops and waste in a trace: what was seen, and the spans it was seen in.
import { send } from "../../api/client.ts";
import type { TraceDetail } from "../../api/schema.ts";
import { CloseIcon } from "../../components/icons.tsx";
import { count } from "../../model/format.ts";
import { type Hint, type HintKind, hintsOf } from "../../model/hints.ts";
import type { Node, Tree } from "../../model/tree.ts";

/** Read a whole trace and look through it. Null: it cannot be read, or has more than `most` characters. */
export async function look(traceId: string, most: number, signal: AbortSignal): Promise<readonly Hint[] | null> {
  const answer = await send("GET /v1/traces/{trace_id}", { path: { trace_id: traceId }, signal });
  if (!answer.ok || answer.value.body === null) return null;
  const reader = answer.value.body.pipeThrough(new TextDecoderStream()).getReader();
  const pieces: string[] = [];
  let size = 0;
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > most) {
        await reader.cancel();
        return null;
      }
      pieces.push(value);
    }
    return hintsOf((JSON.parse(pieces.join("")) as TraceDetail).spans);
  } catch {
    return null;
  }
}

interface Props {
  hints: readonly Hint[];
  tree: Tree;
  chosen: Node | null;
  select(node: Node | null | undefined): void;
  close(): void;
}

const SPANS_SHOWN = 12;

export function HintsPanel({ hints, tree, chosen, select, close }: Props) {
  return (
    <section class="hints" aria-label="Hints">
      <header>
        <h2>What may have been in vain</h2>
        <button type="button" class="quiet" aria-label="Close the hints" onClick={close}>
          <CloseIcon />
        </button>
      </header>
      <ul>
        {hints.map((hint) => (
          <li key={`${hint.kind} ${hint.spans[0]}`}>
            <strong>
              <span aria-hidden="true">{SIGNS[hint.kind]}</span> {hint.title}
            </strong>
            <span>{hint.saw}</span>
            {hint.series === undefined ? null : <Series values={hint.series} />}
            <span class="hint-spans">
              {hint.spans.slice(0, SPANS_SHOWN).map((id) => {
                const node = tree.byId.get(id);
                if (node === undefined) return null;
                return (
                  <button
                    key={id}
                    type="button"
                    aria-current={node === chosen}
                    title={`Show ${node.span.name}`}
                    onClick={() => select(node)}
                  >
                    #{node.sequence}
                  </button>
                );
              })}
              {hint.spans.length > SPANS_SHOWN ? <small class="dim">+{hint.spans.length - SPANS_SHOWN}</small> : null}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const SIGNS: Record<HintKind, string> = {
  repeated: "↻",
  failing: "✗",
  circling: "↻",
  growing: "↗",
  cut: "✂",
  unoffered: "?",
  empty: "∅",
};

/** Tokens of the input, call by call. The figures stand in the text before it. */
function Series({ values }: { values: readonly number[] }) {
  const most = Math.max(...values);
  const shown = values.slice(-40);
  return (
    <svg
      class="hint-series"
      width={shown.length * 6}
      height="20"
      role="img"
      aria-label={`Tokens of the input, call by call: ${shown.map(count).join(", ")}`}
    >
      {shown.map((value, i) => {
        const height = Math.max(1, (value / most) * 20);
        return <rect key={i} x={i * 6} y={20 - height} width="4" height={height} />;
      })}
    </svg>
  );
}
