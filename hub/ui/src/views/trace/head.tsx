// One line about the whole trace, and what to do with it.
import { CopyButton } from "../../components/copy.tsx";
import { Key } from "../../components/key.tsx";
import { OutcomeMark, outcomeOfTrace } from "../../components/marks.tsx";
import { cost, count, duration, exact, moment, plural } from "../../model/format.ts";
import { failing } from "../../model/tree.ts";
import { now } from "../../state/clock.ts";
import { ReplayButton } from "./replay_door.tsx";
import type { TraceViewProps } from "./views.ts";

const MODELS_SHOWN = 3;

export function TraceHead({ store, tree, chosen, select }: TraceViewProps) {
  const { summary } = store.trace;
  const errors = failing(tree);
  if (summary === null) return null;
  const running = summary.running_count > 0;
  const next = () => {
    const at = chosen?.sequence ?? 0;
    select(errors.find((node) => node.sequence > at) ?? errors[0]);
  };
  return (
    <header class="trace-head">
      <h1 title={summary.name}>{summary.name || "(no name)"}</h1>
      <OutcomeMark outcome={outcomeOfTrace(summary)} word />
      <ul class="figures">
        <li title={moment(summary.start_time)}>
          {duration(running ? Math.max(0, (now.value - summary.start_time) * 1000) : summary.duration_ms)}
        </li>
        <li>{plural(summary.span_count, "span")}</li>
        {summary.total_tokens > 0 ? (
          <li title={`${exact(summary.total_tokens)} tokens`}>{count(summary.total_tokens)} tok</li>
        ) : null}
        {summary.total_cost_usd > 0 ? (
          <li title={summary.unpriced_count > 0 ? `${summary.unpriced_count} calls have no known price` : undefined}>
            {cost(summary.total_cost_usd)}
            {summary.unpriced_count > 0 ? "+" : ""}
          </li>
        ) : null}
        {summary.models.length > 0 ? (
          <li class="models" title={summary.models.join(", ")}>
            {summary.models.slice(0, MODELS_SHOWN).join(", ")}
            {summary.models.length > MODELS_SHOWN ? ` +${summary.models.length - MODELS_SHOWN}` : ""}
          </li>
        ) : null}
        {summary.session_id ? (
          <li>
            <a
              href={`/?filter=${encodeURIComponent(`session:${summary.session_id}`)}`}
              title="All traces of this session"
            >
              session
            </a>
          </li>
        ) : null}
      </ul>
      {errors.length > 0 ? (
        <button type="button" class="chip bad" onClick={next} title="Next error">
          {plural(errors.length, "error")} <Key keys="e" />
        </button>
      ) : null}
      <ReplayButton chosen={chosen} />
      <CopyButton text={summary.trace_id} what="the trace id" />
    </header>
  );
}
