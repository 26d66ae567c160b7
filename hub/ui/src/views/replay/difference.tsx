// The recorded answer and another beside it: what went, what came. The runs of words are the server's.
import type { Diff, Hunk } from "../../api/schema.ts";

/** Hunks in the page at most: a diff of two novels is told, not drawn. */
const DRAWN_MAX = 4_000;

export function Difference({ diff, sides }: { diff: Diff; sides: boolean }) {
  if (!diff.changed) {
    return (
      <div class="difference">
        <p class="dim">The text is the same, word for word.</p>
        <pre>{diff.new_completion}</pre>
      </div>
    );
  }
  const { hunks } = diff;
  return (
    <div class="difference">
      {sides ? (
        <div class="sides">
          <Side title="Recorded" hunks={hunks} without="insert" />
          <Side title="This run" hunks={hunks} without="delete" />
        </div>
      ) : (
        <pre>{drawn(hunks)}</pre>
      )}
      {hunks.length > DRAWN_MAX ? <p class="dim">The rest of the difference is not drawn: it is too long.</p> : null}
    </div>
  );
}

function Side({ title, hunks, without }: { title: string; hunks: readonly Hunk[]; without: Hunk["op"] }) {
  return (
    <section aria-label={title}>
      <h4>{title}</h4>
      <pre>{drawn(hunks.filter((hunk) => hunk.op !== without))}</pre>
    </section>
  );
}

function drawn(hunks: readonly Hunk[]) {
  return hunks.slice(0, DRAWN_MAX).map((hunk, i) => {
    if (hunk.op === "insert") return <ins key={i}>{hunk.text}</ins>;
    if (hunk.op === "delete") return <del key={i}>{hunk.text}</del>;
    return <span key={i}>{hunk.text}</span>;
  });
}
