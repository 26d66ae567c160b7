// The steps of both runs as one table (ARIA treegrid): a row a step, what A did beside what B did.
import { useEffect, useRef } from "preact/hooks";
import { OutcomeMark, outcomeOfSpan, TypeMark } from "../../components/marks.tsx";
import { type VirtualHandle, VirtualRows } from "../../components/virtual.tsx";
import type { Step } from "../../model/divergence.ts";
import { duration } from "../../model/format.ts";
import { beside } from "../../model/labels.ts";
import type { Node } from "../../model/tree.ts";
import { rowHeight } from "../../state/density.ts";
import { ChangeMark } from "./change.tsx";

const HEAD = 28;
const INDENT = 12;
const DEPTH_SHOWN = 8;

interface Props {
  steps: readonly Step[];
  at: number;
  first: Step | null;
  select(step: Step): void;
}

export function StepRows({ steps, at, first, select }: Props) {
  const handle = useRef<VirtualHandle>(null);
  useEffect(() => {
    if (at >= 0) handle.current?.reveal(at);
  }, [at, steps]);
  return (
    <VirtualRows
      class="step-table"
      count={steps.length}
      rowHeight={rowHeight.value}
      headHeight={HEAD}
      handle={handle}
      attributes={{
        role: "treegrid",
        "aria-label": "Steps of both runs",
        "aria-rowcount": steps.length + 1,
        "aria-colcount": 5,
        "aria-activedescendant": at >= 0 ? `step-row-${at}` : undefined,
        tabIndex: 0,
      }}
      head={
        <div role="rowgroup" class="head">
          <div role="row" aria-rowindex={1} class="step-row">
            <div role="columnheader">
              <span class="unseen">What became of it</span>
            </div>
            <div role="columnheader">
              <span class="side side-a">A</span>
            </div>
            <div role="columnheader">
              <span class="side side-b">B</span>
            </div>
            <div role="columnheader" class="number cell-time">
              Time A
            </div>
            <div role="columnheader" class="number cell-time">
              Time B
            </div>
          </div>
        </div>
      }
      render={(index) => {
        const step = steps[index]!;
        return (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the table has the keys
          <div
            key={`${step.a?.span.span_id} ${step.b?.span.span_id}`}
            role="row"
            id={`step-row-${index}`}
            aria-rowindex={index + 2}
            aria-level={step.depth + 1}
            aria-selected={index === at}
            tabIndex={-1}
            class={`step-row change-${step.change}${step === first ? " first-difference" : ""}`}
            style={{ height: `${rowHeight.value}px` }}
            onClick={() => select(step)}
          >
            <div role="gridcell" class="cell-change">
              <ChangeMark change={step.change} />
              <TypeMark type={(step.b ?? step.a)!.span.span_type} />
            </div>
            <Cell node={step.a} depth={step.depth} />
            <Cell node={step.b} depth={step.depth} />
            <div role="gridcell" class="number cell-time">
              {step.a === null ? "" : duration(step.a.span.duration_ms)}
            </div>
            <div role="gridcell" class="number cell-time">
              {step.b === null ? "" : duration(step.b.span.duration_ms)}
            </div>
          </div>
        );
      }}
    />
  );
}

function Cell({ node, depth }: { node: Node | null; depth: number }) {
  if (node === null) return <div role="gridcell" class="cell-step nothing" />;
  const { span } = node;
  const outcome = outcomeOfSpan(span);
  return (
    <div role="gridcell" class="cell-step" style={{ "--indent": `${Math.min(depth, DEPTH_SHOWN) * INDENT}px` }}>
      <span class={`span-name${outcome === "error" ? " bad" : ""}`} title={span.name}>
        {span.name || "(no name)"}
      </span>
      {outcome === "error" || outcome === "running" || outcome === "interrupted" ? (
        <OutcomeMark outcome={outcome} />
      ) : null}
      <span class="span-label">{beside(span.name, span.label)}</span>
    </div>
  );
}
