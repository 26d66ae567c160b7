// Tree and waterfall in one table (ARIA treegrid): one tab stop, rows in sight alone in the page.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useCommands } from "../../app/commands.ts";
import { ChevronIcon } from "../../components/icons.tsx";
import { OutcomeMark, outcomeOfSpan, TypeMark } from "../../components/marks.tsx";
import { type VirtualHandle, VirtualRows } from "../../components/virtual.tsx";
import { cost, count, duration } from "../../model/format.ts";
import { type Node, pathTo, visibleRows } from "../../model/tree.ts";
import { bar, extent, ticks, type Window } from "../../model/waterfall.ts";
import { now } from "../../state/clock.ts";
import { rowHeight } from "../../state/density.ts";
import type { TraceViewProps } from "./views.ts";

const HEAD = 28;
const INDENT = 14;
/** Beyond this depth rows are not moved further in: their level is told by ARIA, and the name has to stay in sight. */
const DEPTH_SHOWN = 18;

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
  const window = useMemo(
    () =>
      extent(
        tree.order.map((node) => node.span),
        until,
      ),
    [tree, until],
  );
  return (
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
              <Axis window={window} />
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
            select={select}
            fold={fold}
          />
        );
      }}
    />
  );
}

function Axis({ window }: { window: Window }) {
  return (
    <span class="axis" aria-hidden="true">
      {ticks(window, window.start, 4).map(({ at, label }) => (
        <span key={label} class={at > 0.9 ? "axis-end" : ""} style={{ left: `${at * 100}%` }}>
          {label}
        </span>
      ))}
    </span>
  );
}

interface SpanRowProps {
  node: Node;
  index: number;
  chosen: boolean;
  shut: boolean;
  window: Window;
  now: number;
  select(node: Node): void;
  fold(node: Node, shut: boolean): void;
}

function SpanRow({ node, index, chosen, shut, window, now: until, select, fold }: SpanRowProps) {
  const { span } = node;
  const outcome = outcomeOfSpan(span);
  const siblings = node.parent?.children;
  const place = bar(span, window, until);
  const parent = node.children.length > 0;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the table has the keys
    <div
      role="row"
      id={`span-row-${index}`}
      data-span={span.span_id}
      aria-rowindex={index + 2}
      aria-level={node.depth + 1}
      aria-selected={chosen}
      tabIndex={-1}
      {...(parent ? { "aria-expanded": !shut } : {})}
      {...(siblings ? { "aria-setsize": siblings.length } : {})}
      class={`span-row row-${outcome}${node.errors > 0 ? " leads-to-error" : ""}`}
      style={{ height: `${rowHeight.value}px` }}
      onClick={() => select(node)}
      onDblClick={() => parent && fold(node, !shut)}
    >
      <div role="gridcell" class="cell-span" style={{ "--indent": `${Math.min(node.depth, DEPTH_SHOWN) * INDENT}px` }}>
        {parent ? (
          <button
            type="button"
            class={`fold${shut ? "" : " open"}`}
            tabIndex={-1}
            aria-label={shut ? "Expand" : "Collapse"}
            onClick={(event) => {
              event.stopPropagation();
              fold(node, !shut);
            }}
          >
            <ChevronIcon />
          </button>
        ) : (
          <span class="fold" />
        )}
        <TypeMark type={span.span_type} />
        <span class="span-name" title={span.name}>
          {span.name || "(no name)"}
        </span>
        {shut ? <small class="dim">({count(node.below)})</small> : null}
        {outcome === "error" || outcome === "running" || outcome === "interrupted" ? (
          <OutcomeMark outcome={outcome} />
        ) : null}
        {node.orphan ? (
          <small class="dim" title={`Its parent ${span.parent_span_id} is not in the trace`}>
            no parent
          </small>
        ) : null}
        {span.notes > 0 ? <small title={`${span.notes} notes`}>●</small> : null}
        <span class="span-label">
          {outcome === "error" && span.error_message ? span.error_message.slice(0, 200) : span.label}
        </span>
      </div>
      <div role="gridcell" class="cell-bar">
        {place === null ? null : (
          <span
            class={`bar type-${span.span_type} bar-${outcome}`}
            style={{ left: `${place.left * 100}%`, width: `${place.width * 100}%` }}
          />
        )}
      </div>
      <div role="gridcell" class="cell-duration number">
        {outcome === "running" ? duration(Math.max(0, (until - span.start_time) * 1000)) : duration(span.duration_ms)}
      </div>
      <div role="gridcell" class="cell-tokens number">
        {span.tokens ? count(span.tokens) : ""}
      </div>
      <div role="gridcell" class="cell-cost number">
        {span.cost_usd ? cost(span.cost_usd) : ""}
      </div>
    </div>
  );
}
