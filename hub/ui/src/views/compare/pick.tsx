// Which two runs: the baseline, earlier runs of the same name, the newest ones.
import { useEffect, useState } from "preact/hooks";
import { ask, type Failure } from "../../api/client.ts";
import type { TraceSummary } from "../../api/schema.ts";
import { address } from "../../app/route.ts";
import { Key } from "../../components/key.tsx";
import { OutcomeMark, outcomeOfTrace } from "../../components/marks.tsx";
import { describe, Message, Skeleton } from "../../components/states.tsx";
import { quoted } from "../../model/filter.ts";
import { cost, count, duration, plural, started } from "../../model/format.ts";
import { now } from "../../state/clock.ts";

interface Found {
  known: TraceSummary | null;
  baseline: TraceSummary | null;
  named: readonly TraceSummary[];
  newest: readonly TraceSummary[];
}

const SHOWN = 15;

export function PickRuns({ a, b }: { a: string | null; b: string | null }) {
  const [found, setFound] = useState<Found | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [again, setAgain] = useState(0);
  const id = a ?? b;
  useEffect(() => {
    const stop = new AbortController();
    setFound(null);
    setFailure(null);
    void look(id, stop.signal).then((answer) => {
      if (stop.signal.aborted) return;
      if ("kind" in answer) setFailure(answer);
      else setFound(answer);
    });
    return () => stop.abort();
  }, [id, again]);
  if (failure !== null) {
    return (
      <Message title="The runs cannot be read now">
        <p role="alert">{describe(failure)}</p>
        <button type="button" onClick={() => setAgain(again + 1)}>
          Try again
        </button>
        <p>
          <a href="/">All traces</a>
        </p>
      </Message>
    );
  }
  if (found === null) return <Skeleton label="Loading runs" />;
  const link = (trace: TraceSummary) => {
    const query = a !== null ? { a, b: trace.trace_id } : b !== null ? { a: trace.trace_id, b } : { b: trace.trace_id };
    return address("/compare", new URLSearchParams(query));
  };
  const shown = new Set([id, found.baseline?.trace_id, ...found.named.map((trace) => trace.trace_id)]);
  const newest = found.newest.filter((trace) => !shown.has(trace.trace_id)).slice(0, SHOWN);
  return (
    <div class="pick-runs">
      <h1>{found.known === null ? "Compare two runs" : `Compare “${found.known.name || "(no name)"}” with…`}</h1>
      {found.known === null ? (
        <p>
          Choose the first one here, or tick two in <a href="/">the list</a> and press <Key keys="c" />.
        </p>
      ) : null}
      {found.baseline === null ? null : <Runs title="The baseline" traces={[found.baseline]} link={link} />}
      <Runs title="Runs of the same name" traces={found.named} link={link} />
      <Runs title={found.known === null ? "The newest runs" : "Other new runs"} traces={newest} link={link} />
      {found.named.length + newest.length === 0 && found.baseline === null ? (
        <p>There is no {found.known === null ? "" : "other "}run to compare yet.</p>
      ) : null}
    </div>
  );
}

async function look(id: string | null, signal: AbortSignal): Promise<Found | Failure> {
  const newest = await ask("GET /v1/traces", { query: { limit: 60, count: false }, signal });
  if (!newest.ok) return newest.failure;
  if (id === null) return { known: null, baseline: null, named: [], newest: newest.value.traces };
  const [known, baseline] = await Promise.all([
    ask("GET /v1/traces/{trace_id}", { path: { trace_id: id }, query: { fields: "light" }, signal }),
    ask("GET /v1/traces/baseline", { query: { exclude: id }, signal }),
  ]);
  if (!known.ok) return known.failure;
  const { name } = known.value;
  const named = name
    ? await ask("GET /v1/traces", { query: { q: quoted(name), limit: 100, count: false }, signal })
    : { ok: false as const };
  return {
    known: known.value,
    baseline: baseline.ok ? baseline.value : null,
    named: named.ok
      ? named.value.traces.filter((trace) => trace.name === name && trace.trace_id !== id).slice(0, SHOWN)
      : [],
    newest: newest.value.traces,
  };
}

interface RunsProps {
  title: string;
  traces: readonly TraceSummary[];
  link(trace: TraceSummary): string;
}

function Runs({ title, traces, link }: RunsProps) {
  if (traces.length === 0) return null;
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <ul>
        {traces.map((trace) => (
          <li key={trace.trace_id}>
            <OutcomeMark outcome={outcomeOfTrace(trace)} />
            <a href={link(trace)}>{trace.name || "(no name)"}</a>
            <span class="dim">{started(trace.start_time, now.value)}</span>
            <span class="dim">{duration(trace.duration_ms)}</span>
            <span class="dim">{plural(trace.span_count, "span")}</span>
            {trace.total_tokens > 0 ? <span class="dim">{count(trace.total_tokens)} tok</span> : null}
            {trace.total_cost_usd > 0 ? <span class="dim">{cost(trace.total_cost_usd)}</span> : null}
          </li>
        ))}
      </ul>
    </section>
  );
}
