// What an agent knew after a step: the messages so far, the last result of a tool, what had been spent.
import { useMemo } from "preact/hooks";
import { describe } from "../../components/states.tsx";
import { Value } from "../../components/value.tsx";
import { pairs, readAnswer, readPrompt } from "../../model/conversation.ts";
import { cost, count, duration, plural } from "../../model/format.ts";
import type { StateAt } from "../../model/steps.ts";
import type { Node, Tree } from "../../model/tree.ts";
import type { TraceStore } from "../../state/trace.ts";
import { MessageCard } from "../span/message_card.tsx";

interface Props {
  store: TraceStore;
  tree: Tree;
  state: StateAt;
}

/** So many messages are in the page, the last of them. */
const SHOWN = 30;

export function StatePane({ store, state }: Props) {
  return (
    <section class="state-pane" aria-label="State after the step">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <section aria-label="Messages so far" tabIndex={0} data-own-keys>
        <h2>Messages so far</h2>
        {state.call === null ? (
          <p class="dim">No model had been called.</p>
        ) : (
          <Messages store={store} call={state.call} />
        )}
      </section>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <section aria-label="Last result of a tool" tabIndex={0} data-own-keys>
        <h2>Last result of a tool</h2>
        {state.tool === null ? <p class="dim">No tool had been called.</p> : <Result store={store} tool={state.tool} />}
        <h2>So far</h2>
        <dl class="spent">
          <div>
            <dt>Time</dt>
            <dd>{duration(state.since * 1000)}</dd>
          </div>
          <div>
            <dt>Tokens</dt>
            <dd>{count(state.tokens)}</dd>
          </div>
          <div>
            <dt>Cost</dt>
            <dd>{cost(state.cost)}</dd>
          </div>
          <div>
            <dt>Errors</dt>
            <dd>{state.errors}</dd>
          </div>
        </dl>
      </section>
    </section>
  );
}

function Messages({ store, call }: { store: TraceStore; call: Node }) {
  const detail = store.detail(call.span.span_id);
  const span = detail.span.value;
  const failure = detail.failure.value;
  const messages = useMemo(() => {
    if (span === null) return [];
    const answer = readAnswer(span.attributes);
    const prompt = readPrompt(span.attributes["llm.prompt"]);
    return answer === null ? prompt : [...prompt, answer];
  }, [span]);
  const paired = useMemo(() => pairs(messages), [messages]);
  const shown = messages.slice(-SHOWN);
  const inSight = new Set(shown.flatMap((message) => message.parts));
  if (span === null) return failure === null ? null : <p role="alert">{describe(failure)}</p>;
  if (messages.length === 0) return <p class="dim">What was said was not recorded.</p>;
  return (
    <div class="talk">
      <p class="dim">
        {plural(messages.length, "message")}, up to the answer of #{call.sequence}
      </p>
      {shown.map((message, i) => (
        <MessageCard
          key={messages.length - shown.length + i}
          message={message}
          place={messages.length - shown.length + i + 1}
          paired={paired}
          inSight={inSight}
        />
      ))}
    </div>
  );
}

function Result({ store, tool }: { store: TraceStore; tool: Node }) {
  const detail = store.detail(tool.span.span_id);
  const span = detail.span.value;
  const failure = detail.failure.value;
  if (span === null) return failure === null ? null : <p role="alert">{describe(failure)}</p>;
  const output = span.attributes["tool.output"];
  return (
    <>
      <p class="dim">
        {span.name} #{tool.sequence}
      </p>
      {span.status === "error" ? <p class="bad">{span.error_message ?? "It failed."}</p> : null}
      {output === undefined || output === null ? (
        span.status === "error" ? null : (
          <p class="dim">Its result was not recorded.</p>
        )
      ) : (
        <Value title="Result" value={output} />
      )}
    </>
  );
}
