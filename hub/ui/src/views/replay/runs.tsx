// Every run that was made of a call, and those looked at beside what was recorded.
import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import type { Failure } from "../../api/client.ts";
import type { NewOutput, ReplayRun, Span } from "../../api/schema.ts";
import { LongText } from "../../components/long_text.tsx";
import { describe } from "../../components/states.tsx";
import { age, cost, count, duration, moment, plural } from "../../model/format.ts";
import { differs, outputText, recordedOutput } from "../../model/replay.ts";
import { now } from "../../state/clock.ts";
import { Difference } from "./difference.tsx";

const COMPARED_MAX = 3;

/** The runs that are looked at; those of another span are not among them, since ids are unique. */
const chosen = signal<readonly string[]>([]);
const sides = signal(false);

/** Recorded and chosen runs beside each other. `first`: the run that has just ended. */
export function Outcome({ span, runs, first }: { span: Span; runs: readonly ReplayRun[]; first: string | null }) {
  useEffect(() => {
    if (first !== null) chosen.value = [first];
  }, [first]);
  const shown = runs.filter((run) => chosen.value.includes(run.replay_id));
  const looked = shown.length > 0 ? shown : runs.slice(0, 1);
  const recorded = recordedOutput(span.attributes, span.duration_ms);
  if (looked.length === 0) {
    return (
      <section class="outcome-one" aria-label="Recorded answer">
        <h3>Recorded</h3>
        <LongText text={outputText(recorded) || "(nothing was recorded)"} />
        <p class="dim">No run yet. What a run answers is compared with this.</p>
      </section>
    );
  }
  return (
    <>
      <Figures recorded={recorded} runs={looked} />
      <p class="buttons" role="group" aria-label="How to show the difference">
        <button type="button" aria-pressed={!sides.value || looked.length > 1} onClick={() => (sides.value = false)}>
          Inline
        </button>
        <button
          type="button"
          aria-pressed={sides.value && looked.length === 1}
          disabled={looked.length > 1}
          title={looked.length > 1 ? "Several runs stand beside each other already" : undefined}
          onClick={() => (sides.value = true)}
        >
          Side by side
        </button>
      </p>
      <div class={looked.length > 1 ? "compared" : ""}>
        {looked.map((run) => (
          <section key={run.replay_id} class="outcome-one" aria-label={`Answer of ${numberOf(run, runs)}`}>
            <h3>
              {numberOf(run, runs)} <small class="dim">{differs(run.modified_attributes)}</small>
            </h3>
            {run.error ? (
              <p class="failed">
                Status {run.error.status}: {run.error.detail}
              </p>
            ) : run.diff ? (
              <Difference diff={run.diff} sides={sides.value && looked.length === 1} />
            ) : null}
            <ToolCalls output={run.new_output} />
          </section>
        ))}
      </div>
    </>
  );
}

function ToolCalls({ output }: { output: NewOutput | null | undefined }) {
  const calls = output?.tool_calls ?? [];
  if (calls.length === 0) return null;
  const text = outputText({ ...output!, "llm.completion": "" });
  return (
    <section aria-label="Tool calls">
      <h4>{plural(calls.length, "tool call")}</h4>
      <LongText text={text} />
    </section>
  );
}

function numberOf(run: ReplayRun, runs: readonly ReplayRun[]): string {
  return `Run ${runs.length - runs.findIndex((other) => other.replay_id === run.replay_id)}`;
}

const ROWS: ReadonlyArray<[string, (output: NewOutput) => string]> = [
  ["Model", (output) => output["llm.model"] || "–"],
  ["Input tokens", (output) => count(output["llm.tokens.input"])],
  ["Output tokens", (output) => count(output["llm.tokens.output"])],
  ["Cost", (output) => cost(output["llm.cost_usd"])],
  ["Latency", (output) => duration(output.latency_ms)],
  ["Finish", (output) => output["llm.finish_reason"] || "–"],
];

function Figures({ recorded, runs }: { recorded: NewOutput; runs: readonly ReplayRun[] }) {
  const answered = runs.filter((run) => run.new_output);
  if (answered.length === 0) return null;
  return (
    <table class="replay-figures">
      <caption class="unseen">What was recorded beside what the runs took</caption>
      <thead>
        <tr>
          <th scope="col">
            <span class="unseen">Figure</span>
          </th>
          <th scope="col">Recorded</th>
          {answered.map((run) => (
            <th key={run.replay_id} scope="col">
              {runs.length > 1 ? differs(run.modified_attributes) : "This run"}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {ROWS.map(([title, figure]) => (
          <tr key={title}>
            <th scope="row">{title}</th>
            <td>{figure(recorded)}</td>
            {answered.map((run) => (
              <td key={run.replay_id}>{figure(run.new_output!)}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The list of all runs, newest first; up to three are looked at side by side. */
export function Runs({ runs, failure }: { runs: readonly ReplayRun[]; failure: Failure | null }) {
  const [shown, setShown] = useState(50);
  const toggle = (id: string, add: boolean) => {
    const others = chosen.value.filter((other) => other !== id && runs.some((run) => run.replay_id === other));
    chosen.value = add ? [...others.slice(-(COMPARED_MAX - 1)), id] : others;
  };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
    <section class="runs" aria-label="Runs" tabIndex={0}>
      <h3>
        {plural(runs.length, "run")} <small class="dim">tick up to {COMPARED_MAX} to compare</small>
      </h3>
      {failure !== null ? (
        <p class="notice" role="alert">
          {describe(failure)}
        </p>
      ) : null}
      <ul>
        {runs.slice(0, shown).map((run) => (
          <li key={run.replay_id}>
            <label>
              <input
                type="checkbox"
                checked={chosen.value.includes(run.replay_id)}
                onChange={(event) => toggle(run.replay_id, event.currentTarget.checked)}
              />
              <span class="runs-name">{numberOf(run, runs)}</span>
              <span class="runs-what">{differs(run.modified_attributes)}</span>
              {run.error ? (
                <span class="bad">✗ {run.error.status}</span>
              ) : (
                <span class="dim">{run.diff?.changed ? "changed" : "same"}</span>
              )}
              <span class="number">{cost(run.new_output?.["llm.cost_usd"])}</span>
              <span class="number">{duration(run.new_output?.latency_ms)}</span>
              <span class="number dim" title={moment(run.created_at)}>
                {age(run.created_at, now.value)}
              </span>
            </label>
          </li>
        ))}
      </ul>
      {runs.length > shown ? (
        <button type="button" class="more" onClick={() => setShown(shown + 100)}>
          Show more
        </button>
      ) : null}
    </section>
  );
}
