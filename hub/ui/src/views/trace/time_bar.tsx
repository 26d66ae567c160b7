// The whole trace in a strip: where the time went, which part of it the rows show, and the ways to show another.
import { useEffect, useRef, useState } from "preact/hooks";
import { setQuery } from "../../app/route.ts";
import { duration } from "../../model/format.ts";
import type { SpanType } from "../../model/spans.ts";
import type { Tree } from "../../model/tree.ts";
import { endOf, type Window } from "../../model/waterfall.ts";
import { inside, panned, zoomed } from "../../model/zoom.ts";
import { theme } from "../../state/theme.ts";

interface Props {
  tree: Tree;
  whole: Window;
  /** The same object as `whole` when all of it is shown. */
  window: Window;
  now: number;
  critical: boolean;
  show(to: Window | null, step: boolean): void;
}

const HEIGHT = 26;

export function TimeBar({ tree, whole, window, now, critical, show }: Props) {
  const length = whole.end - whole.start;
  const zoomedIn = window !== whole;
  const [drag, setDrag] = useState<readonly [number, number] | null>(null);
  const shareAt = (event: MouseEvent & { currentTarget: EventTarget & HTMLElement }) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    return Math.min(1, Math.max(0, (event.clientX - left) / width));
  };
  const [from, to] =
    drag === null
      ? [(window.start - whole.start) / length, (window.end - whole.start) / length]
      : [Math.min(...drag), Math.max(...drag)];
  return (
    <div class="time-bar">
      <div
        class="mini-map"
        role="img"
        aria-label={`The trace from 0 to ${duration(length * 1000)}; keys w, s, f and Shift with an arrow change what is shown`}
        title="Drag to zoom, wheel to go closer, double-click for all"
        onDblClick={() => show(null, true)}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          const at = shareAt(event);
          setDrag([at, at]);
        }}
        onPointerMove={(event) => drag !== null && setDrag([drag[0], shareAt(event)])}
        onPointerUp={() => {
          setDrag(null);
          if (drag === null || Math.abs(drag[1] - drag[0]) < 0.005) return;
          show(inside({ start: whole.start + length * from!, end: whole.start + length * to! }, whole), true);
        }}
        onPointerCancel={() => setDrag(null)}
        onWheel={(event) => {
          event.preventDefault();
          if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
            if (zoomedIn) show(panned(window, event.deltaX > 0 ? 0.1 : -0.1, whole), false);
            return;
          }
          const time = whole.start + length * shareAt(event);
          const at = Math.min(1, Math.max(0, (time - window.start) / (window.end - window.start)));
          show(zoomed(window, event.deltaY > 0 ? 1.25 : 0.8, at, whole), false);
        }}
      >
        <Strip tree={tree} whole={whole} now={now} />
        {zoomedIn || drag !== null ? (
          <div class="mini-window" style={{ left: `${from! * 100}%`, width: `${(to! - from!) * 100}%` }} />
        ) : null}
      </div>
      {zoomedIn ? (
        <button type="button" class="time-shown" title="Show the whole time (F)" onClick={() => show(null, true)}>
          {duration((window.start - whole.start) * 1000)} – {duration((window.end - whole.start) * 1000)}{" "}
          <span aria-hidden="true">×</span>
          <span class="unseen">, show all</span>
        </button>
      ) : null}
      <button
        type="button"
        class="switch"
        aria-pressed={critical}
        title="What made it take so long (p)"
        onClick={() => setQuery({ path: critical ? null : "critical" }, false)}
      >
        Critical path
      </button>
    </div>
  );
}

const TOKENS: Record<SpanType, string> = {
  llm_call: "--type-llm",
  tool_use: "--type-tool",
  agent_step: "--type-agent",
  chain: "--type-chain",
  browser_action: "--type-browser",
  file_operation: "--type-file",
  shell_command: "--type-shell",
  custom: "--type-custom",
};

/** Every span as a line on one canvas: 5,000 elements would be too many. */
function Strip({ tree, whole, now }: Pick<Props, "tree" | "whole" | "now">) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [scheme, setScheme] = useState(0);
  useEffect(() => {
    const observer = new ResizeObserver(() => setWidth(canvas.current?.clientWidth ?? 0));
    observer.observe(canvas.current!);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const changed = () => setScheme((n) => n + 1);
    dark.addEventListener("change", changed);
    return () => {
      observer.disconnect();
      dark.removeEventListener("change", changed);
    };
  }, []);
  const chosen = theme.value;
  useEffect(() => {
    const element = canvas.current!;
    const scale = devicePixelRatio || 1;
    element.width = Math.max(1, Math.round(width * scale));
    element.height = Math.round(HEIGHT * scale);
    const pen = element.getContext("2d");
    if (pen === null || width === 0) return;
    pen.scale(scale, scale);
    const style = getComputedStyle(element);
    const colours = new Map(
      ["--error", ...Object.values(TOKENS)].map((name) => [name, style.getPropertyValue(name).trim()]),
    );
    const thick = Math.max(1, Math.min(4, (HEIGHT - 4) / Math.max(1, tree.order.length)));
    const length = whole.end - whole.start;
    tree.order.forEach(({ span }, i) => {
      const left = ((span.start_time - whole.start) / length) * width;
      const right = ((endOf(span, now) - whole.start) / length) * width;
      pen.fillStyle = colours.get(span.status === "error" ? "--error" : TOKENS[span.span_type])!;
      pen.fillRect(left, 2 + (i / tree.order.length) * (HEIGHT - 4), Math.max(1, right - left), thick);
    });
  }, [tree, whole, now, width, chosen, scheme]);
  return <canvas ref={canvas} height={HEIGHT} />;
}
