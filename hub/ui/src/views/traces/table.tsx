// The rows of the list, of which only those in sight are in the page.
import type { Ref } from "preact";
import type { TraceSummary } from "../../api/schema.ts";
import { go, setQuery, tracePath } from "../../app/route.ts";
import { OutcomeMark, outcomeOfTrace } from "../../components/marks.tsx";
import { type VirtualHandle, VirtualRows } from "../../components/virtual.tsx";
import { withTerm } from "../../model/filter.ts";
import { cost, count, duration, moment, started } from "../../model/format.ts";
import type { TraceList } from "../../model/trace_list.ts";
import { now } from "../../state/clock.ts";
import { rowHeight } from "../../state/density.ts";
import { NEWEST, type Sort, traces } from "../../state/traces.ts";

interface Column {
  id: string;
  title: string;
  /** What the server calls it, where it can order by it. */
  sort?: string;
  number?: boolean;
}

const COLUMNS: readonly Column[] = [
  { id: "status", title: "Status" },
  { id: "name", title: "Name" },
  { id: "started", title: "Started", sort: "start_time" },
  { id: "duration", title: "Duration", sort: "duration_ms", number: true },
  { id: "spans", title: "Spans", sort: "span_count", number: true },
  { id: "tokens", title: "Tokens", sort: "total_tokens", number: true },
  { id: "cost", title: "Cost", sort: "total_cost_usd", number: true },
  { id: "model", title: "Model" },
  { id: "tags", title: "Tags" },
];

/** Every order an address may ask for. */
export const SORTS = COLUMNS.flatMap(({ sort }) => (sort ? [sort, `-${sort}`] : [])) as Sort[];

const HEAD = 28;

interface Props {
  list: TraceList;
  sort: Sort;
  active: string | null;
  setActive(id: string): void;
  handle: Ref<VirtualHandle>;
  /** The row that was on top when the list was left. */
  startAt: number;
  onTop(first: number): void;
}

export function TraceTable({ list, sort, active, setActive, handle, startAt, onTop }: Props) {
  // the list is the same object while it changes: this is what says that it has
  traces.version.value;
  const at = active === null ? -1 : traces.indexOf(active);
  return (
    <VirtualRows
      class="trace-table"
      count={list.total - list.held}
      rowHeight={rowHeight.value}
      headHeight={HEAD}
      handle={handle}
      startAt={startAt}
      onView={(first, last, atTop) => {
        onTop(first);
        traces.setHold(!atTop);
        traces.ensure(first, last);
      }}
      attributes={{
        role: "grid",
        "aria-label": "Traces",
        "aria-rowcount": list.total + 1,
        "aria-colcount": COLUMNS.length,
        "aria-activedescendant": at >= 0 ? `trace-row-${at}` : undefined,
        tabIndex: 0,
      }}
      head={
        <div role="rowgroup" class="head">
          <div role="row" aria-rowindex={1} class="trace-row">
            {COLUMNS.map((column) => (
              <Heading key={column.id} column={column} sort={sort} />
            ))}
          </div>
        </div>
      }
      render={(index) => {
        const trace = traces.at(index);
        if (trace === undefined) return <Coming key={`coming-${index}`} index={index} />;
        return <Row key={trace.trace_id} trace={trace} index={index} active={index === at} choose={setActive} />;
      }}
    />
  );
}

function Heading({ column, sort }: { column: Column; sort: Sort }) {
  const { id, title, number } = column;
  const by = column.sort;
  if (by === undefined) {
    return (
      <div role="columnheader" class={`cell-${id}`}>
        {title}
      </div>
    );
  }
  const down = sort === `-${by}`;
  const up = sort === by;
  // most first, then least first, then as it was
  const next = down ? by : up ? null : `-${by}`;
  return (
    <div
      role="columnheader"
      aria-sort={down ? "descending" : up ? "ascending" : "none"}
      class={`cell-${id}${number ? " number" : ""}`}
    >
      <button type="button" onClick={() => setQuery({ sort: next === NEWEST ? null : next })}>
        {title}
        <span aria-hidden="true">{down ? " ↓" : up ? " ↑" : ""}</span>
      </button>
    </div>
  );
}

function Coming({ index }: { index: number }) {
  return (
    <div role="row" aria-rowindex={index + 2} class="trace-row coming" style={{ height: `${rowHeight.value}px` }}>
      <div role="gridcell" aria-colspan={COLUMNS.length}>
        <span class="unseen">Loading</span>
      </div>
    </div>
  );
}

interface RowProps {
  trace: TraceSummary;
  index: number;
  active: boolean;
  choose(id: string): void;
}

function Row({ trace, index, active, choose }: RowProps) {
  const outcome = outcomeOfTrace(trace);
  const tags = Object.entries(trace.tags) as Array<[string, string]>;
  const running = trace.running_count > 0;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list has the keys
    <div
      role="row"
      id={`trace-row-${index}`}
      aria-rowindex={index + 2}
      aria-selected={active}
      tabIndex={-1}
      class={`trace-row row-${outcome}`}
      style={{ height: `${rowHeight.value}px` }}
      onClick={(event) => {
        choose(trace.trace_id);
        // a link or button inside does its own; with a text selected nobody meant to open
        if ((event.target as Element).closest("a, button") || String(getSelection())) return;
        go(tracePath(trace.trace_id));
      }}
    >
      <div role="gridcell" class="cell-status">
        <OutcomeMark outcome={outcome} />
      </div>
      <div role="gridcell" class="cell-name">
        <a href={tracePath(trace.trace_id)} tabIndex={-1} title={trace.name}>
          {trace.name || "(no name)"}
        </a>
        {trace.error_count > 0 ? (
          <small class="bad">{trace.error_count === 1 ? "1 error" : `${count(trace.error_count)} errors`}</small>
        ) : null}
      </div>
      <div role="gridcell" class="cell-started" title={moment(trace.start_time)}>
        {started(trace.start_time, now.value)}
      </div>
      <div role="gridcell" class="cell-duration number">
        {running ? (
          <span class="running">{duration(Math.max(0, (now.value - trace.start_time) * 1000))}</span>
        ) : (
          duration(trace.duration_ms)
        )}
      </div>
      <div role="gridcell" class="cell-spans number">
        {count(trace.span_count)}
      </div>
      <div role="gridcell" class="cell-tokens number">
        {trace.total_tokens === 0 ? <Nothing /> : count(trace.total_tokens)}
      </div>
      <div role="gridcell" class="cell-cost number">
        {trace.total_cost_usd === 0 ? (
          <Nothing />
        ) : (
          <span title={trace.unpriced_count > 0 ? `${trace.unpriced_count} calls have no known price` : undefined}>
            {cost(trace.total_cost_usd)}
            {trace.unpriced_count > 0 ? "+" : ""}
          </span>
        )}
      </div>
      <div role="gridcell" class="cell-model">
        <Models names={trace.models} />
      </div>
      <div role="gridcell" class="cell-tags">
        {tags.slice(0, TAGS_SHOWN).map(([key, value]) => (
          <button
            key={key}
            type="button"
            class="tag"
            tabIndex={-1}
            title={`Only ${key}=${value}`}
            onClick={() => only("tag", `${key}=${value}`)}
          >
            {key}={value}
          </button>
        ))}
        {trace.session_id === null ? null : (
          <button
            type="button"
            class="tag"
            tabIndex={-1}
            title={`Only the session ${trace.session_id}`}
            onClick={() => only("session", trace.session_id!)}
          >
            session
          </button>
        )}
        {tags.length > TAGS_SHOWN ? <small>+{tags.length - TAGS_SHOWN}</small> : null}
      </div>
    </div>
  );
}

const TAGS_SHOWN = 3;

/** The model of most calls; the others in its title. */
function Models({ names }: { names: readonly string[] }) {
  const [first] = names;
  if (first === undefined) return <Nothing />;
  const others = names.length - 1;
  return (
    <>
      <button
        type="button"
        class="model"
        tabIndex={-1}
        title={
          others > 0 ? `${names.join(", ")}: show only traces that call ${first}` : `Only traces that call ${first}`
        }
        onClick={() => only("model", first)}
      >
        {first}
      </button>
      {others > 0 ? <small>+{others}</small> : null}
    </>
  );
}

/** Narrow the list further, to traces with this value. */
function only(key: "tag" | "session" | "model", value: string): void {
  const text = new URLSearchParams(location.search).get("filter") ?? "";
  setQuery({ filter: withTerm(text, key, value) });
}

function Nothing() {
  return <span class="dim">–</span>;
}
