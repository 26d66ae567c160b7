// Tree and waterfall in one table (ARIA treegrid): one tab stop, rows in sight alone in the page.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useCommands } from "../../app/commands.ts";
import { route, setQuery } from "../../app/route.ts";
import { type VirtualHandle, VirtualRows } from "../../components/virtual.tsx";
import { criticalPath, idleBefore } from "../../model/time_spent.ts";
import { firstFailure, type Node, pathTo, visibleRows } from "../../model/tree.ts";
import { endOf, extent, type Window } from "../../model/waterfall.ts";
import { around, panned, readWindow, writeWindow, zoomed } from "../../model/zoom.ts";
import { now } from "../../state/clock.ts";
import { rowHeight } from "../../state/density.ts";
import { Axis } from "./axis.tsx";
import { SpanRow } from "./span_row.tsx";
import { TimeBar } from "./time_bar.tsx";
import { useTimeDrag } from "./time_drag.tsx";
import type { TraceViewProps } from "./views.ts";

const HEAD = 28;
const NOTHING: ReadonlySet<string> = new Set();
/** Shorter stretches in which nothing ran are not worth a word: a share of the trace, and seconds. */
const IDLE_LEAST = 0.03;
const IDLE_LEAST_S = 0.01;

export function TreeView({ tree, chosen, select }: TraceViewProps) {
  const [collapsed, setCollapsed] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => visibleRows(tree, collapsed), [tree, collapsed]);
  const handle = useRef<VirtualHandle>(null);
  const places = useMemo(() => new Map(rows.map((node, i) => [node.span.span_id, i])), [rows]);
  const chosenId = chosen?.span.span_id;
  const at = chosenId === undefined ? -1 : (places.get(chosenId) ?? -1);

  const fold = (node: Node, shut: boolean) => {
    const next = new Set(collapsed);
    if (shut) next.add(node.span.span_id);
    else next.delete(node.span.span_id);
    setCollapsed(next);
  };
  useEffect(() => {
    if (chosen === null) return;
    // what is selected is in sight: what hides it opens
    const shut = pathTo(chosen).filter((node) => node !== chosen && collapsed.has(node.span.span_id));
    if (shut.length > 0) {
      const next = new Set(collapsed);
      for (const node of shut) next.delete(node.span.span_id);
      setCollapsed(next);
    } else if (at >= 0) handle.current?.reveal(at);
  }, [chosenId, rows.length > 0, collapsed]);

  const move = (to: number) => select(rows[Math.max(0, Math.min(rows.length - 1, to))]);
  const open = chosenId !== undefined && !collapsed.has(chosenId);
  useCommands([
    {
      id: "span-next",
      title: "Next span",
      group: "Tree",
      keys: ["j", "ArrowDown"],
      hidden: true,
      run: () => move(at + 1),
    },
    {
      id: "span-previous",
      title: "Previous span",
      group: "Tree",
      keys: ["k", "ArrowUp"],
      hidden: true,
      run: () => move(at - 1),
    },
    {
      id: "span-fold",
      title: "Collapse, or go to the parent",
      group: "Tree",
      keys: ["ArrowLeft"],
      hidden: true,
      run: () => {
        if (chosen === null) return;
        if (open && chosen.children.length > 0) fold(chosen, true);
        else select(chosen.parent);
      },
    },
    {
      id: "span-unfold",
      title: "Expand, or go to the first child",
      group: "Tree",
      keys: ["ArrowRight"],
      hidden: true,
      run: () => {
        if (chosen === null) return;
        if (open) select(chosen.children[0]);
        else fold(chosen, false);
      },
    },
    {
      id: "span-page-next",
      title: "A page down",
      group: "Tree",
      keys: ["PageDown"],
      hidden: true,
      run: () => move(at + (handle.current?.page ?? 1)),
    },
    {
      id: "span-page-previous",
      title: "A page up",
      group: "Tree",
      keys: ["PageUp"],
      hidden: true,
      run: () => move(at - (handle.current?.page ?? 1)),
    },
    { id: "span-first", title: "First span", group: "Tree", keys: ["Home"], hidden: true, run: () => move(0) },
    {
      id: "span-last",
      title: "Last span",
      group: "Tree",
      keys: ["End"],
      hidden: true,
      run: () => move(rows.length - 1),
    },
    { id: "tree-expand", title: "Expand all", group: "Tree", run: () => setCollapsed(new Set()) },
    {
      id: "tree-collapse",
      title: "Collapse all",
      group: "Tree",
      run: () =>
        setCollapsed(new Set(tree.order.filter((node) => node.children.length > 0).map((node) => node.span.span_id))),
    },
  ]);

  const running = tree.order.some((node) => node.span.end_time === null && !node.span.interrupted);
  // the clock is read, and the table drawn with it, only while something runs
  const until = running ? now.value : 0;
  const whole = useMemo(
    () =>
      extent(
        tree.order.map((node) => node.span),
        until,
      ),
    [tree, until],
  );
  const query = route.value.query;
  const window = readWindow(query.get("window"), whole) ?? whole;
  const critical = query.get("path") === "critical";
  const onPath = useMemo(() => (critical ? criticalPath(tree, until) : NOTHING), [tree, until, critical]);
  const idle = useMemo(
    () => idleBefore(tree, until, Math.max(IDLE_LEAST_S, (whole.end - whole.start) * IDLE_LEAST)),
    [tree, until, whole],
  );
  const red = useMemo(() => {
    const cause = firstFailure(tree);
    return cause === null ? NOTHING : new Set(pathTo(cause).map((node) => node.span.span_id));
  }, [tree]);

  /** Show this stretch of time; null is all of it. A `step` can be taken back. */
  const show = (to: Window | null, step: boolean) => setQuery({ window: writeWindow(to, whole.start) }, !step);
  /** Keys zoom around the span that is selected, where it is in sight. */
  const middle = () => {
    const centre = chosen === null ? -1 : (chosen.span.start_time + endOf(chosen.span, until)) / 2;
    const place = (centre - window.start) / (window.end - window.start);
    return place >= 0 && place <= 1 ? place : 0.5;
  };
  useCommands([
    {
      id: "zoom-in",
      title: "Zoom in",
      group: "Time",
      keys: ["w"],
      run: () => show(zoomed(window, 0.5, middle(), whole), false),
    },
    {
      id: "zoom-out",
      title: "Zoom out",
      group: "Time",
      keys: ["s"],
      run: () => show(zoomed(window, 2, middle(), whole), false),
    },
    {
      id: "pan-left",
      title: "Earlier",
      group: "Time",
      keys: ["Shift+ArrowLeft"],
      run: () => window !== whole && show(panned(window, -0.25, whole), false),
    },
    {
      id: "pan-right",
      title: "Later",
      group: "Time",
      keys: ["Shift+ArrowRight"],
      run: () => window !== whole && show(panned(window, 0.25, whole), false),
    },
    {
      id: "zoom-span",
      title: "Fit the span that is selected",
      group: "Time",
      keys: ["f"],
      run: () => {
        if (chosen !== null)
          show(around({ start: chosen.span.start_time, end: endOf(chosen.span, until) }, whole), true);
      },
    },
    { id: "zoom-all", title: "The whole time of the trace", group: "Time", keys: ["F"], run: () => show(null, true) },
    {
      id: "critical-path",
      title: "Critical path: what made it take so long",
      group: "Time",
      keys: ["p"],
      run: () => setQuery({ path: critical ? null : "critical" }, false),
    },
  ]);
  const drag = useTimeDrag({ window, whole, show });
  return (
    <div class="tree-view" ref={drag.box} {...drag.handlers}>
      <TimeBar tree={tree} whole={whole} window={window} now={until} critical={critical} show={show} />
      <VirtualRows
        class="span-table"
        count={rows.length}
        rowHeight={rowHeight.value}
        headHeight={HEAD}
        handle={handle}
        attributes={{
          role: "treegrid",
          "aria-label": "Spans",
          "aria-rowcount": rows.length + 1,
          "aria-colcount": 5,
          "aria-activedescendant": at >= 0 ? `span-row-${at}` : undefined,
          tabIndex: 0,
        }}
        head={
          <div role="rowgroup" class="head">
            <div role="row" aria-rowindex={1} class="span-row">
              <div role="columnheader" class="cell-span">
                Name
              </div>
              <div role="columnheader" class="cell-bar">
                <span class="unseen">Time</span>
                <Axis window={window} origin={whole.start} />
              </div>
              <div role="columnheader" class="cell-duration number">
                Duration
              </div>
              <div role="columnheader" class="cell-tokens number">
                Tokens
              </div>
              <div role="columnheader" class="cell-cost number">
                Cost
              </div>
            </div>
          </div>
        }
        render={(index) => {
          const node = rows[index]!;
          return (
            <SpanRow
              key={node.span.span_id}
              node={node}
              index={index}
              chosen={index === at}
              shut={collapsed.has(node.span.span_id)}
              window={window}
              now={until}
              red={red.has(node.span.span_id)}
              critical={onPath.has(node.span.span_id)}
              idle={idle.get(node.span.span_id)}
              select={select}
              fold={fold}
            />
          );
        }}
      />
      {drag.mark}
    </div>
  );
}
