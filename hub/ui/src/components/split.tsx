// Two panes and the line between them, which is moved with the pointer or the arrow keys. Where it was is kept.
import type { ComponentChildren } from "preact";
import { useRef, useState } from "preact/hooks";

interface Props {
  /** Under which its place is kept in this browser. */
  id: string;
  label: string;
  /** The first pane's share of the width when nothing is kept. */
  initial: number;
  /** The first pane has all the room; the second stays as it is, out of sight. */
  alone?: boolean;
  first: ComponentChildren;
  second: ComponentChildren;
}

const LEAST = 0.2;
const MOST = 0.85;
const STEP = 0.02;

export function Split({ id, label, initial, alone = false, first, second }: Props) {
  const key = `beacon.split.${id}`;
  const [share, setShare] = useState(() => kept(key) ?? initial);
  const box = useRef<HTMLDivElement>(null);
  const move = (to: number) => {
    const bounded = Math.min(MOST, Math.max(LEAST, to));
    setShare(bounded);
    try {
      localStorage.setItem(key, bounded.toFixed(4));
    } catch {
      // it lasts as long as the page
    }
  };
  return (
    <div class={`split${alone ? " split-alone" : ""}`} ref={box} style={{ "--share": `${share * 100}%` }}>
      <div class="split-first">{first}</div>
      <div
        class="split-line"
        role="separator"
        aria-orientation="vertical"
        aria-label={label}
        aria-valuemin={LEAST * 100}
        aria-valuemax={MOST * 100}
        aria-valuenow={Math.round(share * 100)}
        tabIndex={0}
        data-own-keys
        onKeyDown={(event) => {
          if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
          event.preventDefault();
          move(share + (event.key === "ArrowLeft" ? -STEP : STEP));
        }}
        onDblClick={() => move(initial)}
        onPointerDown={(event) => {
          event.preventDefault();
          event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={(event) => {
          if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
          const { left, width } = box.current!.getBoundingClientRect();
          move((event.clientX - left) / width);
        }}
      />
      <div class="split-second">{second}</div>
    </div>
  );
}

function kept(key: string): number | null {
  try {
    const share = Number(localStorage.getItem(key));
    return share >= LEAST && share <= MOST ? share : null;
  } catch {
    return null;
  }
}
