// The list without rows: nothing has come yet, or nothing matches.
import { Fragment } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask } from "../../api/client.ts";
import { go, tracePath } from "../../app/route.ts";
import { CopyButton } from "../../components/copy.tsx";
import { type Filter, parseFilter, toQuery, without } from "../../model/filter.ts";
import { plural } from "../../model/format.ts";
import { toast } from "../../state/toasts.ts";
import { ImportButton } from "./import.tsx";

/** Three ways in, with the address of this very Beacon, and a demo. The list takes this place by itself. */
export function FirstTrace() {
  const base = location.origin;
  const end = Math.floor(Date.now() / 1000);
  const first = JSON.stringify({
    spans: [
      {
        trace_id: `hello-${end}`,
        span_id: "1",
        span_type: "custom",
        name: "hello, Beacon",
        status: "ok",
        start_time: end - 1,
        end_time: end,
      },
    ],
  });
  return (
    <div class="first">
      <h2>Waiting for the first span…</h2>
      <p class="dim">Send one in any of these ways; it appears here at once.</p>
      <div class="ways">
        <Way
          title="OpenTelemetry"
          code="beacon run python agent.py"
          or={{
            title: "or, for a program of your own",
            code: `export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nexport OTEL_EXPORTER_OTLP_ENDPOINT=${base}`,
          }}
        />
        <Way
          title="SDK"
          code={`# pip install beacon-sdk\nimport beacon_sdk\nbeacon_sdk.init(backend_url="${base}")`}
          or={{
            title: "or HTTP",
            code: `curl ${base}/v1/spans \\\n  -H 'content-type: application/json' \\\n  -d '${first}'`,
          }}
        />
        <section>
          <header>
            <h3>Import</h3>
          </header>
          <div class="way-import">
            <p>Drop an exported trace (JSON) anywhere on this page, or choose the file.</p>
            <ImportButton />
          </div>
        </section>
      </div>
      <Demo />
    </div>
  );
}

interface Lines {
  title: string;
  code: string;
}

function Way({ title, code, or }: Lines & { or: Lines }) {
  return (
    <section>
      {[{ title, code }, or].map((lines) => (
        <Fragment key={lines.title}>
          <header>
            <h3>{lines.title}</h3>
            <CopyButton text={lines.code} what={`the lines: ${lines.title}`} />
          </header>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
          <pre tabIndex={0} role="region" aria-label={lines.title}>
            {lines.code}
          </pre>
        </Fragment>
      ))}
    </section>
  );
}

function Demo() {
  const [wrong, setWrong] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    setWrong(null);
    const known = await ask("GET /v1/demo/scenarios");
    const scenario = known.ok ? known.value[0]?.key : undefined;
    const answer = known.ok && scenario ? await ask("POST /v1/demo/run", { body: { scenario } }) : known;
    setBusy(false);
    if (answer.ok && "trace_id" in answer.value) {
      toast("The demo runs: its spans appear as they are made.");
      go(tracePath(answer.value.trace_id));
    } else if (!answer.ok) setWrong("detail" in answer.failure ? answer.failure.detail : "Beacon does not answer.");
  };
  return (
    <p>
      <button type="button" disabled={busy} onClick={() => void run()}>
        Run a demo agent (no key needed)
      </button>{" "}
      {wrong ? <span role="alert">{wrong}</span> : null}
    </p>
  );
}

/** Which part of the filter keeps everything out, and one click to drop it. */
export function NoMatch({ filter, change }: { filter: Filter; change(text: string): void }) {
  const [counts, setCounts] = useState<ReadonlyMap<string, number>>(new Map());
  useEffect(() => {
    const stop = new AbortController();
    for (const term of filter.terms) {
      const rest = without(filter, term);
      void ask("GET /v1/traces", {
        query: { ...toQuery(parseFilter(rest), Date.now() / 1000), limit: 1 },
        signal: stop.signal,
      }).then((answer) => {
        const total = answer.ok ? answer.value.total : undefined;
        if (total !== undefined && total !== null) setCounts((known) => new Map(known).set(rest, total));
      });
    }
    return () => stop.abort();
  }, [filter.text]);
  return (
    <div class="first">
      <h2>No trace matches</h2>
      <ul class="drops">
        {filter.terms.map((term) => {
          const rest = without(filter, term);
          const total = counts.get(rest);
          return (
            <li key={term.at}>
              <button type="button" onClick={() => change(rest)}>
                Drop <code>{filter.text.slice(term.at, term.end)}</code>
              </button>{" "}
              <span class="dim">{total === undefined ? "" : plural(total, "trace")}</span>
            </li>
          );
        })}
      </ul>
      {filter.terms.length > 1 ? (
        <button type="button" onClick={() => change("")}>
          Drop all of it
        </button>
      ) : null}
    </div>
  );
}
