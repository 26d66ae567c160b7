// The way to the hints of a trace: when they are looked for, their chip, their panel, and its code, which comes with the
// first trace that is looked through.
import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { useCommands } from "../../app/commands.ts";
import { route, setQuery } from "../../app/route.ts";
import { Key } from "../../components/key.tsx";
import { plural } from "../../model/format.ts";
import type { Hint } from "../../model/hints.ts";
import { toast } from "../../state/toasts.ts";
import type { TraceStore } from "../../state/trace.ts";
import type { TraceViewProps } from "./views.ts";

/** Runs up to so many spans, and so many characters, are looked through by themselves; others when somebody asks. */
const SPANS_MAX = 500;
const TEXT_MAX = 4_000_000;
const ASKED_MAX = 200_000_000;
/** So long nothing has to happen before a run is looked through. */
const QUIET_MS = 600;

/** What was found in the trace that is open; null while nobody has looked. */
const found = signal<{ store: TraceStore; hints: readonly Hint[]; Panel: Panel } | null>(null);
type Panel = typeof import("../hints/index.tsx")["HintsPanel"];

async function look(store: TraceStore, most: number, stop: AbortSignal): Promise<readonly Hint[] | null> {
  try {
    const { look, HintsPanel } = await import("../hints/index.tsx");
    const hints = await look(store.traceId, most, stop);
    if (hints !== null && !stop.aborted) found.value = { store, hints, Panel: HintsPanel };
    return hints;
  } catch {
    return null; // its code cannot be had: the trace can be read without
  }
}

export function HintsChip({ store }: { store: TraceStore }) {
  const here = found.value;
  if (here?.store !== store || here.hints.length === 0) return null;
  const open = route.value.query.has("hints");
  return (
    <button
      type="button"
      class="chip hint-chip"
      aria-expanded={open}
      title="Loops and waste in this run"
      onClick={() => setQuery({ hints: open ? null : "1" })}
    >
      {plural(here.hints.length, "hint")} <Key keys="h" />
    </button>
  );
}

export function HintsDoor({ store, tree, chosen, select }: TraceViewProps) {
  const version = store.version.value;
  const stop = useMemo(() => new AbortController(), [store]);
  useEffect(() => () => stop.abort(), [stop]);
  const quiet = store.trace.size > 0 && store.trace.summary?.running_count === 0;
  useEffect(() => {
    if (!quiet || store.trace.size > SPANS_MAX) return;
    const timer = setTimeout(() => void look(store, TEXT_MAX, stop.signal), QUIET_MS);
    return () => clearTimeout(timer);
  }, [store, version, quiet]);
  const ask = async () => {
    const known = found.value?.store === store ? found.value.hints : null;
    const hints = known ?? (await look(store, ASKED_MAX, stop.signal));
    if (stop.signal.aborted) return;
    if (hints === null) toast("This run could not be looked through.", "bad");
    else if (hints.length === 0) toast("No loop and no waste was found in this run.");
    else setQuery({ hints: route.value.query.has("hints") ? null : "1" });
  };
  useCommands([
    { id: "hints", title: "Loops and waste in this run", group: "Trace", keys: ["h"], run: () => void ask() },
  ]);
  const here = found.value;
  if (here?.store !== store || here.hints.length === 0 || !route.value.query.has("hints")) return null;
  const { Panel } = here;
  return (
    <Panel
      hints={here.hints}
      tree={tree}
      chosen={chosen}
      select={(node) => select(node, true)}
      close={() => setQuery({ hints: null })}
    />
  );
}
