// The time axis above the bars: round times since the trace began.
import { useEffect, useRef, useState } from "preact/hooks";
import { ticks, type Window } from "../../model/waterfall.ts";

/** Pixels a mark and its label take, so that none stands over the next. */
const MARK = 55;
const MARKS_MAX = 8;

export function Axis({ window, origin }: { window: Window; origin: number }) {
  const axis = useRef<HTMLSpanElement>(null);
  const [most, setMost] = useState(1);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) =>
      setMost(Math.max(1, Math.min(MARKS_MAX, Math.floor(entry!.contentRect.width / MARK)))),
    );
    observer.observe(axis.current!);
    return () => observer.disconnect();
  }, []);
  return (
    <span class="axis" aria-hidden="true" ref={axis}>
      {ticks(window, origin, most).map(({ at, label }, i, all) => {
        // at the end it stands left of its line, where the one before it stands already, unless that is far away
        const end = at > 1 - 0.4 / most;
        const room = !end || i === 0 || at - all[i - 1]!.at > 1.6 / most;
        return (
          <span key={label} class={end ? "axis-end" : ""} style={{ left: `${at * 100}%` }}>
            {room ? label : ""}
          </span>
        );
      })}
    </span>
  );
}
