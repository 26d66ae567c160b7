// The time axis above the bars: round times since the trace began.
import { ticks, type Window } from "../../model/waterfall.ts";

export function Axis({ window, origin }: { window: Window; origin: number }) {
  return (
    <span class="axis" aria-hidden="true">
      {ticks(window, origin, 4).map(({ at, label }) => (
        <span key={label} class={at > 0.9 ? "axis-end" : ""} style={{ left: `${at * 100}%` }}>
          {label}
        </span>
      ))}
    </span>
  );
}
