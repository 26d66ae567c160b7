// A call to a model as the conversation it was: what is new since the call before it, then the answer.
import { useMemo } from "preact/hooks";
import { route, setQuery } from "../../app/route.ts";
import { Crowded } from "../../components/json_tree.tsx";
import { raw, setRaw } from "../../components/markdown.tsx";
import { type Message, pairs, readAnswer, readPrompt } from "../../model/conversation.ts";
import { duration, plural } from "../../model/format.ts";
import { newSince, previousCall } from "../../model/newMessages.ts";
import { MessageCard } from "./message_card.tsx";
import { Facts, names, Rest, Value } from "./parts.tsx";
import type { SpanViewProps } from "./views.ts";

/** So many messages of a long conversation are in the page at first, the last of them. */
const SHOWN = 50;
/** Beside more than so many, trees in messages show their first rows. */
const CROWD = 10;

export function CallView({ span, node, store, select }: SpanViewProps) {
  const { attributes } = span;
  const prompt = useMemo(() => readPrompt(attributes["llm.prompt"]), [attributes]);
  const answer = useMemo(() => readAnswer(attributes), [attributes]);
  const before = previousCall(store.tree.value, node);
  // read here, so that the call before is fetched and this is drawn again when it is there
  const previous = before === null ? null : store.detail(before.span.span_id).span.value;
  const change = useMemo(
    () => (previous === null ? null : newSince(readPrompt(previous.attributes["llm.prompt"]), prompt)),
    [previous, prompt],
  );
  const known = change?.continues ? change : null;
  const paired = useMemo(() => pairs(answer === null ? prompt : [...prompt, answer]), [prompt, answer]);

  const query = route.value.query;
  const all = known === null || query.get("messages") === "all";
  const shown = all ? prompt : prompt.filter((_, i) => !known.old[i]);
  const places = useMemo(() => new Map(prompt.map((message, i) => [message, i + 1])), [prompt]);
  const limit = query.get("messages") === "all" && query.has("whole") ? prompt.length : SHOWN;
  const list = shown.slice(-limit);
  const inSight = new Set(list.flatMap((message) => message.parts));
  const tools = attributes["llm.tools"];
  const waited = attributes["llm.ttft_ms"];
  return (
    <div class="kind kind-call">
      <Facts
        of={[
          ["model", attributes["llm.model"]],
          ["provider", attributes["llm.provider"]],
          ["asked for", attributes["llm.request_model"]],
          ["temperature", attributes["llm.temperature"]],
          ["max tokens", attributes["llm.max_tokens"]],
          ["input", attributes["llm.tokens.input"]],
          ["output", attributes["llm.tokens.output"]],
          ["first token", typeof waited === "number" ? duration(waited) : undefined],
          ["finish", attributes["llm.finish_reason"]],
        ]}
      />
      <div class="talk-bar">
        {known !== null && before !== null ? (
          <fieldset class="segments" aria-label="Which messages">
            <button type="button" aria-pressed={!all} onClick={() => setQuery({ messages: null, whole: null }, false)}>
              +{known.added} since #{before.sequence}
            </button>
            <button type="button" aria-pressed={all} onClick={() => setQuery({ messages: "all" }, false)}>
              All {prompt.length}
            </button>
          </fieldset>
        ) : (
          <span class="dim">{plural(prompt.length, "message")}</span>
        )}
        {before === null ? null : (
          <button type="button" class="quiet-link" onClick={() => select(before)}>
            previous call #{before.sequence}
          </button>
        )}
        <button type="button" class="switch" aria-pressed={raw.value} onClick={() => setRaw(!raw.value)}>
          Raw text
        </button>
      </div>
      <Crowded.Provider value={list.length > CROWD}>
        <div class="talk" role="group" aria-label="Conversation">
          {known !== null && !all && prompt.length > known.added ? (
            <button type="button" class="older" onClick={() => setQuery({ messages: "all" }, false)}>
              ▸ {plural(prompt.length - known.added, "older message")}, as in #{before!.sequence}
              {known.gone > 0 ? `; ${known.gone} of it are gone` : ""}
            </button>
          ) : null}
          {shown.length > list.length ? (
            <button type="button" class="older" onClick={() => setQuery({ messages: "all", whole: "1" }, true)}>
              ▸ {plural(shown.length - list.length, "earlier message")}
            </button>
          ) : null}
          {list.map((message) => (
            <Shown
              key={places.get(message)}
              message={message}
              place={places.get(message)!}
              paired={paired}
              inSight={inSight}
            />
          ))}
          {answer === null ? (
            <p class="dim pad">{span.end_time === null && !span.interrupted ? "No answer yet" : "No answer"}</p>
          ) : (
            <Crowded.Provider value={false}>
              <MessageCard message={answer} place={null} paired={paired} inSight={inSight} />
            </Crowded.Provider>
          )}
        </div>
      </Crowded.Provider>
      {tools === undefined || tools === null ? null : (
        <details class="rest">
          <summary>Tools it was offered</summary>
          <Value title="Tools" value={tools} />
        </details>
      )}
      <Rest attributes={attributes} shown={SHOWN_ABOVE} />
    </div>
  );
}

const SHOWN_ABOVE = names(
  "llm.",
  "prompt completion reasoning tool_calls tools model provider request_model temperature max_tokens finish_reason ttft_ms",
  "tokens.input tokens.output tokens.total cost_usd",
);

interface ShownProps {
  message: Message;
  place: number;
  paired: ReturnType<typeof pairs>;
  inSight: ReadonlySet<unknown>;
}

/** A message of results alone stands with the calls they belong to, where those are in sight. */
function Shown(props: ShownProps) {
  const { message, paired, inSight } = props;
  const told = message.parts.every((part) => part.kind === "result" && inSight.has(paired.get(part)));
  return message.parts.length > 0 && told ? null : <MessageCard {...props} />;
}
