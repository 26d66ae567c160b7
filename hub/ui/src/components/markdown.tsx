// Text as markdown, or as it is until what reads markdown is there, and where it cannot be read.
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

/** Longer ones stay as they are: reading takes more than linear time for some. */
const READ_MAX = 12_000;

const KEY = "beacon.raw";

/** Whether texts are shown as they are. Kept in this browser. */
export const raw = signal(kept());

export function setRaw(value: boolean): void {
  raw.value = value;
  try {
    localStorage.setItem(KEY, value ? "1" : "");
  } catch {
    // it lasts as long as the page
  }
}

export function Markdown({ text }: { text: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [drawn, setDrawn] = useState(false);
  const wanted = !raw.value && text.length <= READ_MAX;
  useLayoutEffect(() => {
    let stale = false;
    setDrawn(false);
    if (!wanted) return;
    void import("./markdown_render.ts")
      .then(({ elementsOf }) => {
        if (stale || box.current === null) return;
        box.current.replaceChildren(elementsOf(text));
        setDrawn(true);
      })
      .catch(() => setDrawn(false));
    return () => {
      stale = true;
    };
  }, [text, wanted]);
  return (
    <>
      {wanted ? <div class="md" ref={box} hidden={!drawn} /> : null}
      {wanted && drawn ? null : <pre>{text}</pre>}
    </>
  );
}

function kept(): boolean {
  try {
    return localStorage.getItem(KEY) === "1";
  } catch {
    return false;
  }
}
