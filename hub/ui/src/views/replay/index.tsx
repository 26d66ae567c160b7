// Replay: a recorded call of a model again, with what the user changed. Left what is sent, right what came back, below every
// run there was.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ask, type Failure } from "../../api/client.ts";
import type { KeyInfo, Model, ReplayRun, Span } from "../../api/schema.ts";
import { useCommands } from "../../app/commands.ts";
import { Key } from "../../components/key.tsx";
import { LongText } from "../../components/long_text.tsx";
import { describe, Message, Skeleton } from "../../components/states.tsx";
import { cost, duration } from "../../model/format.ts";
import {
  type Draft,
  draftOf,
  joined,
  modelOf,
  modifications,
  type Price,
  priceOf,
  toolsOf,
  wrongDraft,
} from "../../model/replay.ts";
import type { Detail } from "../../state/trace.ts";
import { Cards } from "./cards.tsx";
import { dropDraft, keepDraft, keptDraft } from "./drafts.ts";
import { KeyField } from "./key_field.tsx";
import { ReplayCall } from "./run.ts";
import { Outcome, Runs } from "./runs.tsx";

interface Props {
  /** The span, as far as it is here. */
  detail: Detail;
  close(): void;
}

export default function Replay({ detail, close }: Props) {
  const span = detail.span.value;
  const failure = detail.failure.value;
  const box = useRef<HTMLElement>(null);
  useEffect(() => box.current?.focus({ preventScroll: true }), []);
  useCommands([
    { id: "replay-close", title: "Close the replay", group: "Replay", keys: ["Escape"], whileTyping: true, run: close },
  ]);
  return (
    <section class="replay" aria-label="Replay" tabIndex={-1} ref={box} data-own-keys>
      <header class="replay-head">
        <h2>Replay{span === null ? "" : ` of ${span.name || "a call"}`}</h2>
        <button type="button" class="quiet" aria-label="Close the replay" title="Close (Esc)" onClick={close}>
          ✕
        </button>
      </header>
      {span === null ? (
        failure === null ? (
          <Skeleton label="Loading the call" />
        ) : (
          <p class="notice" role="alert">
            {describe(failure)}
          </p>
        )
      ) : span.span_type !== "llm_call" ? (
        <Message title="Only a call of a model can be run again">
          <p>
            This span is a {span.span_type}. Press <Key keys="l" /> for the next LLM call.
          </p>
          <button type="button" onClick={close}>
            Close
          </button>
        </Message>
      ) : (
        <Bench key={span.span_id} span={span} />
      )}
    </section>
  );
}

function Bench({ span }: { span: Span }) {
  const { attributes } = span;
  const id = `${span.trace_id}/${span.span_id}`;
  const [draft, setDraft] = useState<Draft>(() => keptDraft(id) ?? draftOf(attributes));
  const [times, setTimes] = useState(1);
  const [models, setModels] = useState<readonly Model[]>([]);
  const [keys, setKeys] = useState<readonly KeyInfo[]>([]);
  /** Nothing is run before its price and its key are known, or known not to be had. */
  const [asked, setAsked] = useState<"asking" | "known" | "unknown">("asking");
  const [runs, setRuns] = useState<readonly ReplayRun[]>([]);
  const [unread, setUnread] = useState<Failure | null>(null);

  const change = (changes: Partial<Draft>) => {
    const changed = { ...draft, ...changes };
    keepDraft(id, changed);
    setDraft(changed);
  };
  const readRuns = async () => {
    const answer = await ask("GET /v1/spans/{span_id}/replays", {
      path: { span_id: span.span_id },
      query: { trace_id: span.trace_id, limit: 200 },
    });
    if (answer.ok) setRuns((known) => joined(answer.value.replays, known));
    setUnread(answer.ok ? null : answer.failure);
  };
  const readKeys = async () => {
    const answer = await ask("GET /v1/settings/api-keys");
    if (answer.ok) setKeys(answer.value);
    return answer.ok;
  };
  const readPrices = async () => {
    setAsked("asking");
    const [keysRead, answer] = await Promise.all([readKeys(), ask("GET /v1/models")]);
    if (answer.ok) setModels(answer.value.models);
    setAsked(keysRead && answer.ok ? "known" : "unknown");
  };
  const latest = useRef(readRuns);
  latest.current = readRuns;
  const call = useMemo(() => new ReplayCall(() => void latest.current()), []);
  useEffect(() => {
    void readRuns();
    void readPrices();
    return () => call.leave();
  }, []);

  const state = call.state.value;
  const running = state.kind === "running";
  const model = modelOf(draft, models);
  const provider = draft.provider || model?.provider || "";
  const keyless = keys.find((one) => one.provider === provider && one.needs_key && !one.configured);
  const missing = keyless !== undefined;
  const wrong = useMemo(() => wrongDraft(draft), [draft]);
  const changed = useMemo(() => modifications(draft, attributes), [draft, attributes]);
  const run = () => {
    if (running || wrong !== null || missing || asked === "asking") return;
    void call.start({
      span_id: span.span_id,
      trace_id: span.trace_id,
      modified_attributes: changed,
      ...(times > 1 ? { n: times } : {}),
    });
  };
  useCommands([
    { id: "replay-run", title: "Run the replay", group: "Replay", keys: ["Ctrl+Enter"], whileTyping: true, run },
    { id: "replay-cancel", title: "Cancel the run", group: "Replay", run: () => void call.cancel() },
  ]);

  const tools = toolsOf(attributes);
  return (
    <>
      <div class="replay-panes">
        <section class="replay-edit" aria-label="What is sent">
          <div class="replay-scroll">
            <div class="replay-fields">
              <ModelField draft={draft} models={models} change={change} />
              <label>
                Temperature
                <input
                  type="text"
                  inputmode="decimal"
                  placeholder="default"
                  value={draft.temperature}
                  onInput={(event) => change({ temperature: event.currentTarget.value.trim() })}
                />
              </label>
              <label>
                Max tokens
                <input
                  type="text"
                  inputmode="numeric"
                  placeholder="default"
                  value={draft.maxTokens}
                  onInput={(event) => change({ maxTokens: event.currentTarget.value.trim() })}
                />
              </label>
              <label>
                Runs
                <input
                  type="number"
                  min={1}
                  max={10}
                  value={times}
                  onInput={(event) =>
                    setTimes(Math.max(1, Math.min(10, Math.round(event.currentTarget.valueAsNumber) || 1)))
                  }
                />
              </label>
              {tools.length > 0 ? (
                <label class="check" title={tools.join(", ")}>
                  <input
                    type="checkbox"
                    checked={draft.tools}
                    onChange={(event) => change({ tools: event.currentTarget.checked })}
                  />
                  Tools ({tools.length})
                </label>
              ) : null}
            </div>
            <Cards cards={draft.cards} change={(cards) => change({ cards })} />
          </div>
          <footer class="replay-foot">
            {keyless ? <KeyField provider={provider} baseUrl={keyless.base_url} saved={() => void readKeys()} /> : null}
            {wrong === null ? null : (
              <p class="bad" role="alert">
                {wrong}
              </p>
            )}
            <p class="buttons">
              <button
                type="button"
                class="primary"
                disabled={running || wrong !== null || missing || asked === "asking"}
                onClick={run}
              >
                {times > 1 ? `Run ${times} times` : "Run"} <Key keys="Ctrl+Enter" />
              </button>
              <span class="replay-price" role="status">
                {asked === "asking"
                  ? "Asking what it costs…"
                  : asked === "unknown" && model === undefined
                    ? "What it costs could not be read now."
                    : told(priceOf(draft, model, attributes), times)}
              </span>
              {asked === "unknown" ? (
                <button type="button" onClick={() => void readPrices()}>
                  Ask again
                </button>
              ) : null}
              {Object.keys(changed).length > 0 ? (
                <button
                  type="button"
                  onClick={() => {
                    dropDraft(id);
                    setDraft(draftOf(attributes));
                  }}
                >
                  As recorded
                </button>
              ) : null}
            </p>
          </footer>
        </section>
        <section class="replay-result" aria-label="What came back">
          <div class="replay-scroll">
            {state.kind === "running" ? (
              <Writing call={call} since={state.since} />
            ) : state.kind === "failed" ? (
              <div class="failed" role="alert">
                <strong>
                  {provider || "The model"} did not answer{state.status === null ? "" : ` (status ${state.status})`}
                </strong>
                <p>{state.detail}</p>
                <button type="button" onClick={run}>
                  Try again
                </button>
              </div>
            ) : state.kind === "lost" ? (
              <div class="failed" role="alert">
                <strong>The connection to Beacon broke off.</strong>
                <p>The call may go on. Asking for its answer does not pay it twice.</p>
                <button type="button" onClick={() => void call.again()}>
                  Ask for the answer
                </button>
              </div>
            ) : state.kind === "cancelled" ? (
              <p class="notice" role="status">
                Cancelled: the call was ended, and nothing of it is kept.
              </p>
            ) : null}
            {running ? null : (
              <Outcome span={span} runs={runs} first={state.kind === "done" ? state.result.replay_id : null} />
            )}
          </div>
        </section>
      </div>
      <Runs runs={runs} failure={unread} />
    </>
  );
}

function ModelField({
  draft,
  models,
  change,
}: {
  draft: Draft;
  models: readonly Model[];
  change(c: Partial<Draft>): void;
}) {
  return (
    <label class="replay-model">
      Model
      <input
        type="text"
        list="replay-models"
        autocomplete="off"
        spellcheck={false}
        value={draft.model}
        onInput={(event) => {
          const model = event.currentTarget.value;
          const known = modelOf({ model, provider: draft.provider }, models);
          change({ model, ...(known ? { provider: known.provider } : {}) });
        }}
      />
      <datalist id="replay-models">
        {[...models]
          .sort((a, b) => Number(b.configured) - Number(a.configured))
          .map((one) => (
            <option key={`${one.provider}/${one.model}`} value={one.model}>
              {one.provider}
              {one.configured ? "" : " (no key)"}
            </option>
          ))}
      </datalist>
    </label>
  );
}

function told(price: Price, times: number): string {
  if (price.usd === null) return "The price of this model is not known.";
  if (price.usd === 0) return "Costs nothing: it runs on this machine.";
  const each = `${price.exact ? "" : "about "}${cost(price.usd * times)}`;
  return price.most === null || price.most <= price.usd ? each : `${each}, at most ${cost(price.most * times)}`;
}

/** What the model has written so far, how long it has been at it, and a way to end it. */
function Writing({ call, since }: { call: ReplayCall; since: number }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 100);
    return () => clearInterval(timer);
  }, []);
  const written = call.written.value;
  return (
    <div class="writing">
      <p class="buttons">
        <span class="spinner" aria-hidden="true" />
        <span role="timer">{duration(Math.floor((Date.now() - since) / 100) * 100)}</span>
        <button type="button" onClick={() => void call.cancel()}>
          Cancel
        </button>
      </p>
      {written.map((text, i) => (
        <section key={i} aria-label={written.length > 1 ? `Run ${i + 1}` : "Answer so far"} aria-live="off">
          {written.length > 1 ? <h4>Run {i + 1}</h4> : null}
          <LongText text={text} />
        </section>
      ))}
    </div>
  );
}
