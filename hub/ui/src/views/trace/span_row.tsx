// One span as a row: its name and what it did, its bar, its figures.
import { ChevronIcon } from "../../components/icons.tsx";
import { OutcomeMark, outcomeOfSpan, TypeMark } from "../../components/marks.tsx";
import { failuresOf } from "../../model/failure.ts";
import { cost, count, duration } from "../../model/format.ts";
import { beside } from "../../model/labels.ts";
import type { Node } from "../../model/tree.ts";
import { bar, stretch, type Window } from "../../model/waterfall.ts";
import { rowHeight } from "../../state/density.ts";

const INDENT = 14;
/** Beyond this depth rows are not moved further in: their level is told by ARIA, and the name has to stay in sight. */
const DEPTH_SHOWN = 10;

export interface SpanRowProps {
  node: Node;
  index: number;
  chosen: boolean;
  shut: boolean;
  window: Window;
  now: number;
  /** It lies between the root that failed and the span that is why. */
  red: boolean;
  /** It lies on the critical path. */
  critical: boolean;
  /** When nothing beside it ran, before it did. */
  idle: Window | undefined;
  select(node: Node, step: boolean): void;
  fold(node: Node, shut: boolean): void;
}

export function SpanRow(props: SpanRowProps) {
  const { node, index, chosen, shut, window, now: until, red, critical, idle, select, fold } = props;
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
      class={`span-row row-${outcome}${red ? " red-path" : node.errors > 0 ? " leads-to-error" : ""}${critical ? " critical" : ""}`}
      style={{ height: `${rowHeight.value}px` }}
      onClick={() => select(node, true)}
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
          <small class="dim" title={`Its parent ${span.parent_span_id} is not in the trace, or stands below it`}>
            no parent
          </small>
        ) : null}
        {span.notes > 0 ? <small title={`${span.notes} notes`}>●</small> : null}
        <span class="span-label">
          {outcome === "error" && span.error_message
            ? failuresOf(span)[0]?.message.slice(0, 200)
            : beside(span.name, span.label)}
        </span>
      </div>
      <div role="gridcell" class="cell-bar">
        {idle === undefined ? null : <Idle idle={idle} window={window} />}
        {place === null ? null : (
          <span
            class={`bar type-${span.span_type} bar-${outcome}`}
            // the shortest bar is to be seen at the end, too
            style={{ left: `min(${place.left * 100}%, 100% - 3px)`, width: `${place.width * 100}%` }}
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

/** A line before the bar for the time in which nothing was done, with how long where there is room to say it. */
function Idle({ idle, window }: { idle: Window; window: Window }) {
  const place = stretch(idle.start, idle.end, window);
  if (place === null) return null;
  const said = `idle ${duration((idle.end - idle.start) * 1000)}`;
  return (
    <span class="idle" title={said} style={{ left: `${place.left * 100}%`, width: `${place.width * 100}%` }}>
      <small>{said}</small>
    </span>
  );
}
