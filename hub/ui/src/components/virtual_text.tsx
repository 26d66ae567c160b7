// A text of very many lines: those in sight are in the page. Lines are not wrapped; the box scrolls both ways.
import { useMemo, useState } from "preact/hooks";
import { exact } from "../model/format.ts";

const LINE = 18;
const BOX = 560;
const OVERSCAN = 20;
/** Characters of one line that are drawn. */
const LINE_MAX = 2_000;

export function VirtualText({ text }: { text: string }) {
  const lines = useMemo(() => text.split("\n"), [text]);
  const [top, setTop] = useState(0);
  const first = Math.max(0, Math.floor(top / LINE) - OVERSCAN);
  const last = Math.min(lines.length, Math.ceil((top + BOX) / LINE) + OVERSCAN);
  return (
    // biome-ignore-start lint/a11y/noNoninteractiveTabindex: it scrolls
    <div
      class="virtual-text"
      role="region"
      aria-label={`Text of ${exact(lines.length)} lines`}
      tabIndex={0}
      data-own-keys
      style={{ height: `${BOX}px` }}
      onScroll={(event) => setTop(event.currentTarget.scrollTop)}
    >
      <div style={{ height: `${lines.length * LINE}px` }}>
        <pre style={{ transform: `translateY(${first * LINE}px)`, lineHeight: `${LINE}px` }}>
          {lines
            .slice(first, last)
            .map((line) => (line.length > LINE_MAX ? `${line.slice(0, LINE_MAX)}…` : line))
            .join("\n")}
        </pre>
      </div>
    </div>
    // biome-ignore-end lint/a11y/noNoninteractiveTabindex: it scrolls
  );
}
