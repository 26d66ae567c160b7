// One message: who said it, and all it holds.
import { useState } from "preact/hooks";
import { CopyButton } from "../../components/copy.tsx";
import { JsonTree } from "../../components/json_tree.tsx";
import { LongText } from "../../components/long_text.tsx";
import { Markdown } from "../../components/markdown.tsx";
import { Picture } from "../../components/picture.tsx";
import { Value } from "../../components/value.tsx";
import { asPlainText, type Call, type Message, type Part, type Result, sizeOf } from "../../model/conversation.ts";
import { bytes } from "../../model/format.ts";
import { jsonIn } from "../../model/values.ts";

interface Props {
  message: Message;
  /** Its place in the prompt, from 1; null for the answer. */
  place: number | null;
  /** Which result belongs to which call, and the other way round. */
  paired: ReadonlyMap<Part, Part>;
  /** The parts that are drawn: a result stands with its call where that is among them. */
  inSight: ReadonlySet<unknown>;
}

const FOLDED_ROLES = new Set(["system", "developer"]);
const PREVIEW = 140;
const KNOWN_ROLES = new Set(["system", "developer", "user", "assistant", "tool"]);
const PARTS = 200;

export function MessageCard({ message, place, paired, inSight }: Props) {
  const { role, name } = message;
  const folds = FOLDED_ROLES.has(role);
  const [open, setOpen] = useState(!folds);
  const title = place === null ? "answer" : role.slice(0, 40);
  const text = asPlainText(message);
  return (
    <section
      class={`turn role-${KNOWN_ROLES.has(role) ? role : "other"}${place === null ? " answer" : ""}`}
      aria-label={title}
    >
      <header>
        {folds ? (
          <button type="button" class="turn-fold" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? "▾" : "▸"} {title}
          </button>
        ) : (
          <h3>{title}</h3>
        )}
        {name ? <span class="dim">{name.slice(0, 60)}</span> : null}
        {open ? null : <span class="turn-preview dim">{text.slice(0, PREVIEW).replace(/\s+/g, " ")}</span>}
        <small class="dim turn-size">
          {place === null ? "" : `${place} · `}
          {bytes(sizeOf(message))}
        </small>
        <CopyButton text={text} what="the message" />
      </header>
      {open ? (
        <div class="turn-body">
          {message.parts.length === 0 ? <p class="dim">nothing said</p> : null}
          {message.parts.slice(0, PARTS).map((part, i) => (
            <PartView key={i} part={part} paired={paired} inSight={inSight} />
          ))}
          {message.parts.length > PARTS ? (
            <p class="dim">and {message.parts.length - PARTS} more parts: see Attributes</p>
          ) : null}
        </div>
      ) : null}
    </section>
  );
}

function PartView({ part, paired, inSight }: { part: Part } & Pick<Props, "paired" | "inSight">) {
  switch (part.kind) {
    case "text":
      return <Words text={part.text} />;
    case "reasoning":
      return (
        <details class="reasoning">
          <summary>
            Reasoning <small class="dim">{bytes(part.text.length)}</small>
          </summary>
          <LongText text={part.text} as={Markdown} />
        </details>
      );
    case "image":
      return <Picture url={part.url} alt="Image of the message" />;
    case "call":
      return <CallPart call={part} result={(paired.get(part) as Result | undefined) ?? null} />;
    case "result": {
      const call = paired.get(part) as Call | undefined;
      if (call !== undefined && inSight.has(call)) return null;
      return <ResultPart result={part} name={part.name ?? call?.name ?? null} />;
    }
    case "other":
      return <Value title={part.what.slice(0, 60)} value={part.value} />;
  }
}

/** Words, or what they are the JSON of. */
function Words({ text }: { text: string }) {
  const inner = jsonIn(text);
  return inner === undefined ? <LongText text={text} as={Markdown} /> : <JsonTree value={inner} label="Message" />;
}

function CallPart({ call, result }: { call: Call; result: Result | null }) {
  return (
    <div class="tool-call" role="group" aria-label={`Call of ${call.name}`}>
      <p class="tool-name">
        <span aria-hidden="true">⚒ </span>
        {call.name}
        {call.id === null ? null : <code class="dim"> {call.id.slice(0, 60)}</code>}
      </p>
      <Anything value={call.input} label="Arguments" />
      {result === null ? null : <ResultPart result={result} name={null} />}
    </div>
  );
}

function ResultPart({ result, name }: { result: Result; name: string | null }) {
  return (
    <div class={`tool-result${result.failed ? " tool-failed" : ""}`} role="group" aria-label="Result">
      <p class="tool-name">
        <span aria-hidden="true">↳ </span>
        {result.failed ? "failed" : "result"}
        {name === null ? null : ` of ${name}`}
        {name === null || result.id === null ? null : <code class="dim"> {result.id.slice(0, 60)}</code>}
      </p>
      <Anything value={result.output} label="Result" />
    </div>
  );
}

function Anything({ value, label }: { value: unknown; label: string }) {
  if (value === undefined || value === null || value === "") return <p class="dim">nothing</p>;
  if (typeof value === "object") return <JsonTree value={value} label={label} />;
  return <LongText text={String(value)} />;
}
