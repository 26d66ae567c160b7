// Why a span failed, first of all that is said of it.
import { useMemo } from "preact/hooks";
import type { WholeSpan } from "../../api/schema.ts";
import { CopyButton } from "../../components/copy.tsx";
import { LongText } from "../../components/long_text.tsx";
import { failuresOf } from "../../model/failure.ts";
import { plural } from "../../model/format.ts";

const SHOWN_LINES = 1;

export function ErrorBox({ span }: { span: Pick<WholeSpan, "error_message" | "events" | "status"> }) {
  const all = useMemo(() => failuresOf(span), [span]);
  if (span.status !== "error") return null;
  if (all.length === 0) return <p class="failed">It ended in an error, and nobody said which.</p>;
  return (
    <section class="failed" aria-label="Error">
      {all.slice(0, 10).map(({ message, trace }) => (
        <div key={`${message}${trace}`} class="failed-one">
          <div class="failed-message">
            <LongText text={message} />
            <CopyButton text={trace === null ? message : `${message}\n${trace}`} what="the error" />
          </div>
          {trace === null ? null : <Trace text={trace} />}
        </div>
      ))}
    </section>
  );
}

/** The place that raised it, and the whole on a click. */
function Trace({ text }: { text: string }) {
  const lines = text.trimEnd().split("\n");
  if (lines.length <= SHOWN_LINES + 1)
    return (
      <div class="traceback">
        <LongText text={text} />
      </div>
    );
  return (
    <details class="traceback">
      <summary>
        <code>{placeOf(lines)}</code> <span>Traceback, {plural(lines.length, "line")}</span>
      </summary>
      <LongText text={text} />
    </details>
  );
}

/** The last frame of a Python traceback, the first of a JavaScript stack, shortened to where it is. */
function placeOf(lines: readonly string[]): string {
  const python = lines.findLast((line) => /^\s*File ".*", line \d+/.test(line));
  const found = python ?? lines.find((line) => /^\s*at /.test(line)) ?? lines[0]!;
  const parts = /File "(.*)", line (\d+)(?:, in (.*))?/.exec(found);
  if (parts === null) return found.trim().slice(0, 200);
  return `${parts[1]!.split(/[/\\]/).at(-1)}:${parts[2]}${parts[3] ? ` in ${parts[3]}` : ""}`.slice(0, 200);
}
