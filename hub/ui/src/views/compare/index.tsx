// Two runs beside each other: what both did, what only one did, and where they first part.
import { useEffect, useMemo, useRef } from "preact/hooks";
import { useCommands } from "../../app/commands.ts";
import { address, go, listPath, route, setQuery } from "../../app/route.ts";
import { settled } from "../../app/settled.ts";
import { subject } from "../../app/subject.ts";
import { Key } from "../../components/key.tsx";
import { Split } from "../../components/split.tsx";
import { describe, FailureMessage, Message, Skeleton } from "../../components/states.tsx";
import { countOf, firstDivergence, onlyDifferent, type Step } from "../../model/divergence.ts";
import { exact } from "../../model/format.ts";
import { Comparison } from "../../state/comparison.ts";
import { toast } from "../../state/toasts.ts";
import { CHANGES, ChangeMark } from "./change.tsx";
import { FiguresTable } from "./figures.tsx";
import { PairPane } from "./pair.tsx";
import { PickRuns } from "./pick.tsx";
import { StepRows } from "./rows.tsx";

export default function CompareView() {
  const { query } = route.value;
  const a = query.get("a");
  const b = query.get("b");
  useEffect(() => {
    subject.value = null;
    settled.value = true;
  }, []);
  if (a === null || b === null) return <PickRuns a={a} b={b} />;
  return <Compared key={`${a} ${b}`} a={a} b={b} />;
}

/** A step as the address names it: the side whose span it is, and the span. */
function nameOf(step: Step): string {
  return step.b === null ? `a:${step.a!.span.span_id}` : `b:${step.b.span.span_id}`;
}

function Compared({ a, b }: { a: string; b: string }) {
  const comparison = useMemo(() => new Comparison(a, b), [a, b]);
  useEffect(() => {
    void comparison.load();
    return () => comparison.leave();
  }, [comparison]);
  const loaded = comparison.loaded.value;
  const failed = comparison.failure.value;
  const all = comparison.steps.value;
  const { query } = route.value;
  const only = query.get("only") === "1";
  const steps = useMemo(() => (only ? onlyDifferent(all) : all), [all, only]);
  const first = useMemo(() => {
    const at = firstDivergence(all);
    return at === null ? null : all[at]!;
  }, [all]);
  const asked = query.get("at");
  const named = asked === null ? undefined : all.find((step) => nameOf(step) === asked);
  const chosen = named ?? first ?? all[0] ?? null;
  const at = chosen === null ? -1 : steps.indexOf(chosen);
  const pane = useRef<HTMLElement>(null);

  const select = (step: Step | null | undefined, back = false) => {
    if (step) setQuery({ at: nameOf(step) }, !back);
  };
  const move = (to: number) => select(steps[Math.max(0, Math.min(steps.length - 1, to))]);
  /** The next step that differs, around at the end. */
  const next = (by: 1 | -1) => {
    const differ = steps.filter((step) => step.change !== "same");
    if (differ.length === 0) toast("Both runs did the same.");
    const found =
      by === 1 ? differ.find((step) => steps.indexOf(step) > at) : differ.findLast((step) => steps.indexOf(step) < at);
    select(found ?? differ.at(by === 1 ? 0 : -1), true);
  };
  const toFirst = () => (first === null ? toast("Both runs did the same.") : select(first, true));
  const swap = () => {
    const turned = asked?.replace(/^[ab]:/, (side) => (side === "a:" ? "b:" : "a:")) ?? null;
    // a pair is named by its span of b, which is the other one now
    const other = chosen === null || chosen.a === null || chosen.b === null ? turned : `b:${chosen.a.span.span_id}`;
    setQuery({ a: b, b: a, at: asked === null ? null : other }, false);
  };
  useCommands([
    {
      id: "step-next",
      title: "Next step",
      group: "Comparison",
      keys: ["j", "ArrowDown"],
      hidden: true,
      run: () => move(at + 1),
    },
    {
      id: "step-previous",
      title: "Previous step",
      group: "Comparison",
      keys: ["k", "ArrowUp"],
      hidden: true,
      run: () => move(at - 1),
    },
    {
      id: "step-page-next",
      title: "A page down",
      group: "Comparison",
      keys: ["PageDown"],
      hidden: true,
      run: () => move(at + 20),
    },
    {
      id: "step-page-previous",
      title: "A page up",
      group: "Comparison",
      keys: ["PageUp"],
      hidden: true,
      run: () => move(at - 20),
    },
    { id: "step-first", title: "First step", group: "Comparison", keys: ["Home"], hidden: true, run: () => move(0) },
    {
      id: "step-last",
      title: "Last step",
      group: "Comparison",
      keys: ["End"],
      hidden: true,
      run: () => move(steps.length - 1),
    },
    { id: "difference-next", title: "Next difference", group: "Comparison", keys: ["d"], run: () => next(1) },
    { id: "difference-previous", title: "Previous difference", group: "Comparison", keys: ["D"], run: () => next(-1) },
    { id: "difference-first", title: "First difference", group: "Comparison", keys: ["f"], run: toFirst },
    {
      id: "difference-only",
      title: "Only what differs",
      group: "Comparison",
      keys: ["o"],
      run: () => setQuery({ only: only ? null : "1" }),
    },
    { id: "step-read", title: "Read the step", group: "Comparison", keys: ["Enter"], run: () => pane.current?.focus() },
    { id: "compare-swap", title: "Swap the runs", group: "Comparison", run: swap },
    {
      id: "compare-leave",
      title: "Back to the list",
      group: "Comparison",
      keys: ["Escape"],
      run: () => go(listPath()),
    },
  ]);

  if (failed !== null) {
    const { side, failure } = failed;
    if (failure.kind === "refused" && failure.status === 404) {
      const kept = side === "a" ? { b } : { a };
      return (
        <Message title={`There is no run ${side.toUpperCase()}`}>
          <p>
            Beacon has no trace <code>{side === "a" ? a : b}</code>. It may have been deleted.
          </p>
          <p>
            <a href={address("/compare", new URLSearchParams(kept as Record<string, string>))}>Choose another run</a>
          </p>
        </Message>
      );
    }
    return (
      <FailureMessage title="The runs cannot be read now" failure={failure} retry={() => void comparison.load()} />
    );
  }
  if (loaded === null) return <Skeleton label="Loading both runs" />;
  const counts = countOf(all);
  const running = [loaded.a, loaded.b].some(({ summary }) => summary.running_count > 0);
  const contents = comparison.contents.value;
  return (
    <div class="compare">
      <h1 class="unseen">Comparison of two runs</h1>
      <FiguresTable a={loaded.a} b={loaded.b} swap={swap} />
      {running ? (
        <p class="notice" role="status">
          One of the runs goes on: what is compared is what had come.{" "}
          <button type="button" onClick={() => void comparison.load()}>
            Compare again
          </button>
        </p>
      ) : null}
      <div class="compare-bar">
        {first === null ? (
          <strong>{contents === "reading" ? "The same steps so far" : "Both runs did the same"}</strong>
        ) : (
          <button type="button" class="chip" onClick={toFirst} title="Where the runs first part">
            First difference: {CHANGES[first.change].word} {nameIn(first)} <Key keys="f" />
          </button>
        )}
        <ul class="figures" aria-label="How many steps">
          {(["changed", "added", "removed", "retried", "moved", "same"] as const)
            .filter((change) => counts[change] > 0)
            .map((change) => (
              <li key={change} class={`change-${change}`}>
                <ChangeMark change={change} word /> {exact(counts[change])}
              </li>
            ))}
        </ul>
        <span class="compare-said" role="status">
          {contents === "reading" ? "Comparing what was said…" : null}
          {contents === "many" ? (
            <>
              Compared by what each step says of itself.{" "}
              <button type="button" onClick={() => void comparison.readContents()}>
                Compare all that was said
              </button>
            </>
          ) : null}
          {contents === "failed" ? (
            <>
              What was said could not be read.{" "}
              <button type="button" onClick={() => void comparison.readContents()}>
                Try again
              </button>
            </>
          ) : null}
        </span>
        <button type="button" class="quiet-link" onClick={() => next(-1)}>
          previous
        </button>
        <button type="button" class="quiet-link" onClick={() => next(1)}>
          next difference <Key keys="d" />
        </button>
        <button type="button" class="switch" aria-pressed={only} onClick={() => setQuery({ only: only ? null : "1" })}>
          Only what differs
        </button>
      </div>
      <Split
        id="compare"
        label="Width of the steps"
        initial={0.58}
        first={<StepRows steps={steps} at={at} first={first} select={(step) => select(step, true)} />}
        second={
          // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
          <section class="pane" aria-label="Step" tabIndex={0} ref={pane} data-own-keys>
            {chosen === null ? (
              <p class="dim pad">Neither run has a span.</p>
            ) : (
              <PairPane
                key={nameOf(chosen)}
                step={chosen}
                comparison={comparison}
                loaded={loaded}
                describe={describe}
              />
            )}
          </section>
        }
      />
    </div>
  );
}

function nameIn({ a, b }: Step): string {
  const { name, span_type } = (b ?? a)!.span;
  return (name || span_type).slice(0, 60);
}
