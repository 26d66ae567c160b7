// Text of an agent: never markup, never more of it in the page than somebody asked for.
import type { ComponentType } from "preact";
import { useMemo, useState } from "preact/hooks";
import { clamp, linesOf } from "../model/clamp.ts";
import { bytes, exact } from "../model/format.ts";
import { findHits } from "../model/hits.ts";
import { searched } from "./marked.tsx";
import { VirtualText } from "./virtual_text.tsx";

const LINES = 30;
const CHARACTERS = 4_000;
const STEP = 200_000;
/** Beyond so many lines only those in sight are in the page. */
const LINES_DRAWN = 2_000;
/** Characters around what was searched for, where it stands further down. */
const AROUND_HIT = 4_000;

interface Props {
  text: string;
  /** How text is drawn, when not as it is. */
  as?: ComponentType<{ text: string }>;
}

/** The first 30 lines, and the rest on a click. */
export function LongText({ text, as: Body = Plain }: Props) {
  const [shown, setShown] = useState(0);
  const short = useMemo(() => clamp(text, LINES, CHARACTERS), [text]);
  if (shown > 0 && linesOf(text, LINES_DRAWN + 1) > LINES_DRAWN) {
    return (
      <div class="long">
        <VirtualText text={text} />
        <Less less={() => setShown(0)} />
      </div>
    );
  }
  const query = searched();
  const hit = useMemo(() => (query === "" ? undefined : findHits(text, query, 1)[0]), [text, query]);
  if (shown === 0 && hit !== undefined && hit.end > short.length) {
    // what was searched for is shown, and not all that stands before it
    const from = hit.at < STEP ? 0 : hit.at - AROUND_HIT;
    return (
      <div class="long">
        {from > 0 ? <p class="dim">… from character {exact(from)} on:</p> : null}
        <Body text={text.slice(from, hit.end + AROUND_HIT)} />
        <button type="button" class="more" onClick={() => setShown(text.length)}>
          Show all ({bytes(text.length)})
        </button>
      </div>
    );
  }
  const part = shown === 0 ? short : text.slice(0, shown);
  const rest = text.length - part.length;
  return (
    <div class="long">
      <Body text={part} />
      {rest > 0 ? (
        <button type="button" class="more" onClick={() => setShown((shown || short.length) + STEP)}>
          {rest <= STEP || shown === 0
            ? `Show all (${bytes(text.length)})`
            : `Show ${bytes(STEP)} more of ${bytes(text.length)}`}
        </button>
      ) : null}
      {shown > 0 ? <Less less={() => setShown(0)} /> : null}
    </div>
  );
}

function Plain({ text }: { text: string }) {
  return <pre>{text}</pre>;
}

function Less({ less }: { less(): void }) {
  return (
    <button type="button" class="more" onClick={less}>
      Show the first {exact(LINES)} lines only
    </button>
  );
}
