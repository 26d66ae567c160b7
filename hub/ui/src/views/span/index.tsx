// One span, beside the tree: what it is, how it ended, what is in it.
import { route, setQuery } from "../../app/route.ts";
import { CopyButton } from "../../components/copy.tsx";
import { OutcomeMark, outcomeOfSpan, TypeMark, typeName } from "../../components/marks.tsx";
import { describe, Skeleton } from "../../components/states.tsx";
import { Tabs } from "../../components/tabs.tsx";
import { cost, count, duration, moment } from "../../model/format.ts";
import { selfTime } from "../../model/time_spent.ts";
import { type Node, pathTo } from "../../model/tree.ts";
import { now } from "../../state/clock.ts";
import type { TraceStore } from "../../state/trace.ts";
import { Attributes } from "./attributes.tsx";
import { ErrorBox } from "./error_box.tsx";
import { Events } from "./events.tsx";
import { Raw } from "./raw.tsx";
import { SPAN_VIEWS, type SpanViewProps } from "./views.ts";

interface Props {
  store: TraceStore;
  node: Node;
  select(node: Node | null | undefined): void;
}

export function SpanPane({ store, node, select }: Props) {
  const { span } = node;
  const detail = store.detail(span.span_id);
  const whole = detail.span.value;
  const failure = detail.failure.value;
  const above = pathTo(node).slice(0, -1);
  const outcome = outcomeOfSpan(span);
  const until = outcome === "running" ? now.value : 0;
  return (
    <article class="span">
      <header>
        <h2>
          <TypeMark type={span.span_type} />
          <span title={span.name}>{span.name || "(no name)"}</span>
        </h2>
        <ul class="figures">
          <li>{typeName(span.span_type)}</li>
          <li>
            <OutcomeMark outcome={outcome} word />
          </li>
          <li title={moment(span.start_time)}>
            {outcome === "running"
              ? duration(Math.max(0, (until - span.start_time) * 1000))
              : duration(span.duration_ms)}
          </li>
          {node.children.length > 0 && outcome !== "interrupted" ? (
            <li title="Time in which none of the spans below it ran">self {duration(selfTime(node, until))}</li>
          ) : null}
          {span.tokens ? <li>{count(span.tokens)} tok</li> : null}
          {span.cost_usd ? <li>{cost(span.cost_usd)}</li> : null}
          <li title="Its place in the trace, by start">#{node.sequence}</li>
          <li>
            <CopyButton text={span.span_id} what="the span id" />
          </li>
        </ul>
        {above.length > 0 ? (
          <nav class="above" aria-label="Spans above">
            {above.slice(-ABOVE_SHOWN).map((parent) => (
              <button key={parent.span.span_id} type="button" onClick={() => select(parent)} title={parent.span.name}>
                {parent.span.name || "(no name)"}
              </button>
            ))}
          </nav>
        ) : null}
      </header>
      <ErrorBox span={whole === null ? span : { ...whole, status: span.status, error_message: span.error_message }} />
      {outcome === "running" ? (
        <p class="notice" role="status">
          It is still running. What it does shows here as it comes.
        </p>
      ) : null}
      {outcome === "interrupted" ? (
        <p class="notice">It was interrupted: its program ended, and nobody said how this span did.</p>
      ) : null}
      {failure !== null && failure.kind !== "aborted" ? (
        <p class="notice" role="alert">
          {describe(failure)}{" "}
          <button type="button" onClick={() => void detail.fetch()}>
            Try again
          </button>
        </p>
      ) : null}
      {whole === null ? (
        failure === null ? (
          <Skeleton rows={6} label="Loading the span" />
        ) : null
      ) : (
        <Body span={whole} node={node} store={store} select={select} />
      )}
    </article>
  );
}

const ABOVE_SHOWN = 5;

function Body(props: SpanViewProps) {
  const { span } = props;
  const View = SPAN_VIEWS[span.span_type];
  const said = Object.keys(span.attributes).length;
  const happened = (span.events?.length ?? 0) + (span.links?.length ?? 0);
  const tabs = [
    { id: "content", title: "Content" },
    { id: "attributes", title: "Attributes", count: said },
    { id: "events", title: "Events", count: happened },
    { id: "raw", title: "Raw" },
  ];
  const wanted = route.value.query.get("tab");
  const tab = tabs.find(({ id }) => id === wanted)?.id ?? "content";
  return (
    <>
      <Tabs
        label="Parts of the span"
        panel="span-part"
        tabs={tabs}
        chosen={tab}
        choose={(id) => setQuery({ tab: id === "content" ? null : id }, false)}
      />
      <section id="span-part" class="span-part" role="tabpanel" aria-label={tabs.find(({ id }) => id === tab)!.title}>
        {tab === "attributes" ? (
          <Attributes attributes={span.attributes} />
        ) : tab === "events" ? (
          <Events span={span} />
        ) : tab === "raw" ? (
          <Raw span={span} />
        ) : (
          <View {...props} />
        )}
      </section>
    </>
  );
}
