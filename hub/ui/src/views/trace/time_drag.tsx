// Zooming on the bars themselves: a drag along them shows that stretch of time, a wheel with Alt or Ctrl goes closer, one
// that turns sideways moves along.
import type { ComponentChildren, RefObject } from "preact";
import { useRef, useState } from "preact/hooks";
import type { Window } from "../../model/waterfall.ts";
import { inside, panned, zoomed } from "../../model/zoom.ts";

interface Asked {
  window: Window;
  whole: Window;
  show(to: Window | null, step: boolean): void;
}

/** Pixels a pointer moves before it is a drag, and not a click on a row. */
const DRAG_LEAST = 5;

interface Dragged {
  from: number;
  to: number;
  left: number;
  width: number;
}

interface TimeDrag {
  box: RefObject<HTMLDivElement | null>;
  handlers: Record<string, (event: never) => void>;
  /** The stretch that is being chosen, to be drawn over the rows. */
  mark: ComponentChildren;
}

export function useTimeDrag({ window, whole, show }: Asked): TimeDrag {
  const box = useRef<HTMLDivElement>(null);
  const began = useRef<Dragged | null>(null);
  const swallow = useRef(false);
  const [mark, setMark] = useState<Dragged | null>(null);
  const timeAt = (share: number) => window.start + (window.end - window.start) * share;
  const shareAt = (x: number, { left, width }: { left: number; width: number }) =>
    Math.min(1, Math.max(0, (x - left) / width));

  const handlers = {
    onPointerDown(event: PointerEvent) {
      swallow.current = false;
      const cell = (event.target as Element).closest?.(".cell-bar");
      if (!cell || event.button !== 0 || event.pointerType === "touch") return;
      const { left, width } = cell.getBoundingClientRect();
      began.current = { from: event.clientX, to: event.clientX, left, width };
    },
    onPointerMove(event: PointerEvent) {
      const at = began.current;
      if (at === null) return;
      if ((event.buttons & 1) === 0) {
        began.current = null;
        setMark(null);
        return;
      }
      at.to = event.clientX;
      if (Math.abs(at.to - at.from) < DRAG_LEAST && mark === null) return;
      if (mark === null) box.current?.setPointerCapture(event.pointerId);
      setMark({ ...at });
    },
    onPointerUp() {
      const at = began.current;
      began.current = null;
      if (at === null || mark === null) return;
      setMark(null);
      swallow.current = true;
      const [from, to] = [shareAt(at.from, at), shareAt(at.to, at)].sort((a, b) => a - b) as [number, number];
      if (to > from) show(inside({ start: timeAt(from), end: timeAt(to) }, whole), true);
    },
    onPointerCancel() {
      began.current = null;
      setMark(null);
    },
    // the click that ends a drag is none on a row
    onClickCapture(event: MouseEvent) {
      if (swallow.current) event.stopPropagation();
      swallow.current = false;
    },
    onWheel(event: WheelEvent) {
      const cell = (event.target as Element).closest?.(".cell-bar");
      if (!cell) return;
      if (event.altKey || event.ctrlKey) {
        event.preventDefault();
        const at = shareAt(event.clientX, cell.getBoundingClientRect());
        show(zoomed(window, event.deltaY > 0 ? 1.25 : 0.8, at, whole), false);
      } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) && window !== whole) {
        event.preventDefault();
        show(panned(window, event.deltaX > 0 ? 0.1 : -0.1, whole), false);
      }
    },
  };
  const origin = box.current?.getBoundingClientRect().left ?? 0;
  return {
    box,
    handlers,
    mark:
      mark === null ? null : (
        <div
          class="time-mark"
          style={{
            left: `${Math.max(mark.left, Math.min(mark.from, mark.to)) - origin}px`,
            width: `${Math.abs(mark.to - mark.from)}px`,
          }}
        />
      ),
  };
}
