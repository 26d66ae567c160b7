// The list of traces: what people open Beacon for.
import { useEffect, useRef, useState } from "preact/hooks";
import { useCommands } from "../../app/commands.ts";
import { go, route, setQuery, tracePath } from "../../app/route.ts";
import { settled } from "../../app/settled.ts";
import { subject } from "../../app/subject.ts";
import { FailureMessage, Skeleton } from "../../components/states.tsx";
import type { VirtualHandle } from "../../components/virtual.tsx";
import { parseFilter } from "../../model/filter.ts";
import { exact, plural } from "../../model/format.ts";
import { NEWEST, type Sort, traces } from "../../state/traces.ts";
import { FilterBar } from "./filter_bar.tsx";
import { ImportCommand } from "./import.tsx";
import { FirstTrace, NoMatch } from "./nothing.tsx";
import { Overview } from "./overview.tsx";
import { SORTS, TraceTable } from "./table.tsx";

export default function TracesView() {
  const { query } = route.value;
  const filterText = query.get("filter") ?? "";
  const asked = query.get("sort");
  const sort: Sort = SORTS.find((known) => known === asked) ?? NEWEST;
  const table = useRef<VirtualHandle>(null);
  const field = useRef<HTMLInputElement>(null);
  const [active, setActive] = useState<string | null>(kept.active);
  kept.active = active;

  useEffect(() => {
    subject.value = null;
    return () => traces.leave();
  }, []);
  useEffect(() => {
    traces.show(filterText, sort);
  }, [filterText, sort]);

  traces.version.value;
  const { list } = traces;
  const shown = list.loaded > 0;
  useEffect(() => {
    if (shown) settled.value = true;
  }, [shown]);
  const failure = traces.failure.value;
  const at = active === null ? -1 : traces.indexOf(active);

  /** A row that was gone to before it was here. */
  const ahead = useRef<number | null>(null);
  const move = (to: number) => {
    const index = Math.max(0, Math.min(list.total - list.held - 1, to));
    const trace = traces.at(index);
    table.current?.reveal(index);
    ahead.current = trace === undefined ? index : null;
    if (trace !== undefined) setActive(trace.trace_id);
  };
  useEffect(() => {
    const trace = ahead.current === null ? undefined : traces.at(ahead.current);
    if (trace === undefined) return;
    ahead.current = null;
    setActive(trace.trace_id);
  }, [traces.version.value]);
  useCommands([
    {
      id: "row-next",
      title: "Next row",
      group: "List",
      keys: ["j", "ArrowDown"],
      hidden: true,
      run: () => move(at + 1),
    },
    {
      id: "row-previous",
      title: "Previous row",
      group: "List",
      keys: ["k", "ArrowUp"],
      hidden: true,
      run: () => move(at - 1),
    },
    {
      id: "row-page-next",
      title: "A page down",
      group: "List",
      keys: ["PageDown"],
      hidden: true,
      run: () => move(at + (table.current?.page ?? 1)),
    },
    {
      id: "row-page-previous",
      title: "A page up",
      group: "List",
      keys: ["PageUp"],
      hidden: true,
      run: () => move(at - (table.current?.page ?? 1)),
    },
    { id: "row-first", title: "First row", group: "List", keys: ["Home"], hidden: true, run: () => move(0) },
    {
      id: "row-last",
      title: "Last row",
      group: "List",
      keys: ["End"],
      hidden: true,
      run: () => move(list.total - list.held - 1),
    },
    {
      id: "row-open",
      title: "Open the trace",
      group: "List",
      keys: ["Enter"],
      run: () => active !== null && go(tracePath(active)),
    },
    { id: "filter", title: "Filter the list", group: "List", keys: ["/"], run: () => field.current?.focus() },
  ]);

  const empty = list.total === 0 && list.held === 0;
  const filter = parseFilter(filterText);
  return (
    <div class="traces">
      <ImportCommand />
      <h1 class="unseen">Traces</h1>
      <div class="list-bar">
        <FilterBar
          text={filterText}
          field={field}
          refused={failure?.kind === "refused" ? failure.detail : null}
          change={(text) => setQuery({ filter: text })}
        />
        <p class="list-count" role="status">
          {traces.loading.value
            ? ""
            : filter.terms.length > 0
              ? `${exact(list.total)} match`
              : plural(list.total, "trace")}
        </p>
      </div>
      {empty && filter.terms.length === 0 ? null : <Overview filterText={filterText} />}
      {failure?.kind === "busy" || failure?.kind === "failed" ? (
        <p class="notice" role="alert">
          {failure.detail} {empty ? "" : "What is shown may be old."}{" "}
          <button type="button" onClick={() => void traces.reload()}>
            Try again
          </button>
        </p>
      ) : null}
      {traces.loading.value ? (
        failure !== null && failure.kind !== "refused" ? (
          <FailureMessage title="The list cannot be read now" failure={failure} retry={() => void traces.reload()} />
        ) : (
          <Skeleton label="Loading traces" />
        )
      ) : empty ? (
        filter.terms.length > 0 ? (
          <NoMatch filter={filter} change={(text) => setQuery({ filter: text })} />
        ) : (
          <FirstTrace />
        )
      ) : (
        <>
          {list.held > 0 ? (
            <button
              type="button"
              class="pill"
              onClick={() => {
                table.current?.toTop();
                traces.release();
              }}
            >
              {list.newest ? "Paused" : "Sorted"}, {exact(list.held)} new ↑
            </button>
          ) : null}
          <TraceTable
            list={list}
            sort={sort}
            active={active}
            setActive={setActive}
            handle={table}
            startAt={kept.shown === location.search ? kept.top : 0}
            onTop={(first) => Object.assign(kept, { top: first, shown: location.search })}
          />
        </>
      )}
    </div>
  );
}

/** Which row was the last one looked at, and which was on top: the list is as it was for who comes back. */
const kept: { active: string | null; top: number; shown: string } = { active: null, top: 0, shown: "" };
