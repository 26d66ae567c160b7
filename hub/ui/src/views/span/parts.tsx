// What the views of the span types share: their attributes by name, and those that none of them shows.
import { Value } from "../../components/value.tsx";
import { Attributes } from "./attributes.tsx";

type Fields = Record<string, unknown>;

/** The first of these attributes that says something. */
export function first(attributes: Fields, ...names: string[]): unknown {
  for (const name of names) {
    const value = attributes[name];
    if (value !== undefined && value !== null && value !== "") return value;
  }
  return undefined;
}

/** Short facts, each with its name: those that are there. */
export function Facts({ of }: { of: readonly (readonly [string, unknown])[] }) {
  const there = of.filter(([, value]) => value !== undefined && value !== null && value !== "");
  if (there.length === 0) return null;
  return (
    <dl class="facts">
      {there.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{(typeof value === "string" ? value : (JSON.stringify(value) ?? "")).slice(0, 500)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Names of attributes that begin alike: `names("tool.", "name input")`. */
export function names(prefix: string, ...words: string[]): ReadonlySet<string> {
  return new Set(words.flatMap((some) => some.split(" ")).map((word) => prefix + word));
}

/** Attributes that stand nowhere above, folded. */
export function Rest({ attributes, shown }: { attributes: Fields; shown: ReadonlySet<string> }) {
  const rest = Object.fromEntries(Object.entries(attributes).filter(([name]) => !shown.has(name)));
  const size = Object.keys(rest).length;
  if (size === 0) return null;
  return (
    <details class="rest">
      <summary>Other attributes ({size})</summary>
      <Attributes attributes={rest} />
    </details>
  );
}

export { Value };
