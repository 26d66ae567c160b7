// An exported trace, dropped anywhere on the page or chosen as a file; what is wrong with it is said line by line.
import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { send } from "../../api/client.ts";
import type { Imported, ImportTrace } from "../../api/schema.ts";
import { useCommands } from "../../app/commands.ts";
import { go, tracePath } from "../../app/route.ts";
import { CloseIcon } from "../../components/icons.tsx";
import { describe } from "../../components/states.tsx";
import { bytes, plural } from "../../model/format.ts";
import { placeIn } from "../../model/place.ts";
import { toast } from "../../state/toasts.ts";

type State =
  | { kind: "idle" }
  | { kind: "busy"; name: string; size: number; at: number; of: number }
  | { kind: "refused"; name: string; said: string; errors: ReadonlyArray<{ loc: string; msg: string }> };

const state = signal<State>({ kind: "idle" });
const ERRORS_SHOWN = 20;
const SIZE_MAX = 64 * 1024 * 1024;

/** Store the traces in these files; the page of the last one opens. */
async function take(files: readonly File[]): Promise<void> {
  if (state.value.kind === "busy") return;
  const done: Imported[] = [];
  for (const [i, file] of files.entries()) {
    state.value = { kind: "busy", name: file.name, size: file.size, at: i + 1, of: files.length };
    const wrong = await one(file, done);
    if (wrong !== null) {
      state.value = { kind: "refused", name: file.name, ...wrong };
      return;
    }
  }
  state.value = { kind: "idle" };
  const last = done.at(-1);
  if (last === undefined) return;
  toast(`Imported ${plural(done.length, "trace")}`, "good");
  go(tracePath(last.trace_id));
}

async function one(file: File, done: Imported[]) {
  const wrong = (said: string, errors: ReadonlyArray<{ loc: string; msg: string }> = []) => ({ said, errors });
  if (file.size > SIZE_MAX)
    return wrong(`The file has ${bytes(file.size)}; at most ${bytes(SIZE_MAX)} can be imported.`);
  let text: string;
  try {
    text = await file.text();
  } catch {
    return wrong("The browser could not read the file.");
  }
  let whole: unknown = null;
  try {
    whole = JSON.parse(text);
  } catch {
    const answer = await send("POST /v1/traces/import", { raw: text, timeout: null });
    if (answer.ok) return wrong("This browser cannot read the file.");
    const place = placeIn(text, describe(answer.failure));
    return wrong(
      `${describe(answer.failure)}${place === null ? "" : ` That is line ${place.line}, column ${place.column}.`}`,
    );
  }
  // an export of several traces is imported one after the other
  const several = (whole as { traces?: unknown } | null)?.traces;
  if (Array.isArray(several) && several.length === 0) return wrong("The file holds no trace: its `traces` is empty.");
  for (const [i, trace] of (Array.isArray(several) ? several : [whole]).entries()) {
    const answer = await send("POST /v1/traces/import", { body: trace as ImportTrace, timeout: null });
    const where = Array.isArray(several) ? `traces[${i}].` : "";
    if (!answer.ok) {
      const { failure } = answer;
      const errors = failure.kind === "refused" ? failure.errors : [];
      return wrong(
        describe(failure),
        errors.map(({ loc, msg }) => ({ loc: where + loc, msg })),
      );
    }
    done.push((await answer.value.json()) as Imported);
  }
  return null;
}

/** Files may be dropped on whatever the page shows: a browser would leave the page for a file that nobody takes. */
export function DropAnywhere() {
  const [over, setOver] = useState(false);
  useEffect(() => {
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const dragged = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const left = (event: DragEvent) => {
      if (event.relatedTarget === null) setOver(false);
    };
    const dropped = (event: DragEvent) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      setOver(false);
      void take([...(event.dataTransfer?.files ?? [])]);
    };
    addEventListener("dragover", dragged);
    addEventListener("dragleave", left);
    addEventListener("drop", dropped);
    return () => {
      removeEventListener("dragover", dragged);
      removeEventListener("dragleave", left);
      removeEventListener("drop", dropped);
    };
  }, []);
  return (
    <>
      <Told />
      {over ? <p class="drop-here">Drop an exported trace to import it</p> : null}
    </>
  );
}

/** The command that asks for a file. */
export function ImportCommand() {
  const picker = useRef<HTMLInputElement>(null);
  useCommands([{ id: "import", title: "Import a trace", group: "List", run: () => picker.current?.click() }]);
  return <FileInput field={picker} />;
}

function FileInput({ field }: { field: { current: HTMLInputElement | null } }) {
  return (
    <input
      ref={field}
      type="file"
      hidden
      multiple
      accept=".json,application/json"
      aria-label="Files to import"
      onChange={(event) => {
        const files = [...(event.currentTarget.files ?? [])];
        event.currentTarget.value = "";
        void take(files);
      }}
    />
  );
}

export function ImportButton() {
  const picker = useRef<HTMLInputElement>(null);
  return (
    <>
      <FileInput field={picker} />
      <button type="button" onClick={() => picker.current?.click()}>
        Choose a file…
      </button>
    </>
  );
}

function Told() {
  const now = state.value;
  if (now.kind === "idle") return null;
  if (now.kind === "busy") {
    return (
      <p class="notice import-told" role="status">
        Importing {now.name} ({bytes(now.size)}){now.of > 1 ? `, ${now.at} of ${now.of}` : ""}…
      </p>
    );
  }
  return (
    <section class="import-told refused" role="alert" aria-label="Import refused">
      <p>
        <strong>{now.name} was not imported.</strong> {now.said}
      </p>
      {now.errors.length > 0 ? (
        <ul>
          {now.errors.slice(0, ERRORS_SHOWN).map(({ loc, msg }) => (
            <li key={`${loc} ${msg}`}>
              <code>{loc}</code>: {msg}
            </li>
          ))}
          {now.errors.length > ERRORS_SHOWN ? <li>and {now.errors.length - ERRORS_SHOWN} more</li> : null}
        </ul>
      ) : null}
      <button
        type="button"
        class="quiet"
        aria-label="Dismiss"
        onClick={() => {
          state.value = { kind: "idle" };
        }}
      >
        <CloseIcon />
      </button>
    </section>
  );
}
