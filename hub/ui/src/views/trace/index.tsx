// The page of one trace: what happened in it, the failing span selected, that span beside it.
import { signal, useComputed } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { ask } from "../../api/client.ts";
import { useCommands } from "../../app/commands.ts";
import { go, listPath, route, setQuery, tracePath } from "../../app/route.ts";
import { subject } from "../../app/subject.ts";
import type { ViewProps } from "../../app/views.ts";
import { copy } from "../../components/copy.tsx";
import { Split } from "../../components/split.tsx";
import { describe, FailureMessage, Message, Skeleton } from "../../components/states.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { failing, firstFailure, type Node, type Tree } from "../../model/tree.ts";
import { toast } from "../../state/toasts.ts";
import { TraceStore } from "../../state/trace.ts";
import { traces } from "../../state/traces.ts";
import { SpanPane } from "../span/index.tsx";
import { TraceHead } from "./head.tsx";
import { ReplayDoor } from "./replay_door.tsx";
import { TRACE_VIEWS } from "./views.ts";

/** Whether the span stands beside the tree: for as long as the page is open. */
const paneShown = signal(true);

export default function TraceView({ params }: ViewProps) {
  const traceId = params.trace_id!;
  const store = useMemo(() => new TraceStore(traceId), [traceId]);
  useEffect(() => {
    store.enter();
    return () => {
      store.leave();
      subject.value = null;
    };
  }, [store]);

  store.version.value;
  const tree = store.tree.value;
  const name = store.trace.summary?.name ?? traceId;
  useEffect(() => {
    subject.value = name;
  }, [name]);

  const asked = route.value.query.get("span");
  const failure = useComputed(() => firstFailure(store.tree.value)).value;
  const chosen = asked === null ? (failure ?? tree.order[0] ?? null) : (tree.byId.get(asked) ?? null);
  useEffect(() => {
    // the address always says which failure is shown, so that it can be passed on; unless a key has chosen another span
    // since this was drawn
    const { query } = route.peek();
    if (!query.has("span") && failure !== null) setQuery({ span: failure.span.span_id });
  }, [asked, failure]);

  const select = (node: Node | null | undefined, step = false) => {
    if (node) setQuery({ span: node.span.span_id }, !step);
  };
  const goTo = (node: Node | null | undefined) => select(node, true);
  const pane = useRef<HTMLElement>(null);
  useTraceCommands(traceId, tree, chosen, goTo, () => pane.current?.focus());

  const failed = store.failure.value;
  if (store.trace.deleted) {
    return (
      <Message title="This trace has been deleted">
        <p>
          <a href="/">All traces</a>
        </p>
      </Message>
    );
  }
  if (store.trace.size === 0) {
    if (failed?.kind === "refused" && failed.status === 404) {
      return (
        <Message title="There is no such trace">
          <p>
            Beacon has no trace <code>{traceId}</code>. It may have been deleted, or never arrived; it opens here by
            itself if it comes.
          </p>
          <p>
            <a href="/">All traces</a>
          </p>
        </Message>
      );
    }
    if (failed !== null && failed.kind !== "aborted") {
      return <FailureMessage title="The trace cannot be read now" failure={failed} retry={() => void store.reload()} />;
    }
    return <Skeleton label="Loading the trace" />;
  }

  const wanted = route.value.query.get("view");
  const view = TRACE_VIEWS.find(({ id }) => id === wanted) ?? TRACE_VIEWS[0]!;
  const Body = view.component;
  return (
    <div class="trace">
      <TraceHead store={store} tree={tree} chosen={chosen} select={goTo} />
      {TRACE_VIEWS.length > 1 ? (
        <Tabs
          label="Views of the trace"
          tabs={TRACE_VIEWS}
          chosen={view.id}
          choose={(id) => setQuery({ view: id === TRACE_VIEWS[0]!.id ? null : id }, false)}
        />
      ) : null}
      <Split
        id="trace"
        label="Width of the tree"
        initial={0.6}
        alone={!paneShown.value}
        first={<Body store={store} tree={tree} chosen={chosen} select={select} />}
        second={
          // biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls
          <section class="pane" aria-label="Span" tabIndex={0} ref={pane} data-own-keys>
            {chosen === null ? (
              <Message title="There is no such span">
                <p>
                  This trace has no span <code>{asked}</code>.{" "}
                  <a href={tracePath(traceId)}>Show the trace without it</a>
                </p>
              </Message>
            ) : (
              <SpanPane key={chosen.span.span_id} store={store} node={chosen} select={goTo} />
            )}
          </section>
        }
      />
      <ReplayDoor store={store} chosen={chosen} />
    </div>
  );
}

function useTraceCommands(
  traceId: string,
  tree: Tree,
  chosen: Node | null,
  select: (node: Node | null | undefined) => void,
  focusPane: () => void,
): void {
  /** The one after (or before) the chosen one among those that `fits`, by the order of time; around at the end. */
  const next = (nodes: readonly Node[], step: 1 | -1, what: string) => {
    if (nodes.length === 0) toast(`This trace has no ${what}.`);
    if (nodes.length === 0) return;
    const at = chosen?.sequence ?? 0;
    const sorted = [...nodes].sort((a, b) => step * (a.sequence - b.sequence));
    select(sorted.find((node) => step * (node.sequence - at) > 0) ?? sorted[0]);
  };
  const calls = () => tree.order.filter((node) => node.span.span_type === "llm_call");
  const sibling = (step: number) => {
    if (chosen === null) return;
    const all = chosen.parent?.children ?? tree.roots;
    select(all[all.indexOf(chosen) + step]);
  };
  const neighbour = (step: number) => {
    const at = traces.indexOf(traceId);
    const trace = at < 0 ? undefined : traces.at(at + step);
    if (trace) go(tracePath(trace.trace_id));
    else if (at < 0) toast("[ and ] go through the list a trace was opened from; this one was opened by its link.");
    else toast(`No trace of the list stands ${step < 0 ? "before" : "after"} this one.`);
  };
  /** From the span back to the tree; from there to the list. */
  const leave = () => {
    const tree = document.querySelector<HTMLElement>('[role="treegrid"]');
    if (tree !== null && document.querySelector(".split-second")?.contains(document.activeElement))
      tree.focus({ preventScroll: true });
    else go(listPath());
  };
  const copyJson = async () => {
    if (chosen === null) return;
    const { trace_id, span_id } = chosen.span;
    const answer = await ask("GET /v1/spans/{span_id}", { path: { span_id }, query: { trace_id } });
    if (answer.ok) await copy(JSON.stringify(answer.value, null, 2), "the span as JSON");
    else toast(describe(answer.failure), "bad");
  };
  useCommands([
    { id: "error-next", title: "Next error", group: "Trace", keys: ["e"], run: () => next(failing(tree), 1, "error") },
    {
      id: "error-previous",
      title: "Previous error",
      group: "Trace",
      keys: ["E"],
      run: () => next(failing(tree), -1, "error"),
    },
    {
      id: "llm-next",
      title: "Next LLM call",
      group: "Trace",
      keys: ["l"],
      run: () => next(calls(), 1, "call of a model"),
    },
    {
      id: "llm-previous",
      title: "Previous LLM call",
      group: "Trace",
      keys: ["L"],
      run: () => next(calls(), -1, "call of a model"),
    },
    { id: "sibling-previous", title: "Previous sibling", group: "Trace", keys: [","], run: () => sibling(-1) },
    { id: "sibling-next", title: "Next sibling", group: "Trace", keys: ["."], run: () => sibling(1) },
    {
      id: "trace-previous",
      title: "Previous trace of the list",
      group: "Trace",
      keys: ["["],
      run: () => neighbour(-1),
    },
    { id: "trace-next", title: "Next trace of the list", group: "Trace", keys: ["]"], run: () => neighbour(1) },
    { id: "span-read", title: "Read the span", group: "Trace", keys: ["Enter"], run: focusPane },
    {
      id: "copy-link",
      title: "Copy the link to this span",
      group: "Trace",
      keys: ["y"],
      run: () => void copy(location.href, "the link"),
    },
    {
      id: "copy-json",
      title: "Copy the span as JSON",
      group: "Trace",
      keys: ["x"],
      run: () => void copyJson(),
    },
    {
      id: "pane",
      title: "Show or hide the span beside the tree",
      group: "Trace",
      keys: ["Ctrl+\\"],
      run: () => {
        paneShown.value = !paneShown.value;
      },
    },
    { id: "trace-leave", title: "Back to the list", group: "Trace", keys: ["Escape"], run: leave },
  ]);
}
