// One step of both runs: its figures, and word by word what differs.
import { useMemo } from "preact/hooks";
import type { Failure } from "../../api/client.ts";
import type { WholeSpan } from "../../api/schema.ts";
import { tracePath } from "../../app/route.ts";
import { LongText } from "../../components/long_text.tsx";
import { OutcomeMark, outcomeOfSpan, TypeMark, typeName } from "../../components/marks.tsx";
import { Skeleton } from "../../components/states.tsx";
import { Words } from "../../components/words.tsx";
import { type Content, contentsOf } from "../../model/contents.ts";
import type { Step } from "../../model/divergence.ts";
import { cost, count, duration } from "../../model/format.ts";
import type { Node } from "../../model/tree.ts";
import type { Comparison, Loaded } from "../../state/comparison.ts";
import { CHANGES, ChangeMark } from "./change.tsx";

interface Props {
  step: Step;
  comparison: Comparison;
  loaded: Loaded;
  describe(failure: Failure): string;
}

export function PairPane({ step, comparison, describe }: Props) {
  const { a, b, change, differs } = step;
  const shown = (b ?? a)!.span;
  const detailA = a === null ? null : comparison.detail(comparison.a, a.span.span_id);
  const detailB = b === null ? null : comparison.detail(comparison.b, b.span.span_id);
  const failure = detailA?.failure.value ?? detailB?.failure.value ?? null;
  const wholeA = detailA?.span.value ?? null;
  const wholeB = detailB?.span.value ?? null;
  const coming = (a !== null && wholeA === null) || (b !== null && wholeB === null);
  return (
    <article class="span pair">
      <header>
        <h2>
          <TypeMark type={shown.span_type} />
          <span title={shown.name}>{shown.name || "(no name)"}</span>
        </h2>
        <p>
          <ChangeMark change={change} word /> <span class="dim">{CHANGES[change].said}.</span>{" "}
          {differs.length > 0 ? `It differs in: ${differs.join(", ")}.` : null}
        </p>
        <table class="pair-figures">
          <thead>
            <tr>
              <td />
              <th scope="col">Status</th>
              <th scope="col">Time</th>
              <th scope="col">Tokens</th>
              <th scope="col">Cost</th>
            </tr>
          </thead>
          <tbody>
            <SpanRow letter="A" node={a} traceId={comparison.a} />
            <SpanRow letter="B" node={b} traceId={comparison.b} />
          </tbody>
        </table>
      </header>
      {failure !== null && failure.kind !== "aborted" ? (
        <p class="notice" role="alert">
          {describe(failure)}{" "}
          <button
            type="button"
            onClick={() => {
              void detailA?.fetch();
              void detailB?.fetch();
            }}
          >
            Try again
          </button>
        </p>
      ) : coming ? (
        <Skeleton rows={6} label="Loading the step" />
      ) : (
        <Contents a={wholeA} b={wholeB} />
      )}
    </article>
  );
}

function SpanRow({ letter, node, traceId }: { letter: "A" | "B"; node: Node | null; traceId: string }) {
  const side = <span class={`side side-${letter.toLowerCase()}`}>{letter}</span>;
  if (node === null) {
    return (
      <tr>
        <th scope="row">{side}</th>
        <td colSpan={4} class="dim">
          has no such step
        </td>
      </tr>
    );
  }
  const { span } = node;
  return (
    <tr>
      <th scope="row">
        {side}{" "}
        <a href={tracePath(traceId, span.span_id)} title={`Open this ${typeName(span.span_type)} in its run`}>
          #{node.sequence}
        </a>
      </th>
      <td>
        <OutcomeMark outcome={outcomeOfSpan(span)} word />
      </td>
      <td>{duration(span.duration_ms)}</td>
      <td>{count(span.tokens)}</td>
      <td>{cost(span.cost_usd)}</td>
    </tr>
  );
}

function Contents({ a, b }: { a: WholeSpan | null; b: WholeSpan | null }) {
  const pairs = useMemo(() => {
    const one = a === null ? [] : contentsOf(a);
    const two = b === null ? [] : contentsOf(b);
    const names = [...new Set([...one, ...two].map(({ name }) => name))];
    const text = (list: readonly Content[], name: string) => list.find((content) => content.name === name)?.text;
    return names.map((name) => ({ name, a: text(one, name), b: text(two, name) }));
  }, [a, b]);
  if (pairs.length === 0) return <p class="dim pad">Nothing was recorded of what it did.</p>;
  return (
    <div class="pair-parts">
      {pairs.map((pair) => (
        <PartOfPair key={pair.name} {...pair} both={a !== null && b !== null} />
      ))}
    </div>
  );
}

interface PartProps {
  name: string;
  a: string | undefined;
  b: string | undefined;
  /** Both runs have the step: what one of them lacks has gone or come. */
  both: boolean;
}

function PartOfPair({ name, a, b, both }: PartProps) {
  if (!both || a === b) {
    const text = a ?? b ?? "";
    return (
      <details open={!both || text.length < SHORT}>
        <summary>
          {name} {both ? <small class="dim">the same</small> : null}
        </summary>
        <LongText text={text} />
      </details>
    );
  }
  return (
    <section aria-label={name}>
      <h3>{name}</h3>
      {a === undefined ? <p class="dim">Only B has it.</p> : b === undefined ? <p class="dim">Only A has it.</p> : null}
      <Words a={a ?? ""} b={b ?? ""} />
    </section>
  );
}

/** Characters up to which a text that is the same is open. */
const SHORT = 300;
