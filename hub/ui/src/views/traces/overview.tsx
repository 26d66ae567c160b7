// Above the list: four numbers, and when the traces were. A stretch of it that is brushed becomes since: and until:.
import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../../api/client.ts";
import type { TrendBucket } from "../../api/schema.ts";
import { route, setQuery } from "../../app/route.ts";
import { parseFilter, toQuery, withTerm } from "../../model/filter.ts";
import { cost, count, exact, moment, plural } from "../../model/format.ts";
import { type Bar, barsOf, brushed, totalsOf, written } from "../../model/histogram.ts";
import { traces } from "../../state/traces.ts";

const SPANS = [
  { id: "day", title: "24 hours", days: 1, bucket: "hour", seconds: 3_600 },
  { id: "week", title: "7 days", days: 7, bucket: "hour", seconds: 3_600 },
  { id: "month", title: "30 days", days: 30, bucket: "day", seconds: 86_400 },
] as const;
/** Live lists change many times a second; the numbers need not. */
const AGAIN_MS = 5_000;

export function Overview({ filterText }: { filterText: string }) {
  const [buckets, setBuckets] = useState<readonly TrendBucket[] | null>(null);
  const wanted = route.value.query.get("range");
  const shown = SPANS.find(({ id }) => id === wanted) ?? SPANS[1];
  const asked = useRef(0);
  const version = traces.version.value;
  useEffect(() => {
    const stop = new AbortController();
    const wait = Math.max(0, asked.current + AGAIN_MS - Date.now());
    const timer = setTimeout(async () => {
      asked.current = Date.now();
      const { days, bucket } = shown;
      const answer = await ask("GET /v1/stats/trends", { query: { days, bucket }, signal: stop.signal });
      if (answer.ok) setBuckets(answer.value.buckets);
    }, wait);
    return () => {
      clearTimeout(timer);
      if (asked.current === 0) stop.abort();
    };
  }, [shown, version]);
  if (buckets === null) return <div class="overview" />;
  const { traces: all, errors, tokens, cost: usd } = totalsOf(buckets);
  // the figures are those of every trace, which a filter does not change: then they say so
  const every = filterText.trim() === "" ? "" : "all ";
  return (
    <section class="overview" aria-label={`The last ${shown.title}, all traces`}>
      <dl>
        <Figure title={`${every}traces`} value={exact(all)} />
        <Figure
          title="with errors"
          value={all === 0 ? "–" : `${((100 * errors) / all).toFixed(errors > 0 && errors < all / 100 ? 1 : 0)} %`}
          bad={errors > 0}
        />
        <Figure title="tokens" value={count(tokens)} />
        <Figure title="cost" value={cost(usd)} />
      </dl>
      <Histogram bars={barsOf(buckets, shown.seconds)} filterText={filterText} />
      <select
        aria-label="Time that is shown"
        value={shown.id}
        onChange={(event) => {
          asked.current = 0;
          const { value } = event.currentTarget;
          setQuery({ range: value === SPANS[1].id ? null : value });
        }}
      >
        {SPANS.map(({ id, title }) => (
          <option key={id} value={id}>
            {title}
          </option>
        ))}
      </select>
    </section>
  );
}

function Figure({ title, value, bad = false }: { title: string; value: string; bad?: boolean }) {
  return (
    <div>
      <dt>{title}</dt>
      <dd class={bad ? "bad" : ""}>{value}</dd>
    </div>
  );
}

/** Dragged with the pointer; with keys the arrows move, Shift extends, and Enter sets the filter. */
function Histogram({ bars, filterText }: { bars: readonly Bar[]; filterText: string }) {
  const [brush, setBrush] = useState<[number, number] | null>(null);
  const from = useRef<number | null>(null);
  const most = Math.max(1, ...bars.map((bar) => bar.traces));
  const query = toQuery(parseFilter(filterText), Date.now() / 1000);
  const limited = query.since !== undefined || query.until !== undefined;
  const inside = (bar: Bar) => bar.to > (query.since ?? 0) && bar.from < (query.until ?? Number.POSITIVE_INFINITY);
  const dimmed = (bar: Bar) => limited && brush === null && !inside(bar);
  const apply = ([first, last]: [number, number]) => {
    setBrush(null);
    const since = withTerm(filterText, "since", written(bars[first]!.from));
    setQuery({ filter: withTerm(since, "until", written(bars[last]!.to)) }, false);
  };
  const share = (event: PointerEvent) => {
    const { left, width } = (event.currentTarget as Element).getBoundingClientRect();
    return (event.clientX - left) / width;
  };
  const [first, last] = brush ?? [-1, -1];
  const told =
    brush === null
      ? "Drag over a stretch of time to see its traces; or the arrow keys, with Shift for more, and Enter."
      : `${moment(bars[first]!.from).slice(0, 16)} to ${moment(bars[last]!.to).slice(0, 16)}: ${plural(
          bars.slice(first, last + 1).reduce((sum, bar) => sum + bar.traces, 0),
          "trace",
        )}`;
  return (
    <div
      class="histogram"
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it has keys
      tabIndex={0}
      aria-label={`When traces were. ${told}`}
      title={told}
      data-own-keys
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        event.currentTarget.setPointerCapture(event.pointerId);
        from.current = share(event);
        setBrush(brushed(from.current, from.current, bars.length));
      }}
      onPointerMove={(event) => {
        if (from.current !== null) setBrush(brushed(from.current, share(event), bars.length));
      }}
      onPointerUp={(event) => {
        if (from.current !== null) apply(brushed(from.current, share(event), bars.length));
        from.current = null;
      }}
      onPointerCancel={() => {
        from.current = null;
        setBrush(null);
      }}
      onKeyDown={(event) => {
        const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
        if (step !== 0) {
          event.preventDefault();
          const at = (n: number) => Math.max(0, Math.min(bars.length - 1, n));
          if (brush === null) setBrush([bars.length - 1, bars.length - 1]);
          else if (event.shiftKey) setBrush(step > 0 ? [first, at(last + 1)] : [at(first - 1), last]);
          else setBrush([at(first + step), at(first + step)]);
        } else if (event.key === "Enter" && brush !== null) {
          event.preventDefault();
          apply(brush);
        } else if (event.key === "Escape" && brush !== null) {
          event.preventDefault();
          setBrush(null);
        }
      }}
    >
      <svg viewBox={`0 0 ${bars.length} 100`} preserveAspectRatio="none" aria-hidden="true">
        {brush === null ? null : <rect class="back" x={first} y={0} width={last - first + 1} height={100} />}
        <path class="bar-all off" d={outline(bars, most, (bar) => (dimmed(bar) ? bar.traces : 0))} />
        <path class="bar-errors off" d={outline(bars, most, (bar) => (dimmed(bar) ? bar.errors : 0))} />
        <path class="bar-all" d={outline(bars, most, (bar) => (dimmed(bar) ? 0 : bar.traces))} />
        <path class="bar-errors" d={outline(bars, most, (bar) => (dimmed(bar) ? 0 : bar.errors))} />
      </svg>
    </div>
  );
}

/** All bars as one shape: a page of 700 hours costs no more than one of 24. */
function outline(bars: readonly Bar[], most: number, of: (bar: Bar) => number): string {
  return bars
    .map((bar, i) => {
      const height = of(bar) === 0 ? 0 : Math.max(6, (100 * of(bar)) / most);
      return height === 0 ? "" : `M${i + 0.1} 100V${(100 - height).toFixed(1)}h.8V100z`;
    })
    .join("");
}
