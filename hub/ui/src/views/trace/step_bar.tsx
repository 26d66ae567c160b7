// Below a trace: its steps one after the other, with what had been spent; the state after each in a pane, whose code is
// fetched when somebody opens it.
import { signal } from "@preact/signals";
import { useEffect, useMemo, useState } from "preact/hooks";
import { useCommands } from "../../app/commands.ts";
import { route, setQuery } from "../../app/route.ts";
import { Key } from "../../components/key.tsx";
import { cost, count, duration } from "../../model/format.ts";
import { sentence, stateAfter, stepAt, stepsOf } from "../../model/steps.ts";
import { toast } from "../../state/toasts.ts";
import type { TraceViewProps } from "./views.ts";

const PLAY_MS = 900;

type Part = typeof import("../travel/index.tsx")["StatePane"];
const part = signal<Part | null>(null);

async function fetchPart(): Promise<void> {
  try {
    const { StatePane } = await import("../travel/index.tsx");
    part.value = StatePane;
  } catch {
    toast("The state could not be loaded; reload the page.", "bad");
  }
}

export function StepBar({ store, tree, chosen, select }: TraceViewProps) {
  const steps = useMemo(() => stepsOf(tree), [tree]);
  const at = useMemo(() => stepAt(steps, chosen), [steps, chosen]);
  const begin = tree.order.reduce((least, { span }) => Math.min(least, span.start_time), Number.POSITIVE_INFINITY);
  const state = useMemo(() => stateAfter(steps, at, begin), [steps, at, begin]);
  const [playing, setPlaying] = useState(false);
  const move = (to: number) => {
    if (steps.length > 0) select(steps[Math.max(0, Math.min(steps.length - 1, to))]);
  };
  const play = () => {
    if (!playing && at >= steps.length - 1) move(0);
    setPlaying(!playing && steps.length > 1);
  };
  useEffect(() => {
    if (!playing) return;
    if (at >= steps.length - 1) {
      setPlaying(false);
      return;
    }
    const timer = setTimeout(() => move(at + 1), PLAY_MS);
    return () => clearTimeout(timer);
  }, [playing, at, steps]);
  const open = route.value.query.get("state") !== null;
  const turn = () => setQuery({ state: open ? null : "1" });
  useCommands([
    {
      id: "step-forward",
      title: "Next step in time",
      group: "Time travel",
      keys: ["Shift+ArrowDown"],
      run: () => move(at + 1),
    },
    {
      id: "step-back",
      title: "Previous step in time",
      group: "Time travel",
      keys: ["Shift+ArrowUp"],
      run: () => move(at - 1),
    },
    { id: "step-play", title: "Play the run, step by step", group: "Time travel", keys: ["z"], run: play },
    { id: "step-state", title: "The state after the step", group: "Time travel", keys: ["v"], run: turn },
  ]);
  if (steps.length === 0) return null;
  const Pane = part.value;
  if (open && Pane === null) void fetchPart();
  const step = at < 0 ? null : steps[at]!;
  return (
    <>
      {open && Pane !== null ? <Pane store={store} tree={tree} state={state} /> : null}
      <section class="step-bar" aria-label="Steps in time">
        <span class="buttons">
          <button type="button" aria-label="Previous step" disabled={at <= 0} onClick={() => move(at - 1)}>
            <span aria-hidden="true">◀</span>
          </button>
          <button type="button" aria-label={playing ? "Pause" : "Play"} aria-pressed={playing} onClick={play}>
            <span aria-hidden="true">{playing ? "❚❚" : "▶"}</span>
          </button>
          <button type="button" aria-label="Next step" disabled={at >= steps.length - 1} onClick={() => move(at + 1)}>
            <span aria-hidden="true">▶|</span>
          </button>
        </span>
        <span class="step-said" role="status">
          {at + 1}/{steps.length} {step === null ? "before the first step" : sentence(step)}
        </span>
        <ul class="figures" aria-label="So far">
          <li>{duration(state.since * 1000)}</li>
          <li>{count(state.tokens)} tok</li>
          <li>{cost(state.cost)}</li>
        </ul>
        <button type="button" class="switch" aria-pressed={open} onClick={turn}>
          State <Key keys="v" />
        </button>
      </section>
    </>
  );
}
