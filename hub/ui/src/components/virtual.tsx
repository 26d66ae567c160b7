// Rows of one height, of which only those in sight are in the page: 100,000 cost as much as 100.
import type { ComponentChildren, HTMLAttributes, Ref } from "preact";
import { useEffect, useImperativeHandle, useLayoutEffect, useRef, useState } from "preact/hooks";

export interface VirtualHandle {
  /** Bring a row into sight, moving as little as needed. */
  reveal(index: number): void;
  toTop(): void;
  focus(): void;
  /** How many rows are in sight at once. */
  readonly page: number;
}

interface Props {
  count: number;
  rowHeight: number;
  render(index: number): ComponentChildren;
  /** Stays on top while rows scroll below it; `headHeight` is its height. */
  head?: ComponentChildren;
  headHeight?: number;
  /** Called after scrolling and when `count` changes, with the first and last row in sight. */
  onView?(first: number, last: number, atTop: boolean): void;
  handle?: Ref<VirtualHandle>;
  /** The row that is on top at first. */
  startAt?: number;
  class?: string;
  /** Attributes of the scrolling element: role, labels, keys. */
  attributes?: HTMLAttributes<HTMLDivElement>;
}

const OVERSCAN = 8;

export function VirtualRows(props: Props) {
  const { count, rowHeight, head, headHeight = 0, onView } = props;
  const scroller = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(0);

  useLayoutEffect(() => {
    const element = scroller.current!;
    const measure = () => setHeight(element.clientHeight);
    measure();
    if (props.startAt) {
      element.scrollTop = props.startAt * rowHeight;
      setTop(element.scrollTop);
    }
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const room = Math.max(0, height - headHeight);
  const first = Math.max(0, Math.min(Math.floor(top / rowHeight), count - 1));
  const last = Math.min(count - 1, Math.ceil((top + room) / rowHeight));
  useEffect(() => {
    if (height > 0) onView?.(first, last, top < rowHeight);
  }, [first, last, count, height]);

  useImperativeHandle(
    props.handle ?? null,
    () => ({
      reveal(index: number) {
        const element = scroller.current;
        if (element === null) return;
        const from = index * rowHeight;
        const shown = element.clientHeight - headHeight;
        if (from < element.scrollTop) element.scrollTop = from;
        else if (from + rowHeight > element.scrollTop + shown) element.scrollTop = from + rowHeight - shown;
      },
      toTop() {
        scroller.current?.scrollTo({ top: 0 });
      },
      focus() {
        scroller.current?.focus({ preventScroll: true });
      },
      get page() {
        return Math.max(1, Math.floor(room / rowHeight) - 1);
      },
    }),
    [rowHeight, headHeight, room],
  );

  const start = Math.max(0, first - OVERSCAN);
  const end = height === 0 ? Math.min(count, 50) : Math.min(count, last + 1 + OVERSCAN);
  const rows: ComponentChildren[] = [];
  for (let i = start; i < end; i++) rows.push(props.render(i));
  return (
    <div
      {...props.attributes}
      class={`rows ${props.class ?? ""}`}
      ref={scroller}
      onScroll={(event) => setTop(Math.max(0, event.currentTarget.scrollTop))}
    >
      {head}
      <div class="rows-all" role="rowgroup" style={{ height: `${count * rowHeight}px` }}>
        <div class="rows-seen" role="presentation" style={{ transform: `translateY(${start * rowHeight}px)` }}>
          {rows}
        </div>
      </div>
    </div>
  );
}
