// The span as it is stored, in the words of the API.
import { useMemo } from "preact/hooks";
import type { WholeSpan } from "../../api/schema.ts";
import { CopyButton } from "../../components/copy.tsx";
import { LongText } from "../../components/long_text.tsx";
import { bytes } from "../../model/format.ts";

export function Raw({ span }: { span: WholeSpan }) {
  const text = useMemo(() => JSON.stringify(span, null, 2), [span]);
  return (
    <section class="value" aria-label="The span as JSON">
      <header>
        <h3>JSON</h3>
        <small class="dim">{bytes(text.length)}</small>
        <CopyButton text={text} what="the span as JSON" />
      </header>
      <LongText text={text} />
    </section>
  );
}
