// Every attribute of a span, by its name. JSON in a text is shown as what it says.
import { useState } from "preact/hooks";
import { CopyButton } from "../../components/copy.tsx";
import { Crowded, JsonTree } from "../../components/json_tree.tsx";
import { LongText } from "../../components/long_text.tsx";
import { plural } from "../../model/format.ts";
import { asText, jsonIn } from "../../model/values.ts";

const FIRST = 100;
const CROWD = 20;

export function Attributes({ attributes }: { attributes: Record<string, unknown> }) {
  const [shown, setShown] = useState(FIRST);
  const names = Object.keys(attributes);
  if (names.length === 0) return <p class="dim pad">It has no attributes.</p>;
  return (
    <section class="attributes" aria-label="Attributes">
      <Crowded.Provider value={names.length > CROWD}>
        <dl>
          {names.slice(0, shown).map((name) => (
            <div key={name}>
              <dt title={name}>
                {name.slice(0, 300)}
                <CopyButton text={() => asText(attributes[name])} what={name.slice(0, 60)} />
              </dt>
              <dd>
                <One name={name} value={attributes[name]} />
              </dd>
            </div>
          ))}
        </dl>
      </Crowded.Provider>
      {names.length > shown ? (
        <button type="button" class="more" onClick={() => setShown(shown + FIRST)}>
          Show more of {plural(names.length, "attribute")}
        </button>
      ) : null}
    </section>
  );
}

function One({ name, value }: { name: string; value: unknown }) {
  if (value === "") return <span class="dim">(empty)</span>;
  const tree = typeof value === "string" ? jsonIn(value) : value;
  if (tree !== null && typeof tree === "object") return <JsonTree value={tree} label={name.slice(0, 60)} />;
  return <LongText text={typeof value === "string" ? value : String(value)} />;
}
