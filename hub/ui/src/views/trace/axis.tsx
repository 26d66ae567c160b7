// The time axis above the bars: round times since the trace began.
import { ticks, type Window } from "../../model/waterfall.ts";

export function Axis({ window, origin }: { window: Window; origin: number }) {
  return (
    <span class="axis" aria-hidden="true">
      {ticks(window, origin, 4).map(({ at, label }, i, all) => {
        // at the end it stands left of its line, where the one before it stands already, unless that is far away
        const end = at > 0.9;
        const room = !end || i === 0 || at - all[i - 1]!.at > 0.4;
        return (
          <span key={label} class={end ? "axis-end" : ""} style={{ left: `${at * 100}%` }}>
            {room ? label : ""}
          </span>
        );
      })}
    </span>
  );
}
