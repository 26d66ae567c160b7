// How the runs of the last hours or days went: errors first, and every figure a link to the runs it is made of.
import { useEffect, useMemo } from "preact/hooks";
import type { TraceSummary } from "../../api/schema.ts";
import { address, go, route, setQuery, tracePath } from "../../app/route.ts";
import { settled } from "../../app/settled.ts";
import { subject } from "../../app/subject.ts";
import { FailureMessage, Skeleton } from "../../components/states.tsx";
import { dashboardOf, type Slot, slotsUntil } from "../../model/dashboard.ts";
import { quoted } from "../../model/filter.ts";
import { cost, count, duration, exact, moment, started } from "../../model/format.ts";
import { written } from "../../model/histogram.ts";
import { now } from "../../state/clock.ts";
import { RUNS_MAX, RunsSince } from "../../state/runs_since.ts";

const RANGES = [
  { id: "hour", title: "1 hour", unit: "minute", count: 1 },
  { id: "day", title: "24 hours", unit: "hour", count: 24 },
  { id: "week", title: "7 days", unit: "day", count: 7 },
  { id: "month", title: "30 days", unit: "day", count: 30 },
] as const;

/** The list of runs that a figure is made of. */
function list(terms: string, sort?: string): string {
  return address("/", new URLSearchParams(sort === undefined ? { filter: terms } : { filter: terms, sort }));
}

function slotsOf(range: (typeof RANGES)[number], at: number): Slot[] {
  if (range.unit !== "minute") return slotsUntil(at, range.unit, range.count);
  // twelve stretches of five minutes
  const end = (Math.floor(at / 300) + 1) * 300;
  const one = (i: number) => ({ from: end - (12 - i) * 300, to: end - (11 - i) * 300 });
  return Array.from({ length: 12 }, (_, i) => ({ ...one(i), runs: 0, errors: 0, tokens: 0, cost: 0 }));
}

export default function DashboardView() {
  const wanted = route.value.query.get("range");
  const range = RANGES.find(({ id }) => id === wanted) ?? RANGES[2];
  const store = useMemo(() => new RunsSince(() => slotsOf(range, Date.now() / 1000)[0]!.from), [range]);
  useEffect(() => {
    subject.value = null;
    settled.value = true;
    store.enter();
    return () => store.leave();
  }, [store]);
  const runs = store.runs.value;
  const failure = store.failure.value;
  const figures = useMemo(
    () => (runs === null ? null : dashboardOf(runs.traces, slotsOf(range, Date.now() / 1000))),
    [runs, range],
  );
  if (figures === null || runs === null) {
    return failure !== null && failure.kind !== "aborted" ? (
      <FailureMessage title="The figures cannot be read now" failure={failure} retry={() => void store.load()} />
    ) : (
      <Skeleton label="Loading the figures" />
    );
  }
  const since = `since:${written(figures.slots[0]!.from)}`;
  const share = figures.runs === 0 ? "" : `${((100 * figures.errors) / figures.runs).toFixed(1)} %`;
  const over = (ms: number) => list(`${since} duration>${Math.max(0, ms / 1000 - 0.0005).toFixed(3)}s`, "-duration_ms");
  return (
    <div class="dashboard">
      <header>
        <h1>Dashboard</h1>
        <fieldset class="segments" aria-label="Time that is shown">
          {RANGES.map(({ id, title }) => (
            <button
              key={id}
              type="button"
              aria-pressed={id === range.id}
              onClick={() => setQuery({ range: id === "week" ? null : id }, false)}
            >
              {title}
            </button>
          ))}
        </fieldset>
        {runs.total > runs.traces.length ? (
          <p class="dim">
            Of {exact(runs.total)} runs, the newest {exact(RUNS_MAX)}.
          </p>
        ) : null}
      </header>
      {failure !== null && failure.kind !== "aborted" ? (
        <p class="notice" role="alert">
          What is shown may be old.{" "}
          <button type="button" onClick={() => void store.load()}>
            Try again
          </button>
        </p>
      ) : null}
      <ul class="tiles" aria-label="In figures">
        <Tile
          title={share === "" ? "with errors" : `with errors, ${share}`}
          value={exact(figures.errors)}
          to={list(`${since} status:error`)}
          bad={figures.errors > 0}
        />
        <Tile title="runs" value={exact(figures.runs)} to={list(since)} />
        <Tile
          title="p50 duration"
          value={duration(figures.p50)}
          to={figures.p50 === null ? list(since) : over(figures.p50)}
        />
        <Tile
          title="p95 duration"
          value={duration(figures.p95)}
          to={figures.p95 === null ? list(since) : over(figures.p95)}
        />
        <Tile title="tokens" value={count(figures.tokens)} to={list(since, "-total_tokens")} />
        <Tile
          title={figures.unpriced > 0 ? `cost, without ${exact(figures.unpriced)} runs of unknown price` : "cost"}
          value={cost(figures.cost)}
          to={list(since, "-total_cost_usd")}
        />
      </ul>
      {figures.runs === 0 ? (
        <p class="pad">
          No run began in this time. <a href="/">All traces</a>
        </p>
      ) : (
        <>
          <div class="charts">
            <Chart
              title="Runs"
              slots={figures.slots}
              of={(slot) => slot.runs}
              part={(slot) => slot.errors}
              write={exact}
            />
            <Chart title="Cost" slots={figures.slots} of={(slot) => slot.cost} write={cost} />
          </div>
          <div class="panels">
            <section aria-label="What fails most">
              <h2>What fails most</h2>
              {figures.failing.length === 0 ? <p class="dim">No run failed.</p> : null}
              <ul>
                {figures.failing.map((one) => (
                  <li key={one.name}>
                    <a href={list(`${since} status:error ${quoted(one.name)}`)}>{one.name || "(no name)"}</a>
                    <a class="bad" href={list(`${since} status:error ${quoted(one.name)}`)}>
                      {exact(one.errors)} of {exact(one.runs)}
                    </a>
                    <a href={tracePath(one.last.trace_id)}>last {started(one.last.start_time, now.value)}</a>
                  </li>
                ))}
              </ul>
            </section>
            <section aria-label="Models">
              <h2>
                Models <small class="dim">of runs that call them</small>
              </h2>
              <ul>
                {figures.models.map((one) => {
                  const terms = `${since} model:${quoted(one.model)}`;
                  return (
                    <li key={one.model}>
                      <a href={list(terms)}>{one.model}</a>
                      <a href={list(terms)}>{exact(one.runs)} runs</a>
                      <a href={list(terms, "-total_tokens")}>{count(one.tokens)} tok</a>
                      <a href={list(terms, "-total_cost_usd")}>{cost(one.cost)}</a>
                    </li>
                  );
                })}
              </ul>
            </section>
            <Top title="Slowest" traces={figures.slowest} figure={(trace) => duration(trace.duration_ms)} />
            <Top title="Most expensive" traces={figures.dearest} figure={(trace) => cost(trace.total_cost_usd)} />
          </div>
        </>
      )}
    </div>
  );
}

function Tile({ title, value, to, bad = false }: { title: string; value: string; to: string; bad?: boolean }) {
  return (
    <li>
      <a href={to}>
        <strong class={bad ? "bad" : ""}>{value}</strong>
        <span>{title}</span>
      </a>
    </li>
  );
}

interface TopProps {
  title: string;
  traces: readonly TraceSummary[];
  figure(trace: TraceSummary): string;
}

function Top({ title, traces, figure }: TopProps) {
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      {traces.length === 0 ? <p class="dim">None.</p> : null}
      <ul>
        {traces.map((trace) => (
          <li key={trace.trace_id}>
            <a href={tracePath(trace.trace_id)}>{trace.name || "(no name)"}</a>
            <a href={tracePath(trace.trace_id)}>{figure(trace)}</a>
          </li>
        ))}
      </ul>
    </section>
  );
}

interface ChartProps {
  title: string;
  slots: readonly Slot[];
  of(slot: Slot): number;
  /** The part of it that failed, drawn darker and hatched by its place: at the foot. */
  part?(slot: Slot): number;
  write(value: number): string;
}

/** Bars, and the same as a table: the table has the links, for who has no pointer. */
function Chart({ title, slots, of, part, write }: ChartProps) {
  const most = Math.max(...slots.map(of));
  const stretch = (slot: Slot) => list(`since:${written(slot.from)} until:${written(slot.to)}`);
  const when = (slot: Slot) => moment(slot.from).slice(0, 16);
  const peak = slots.find((slot) => of(slot) === most);
  return (
    <section class="chart" aria-label={`${title} by time`}>
      <h2>{title}</h2>
      <svg
        viewBox={`0 0 ${slots.length} 100`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`${title} by time; the most, ${write(most)}, ${peak === undefined ? "" : when(peak)}. The table below has every figure.`}
      >
        {slots.map((slot, i) => {
          const height = most === 0 ? 0 : (94 * of(slot)) / most;
          const failed = part === undefined || most === 0 ? 0 : (94 * part(slot)) / most;
          return (
            // biome-ignore lint/a11y/noStaticElementInteractions: the table has the links
            <g key={slot.from} onClick={() => of(slot) > 0 && go(stretch(slot))}>
              <title>{`${when(slot)}: ${write(of(slot))}${failed > 0 ? `, ${part!(slot)} with errors` : ""}`}</title>
              <rect class="bar-room" x={i} y={0} width={1} height={100} />
              <rect class="bar-all" x={i + 0.1} y={100 - height} width={0.8} height={height} />
              <rect class="bar-failed" x={i + 0.1} y={100 - failed} width={0.8} height={failed} />
            </g>
          );
        })}
      </svg>
      <details>
        <summary>As a table</summary>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
        <div class="chart-table" role="region" aria-label={`${title} as a table`} tabIndex={0} data-own-keys>
          <table>
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col">{title}</th>
                {part === undefined ? null : <th scope="col">With errors</th>}
              </tr>
            </thead>
            <tbody>
              {slots.map((slot) => (
                <tr key={slot.from}>
                  <th scope="row">{when(slot)}</th>
                  <td>{of(slot) === 0 ? write(0) : <a href={stretch(slot)}>{write(of(slot))}</a>}</td>
                  {part === undefined ? null : <td>{part(slot)}</td>}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  );
}
