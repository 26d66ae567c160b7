// What a span did in a few words, of one that came live: as the server says it of those it answers (query/labels.py). Pure.
import type { Span } from "../api/schema.ts";
import { jsonIn } from "./values.ts";

const LABEL_MAX = 120;
const ARGUMENT_MAX = 60;
const TOOLS_SHOWN = 3;
/** Names of arguments that say most, first first; else the first that is a text or a number. */
const MAIN_ARGUMENTS = "query q question command cmd path file_path file url name id expression".split(" ");

/** The label of a span of this type and name; null where the name says as much. */
export function labelOf(type: Span["span_type"], name: string, attributes: Record<string, unknown>): string | null {
  const made = ofType(type, name, attributes);
  return made === null || made === name ? null : cut(made, LABEL_MAX);
}

/**
 * What a label adds to the name that stands before it: "→ lookup_order(4711)", "(4711)". OpenTelemetry names a call
 * "chat gpt-4o": the model need not stand there twice.
 */
export function beside(name: string, label: string | null | undefined): string {
  if (!label) return "";
  if (name === "") return label;
  const subject = label.startsWith(name) ? name : label.split(/: | → /, 1)[0]!;
  if (subject === "" || (subject !== name && !name.endsWith(` ${subject}`))) return label;
  return label.slice(subject.length).replace(/^:?\s+/, "");
}

/** The one argument that says most, of what a tool was called with. */
export function mainArgument(value: unknown): string | null {
  let found = structure(value);
  if (found !== null && typeof found === "object" && !Array.isArray(found)) {
    const all = found as Record<string, unknown>;
    const scalars = Object.keys(all).filter((key) => isScalar(all[key]) && all[key] !== "");
    if (scalars.length === 0) return Object.keys(all).length > 0 ? "…" : null;
    found = all[MAIN_ARGUMENTS.find((key) => scalars.includes(key)) ?? scalars[0]!];
  }
  if (Array.isArray(found)) return found.length > 0 ? "…" : null;
  return isScalar(found) ? oneLine(String(found), ARGUMENT_MAX) : null;
}

function ofType(type: Span["span_type"], name: string, said: Record<string, unknown>): string | null {
  switch (type) {
    case "llm_call": {
      const model = words(said["llm.model"]) ?? name;
      const tools = called(said["llm.tool_calls"]);
      if (tools.length > 0) {
        const more = tools.length > TOOLS_SHOWN ? ` +${tools.length - TOOLS_SHOWN}` : "";
        return `${model} → ${tools.slice(0, TOOLS_SHOWN).join(", ")}${more}`;
      }
      const answer = words(said["llm.completion"]);
      return answer === null ? model : `${model}: ${answer}`;
    }
    case "tool_use": {
      const tool = words(said["tool.name"]) ?? name;
      const argument = mainArgument(said["tool.input"]);
      return argument === null ? tool : `${tool}(${argument})`;
    }
    case "shell_command":
      return words(said["shell.command"]);
    case "file_operation":
      return joined(said["file.operation"], said["file.path"]);
    case "browser_action":
      return joined(said["browser.action"], said["browser.selector"] || said["browser.url"]);
    case "agent_step":
      return words(said["agent.step_name"]);
    default:
      return null;
  }
}

function called(value: unknown): string[] {
  const calls = structure(value);
  const found: string[] = [];
  for (const call of Array.isArray(calls) ? calls : []) {
    const at = call?.function !== null && typeof call?.function === "object" ? call.function : call;
    const name = words(at?.name);
    if (name === null) continue;
    const argument = mainArgument(at.arguments);
    found.push(argument === null ? name : `${name}(${argument})`);
  }
  return found;
}

function structure(value: unknown): unknown {
  return typeof value === "string" ? (jsonIn(value) ?? value) : value;
}

function isScalar(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}

function joined(...values: unknown[]): string | null {
  return values.map(words).filter(Boolean).join(" ") || null;
}

function words(value: unknown): string | null {
  return typeof value === "string" ? oneLine(value, 4 * LABEL_MAX) || null : null;
}

/** The beginning on one line. A label of a 10 MB completion must not cost 10 MB of work. */
function oneLine(text: string, most: number): string {
  return cut(
    text
      .slice(0, 4 * most)
      .replace(/\s+/g, " ")
      .trim(),
    most,
  );
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
