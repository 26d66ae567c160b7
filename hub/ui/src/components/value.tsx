// One value with its name: as a tree where it is JSON, or in a text that is, else as the text it is; raw on a click.
import { useState } from "preact/hooks";
import { bytes } from "../model/format.ts";
import { jsonIn } from "../model/values.ts";
import { CopyButton } from "./copy.tsx";
import { JsonTree } from "./json_tree.tsx";
import { LongText } from "./long_text.tsx";

interface Props {
  title: string;
  value: unknown;
  /** Said when there is none. */
  none?: string;
}

export function Value({ title, value, none = "none" }: Props) {
  const [raw, setRaw] = useState(false);
  const missing = value === undefined || value === null || value === "";
  const tree = typeof value === "string" ? jsonIn(value) : typeof value === "object" ? value : undefined;
  const text = missing ? "" : typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? "");
  return (
    <section class="value" aria-label={title}>
      <header>
        <h3>{title}</h3>
        {missing ? null : <small class="dim">{bytes(text.length)}</small>}
        {tree && !missing ? (
          <button type="button" class="switch" aria-pressed={raw} onClick={() => setRaw(!raw)}>
            Raw
          </button>
        ) : null}
        {missing ? null : <CopyButton text={text} what={title.toLowerCase()} />}
      </header>
      {missing ? (
        <p class="dim">{none}</p>
      ) : tree && !raw ? (
        <JsonTree value={tree} label={title} />
      ) : (
        <LongText text={text} />
      )}
    </section>
  );
}
