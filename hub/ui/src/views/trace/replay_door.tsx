// The way into replay from a trace: its key, its button, and its code, which is fetched when somebody goes in.
import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useLayoutEffect } from "preact/hooks";
import { useCommands } from "../../app/commands.ts";
import { route, setQuery } from "../../app/route.ts";
import { Key } from "../../components/key.tsx";
import { Message } from "../../components/states.tsx";
import type { Node } from "../../model/tree.ts";
import type { Detail, TraceStore } from "../../state/trace.ts";

type Part = ComponentType<{ detail: Detail; close(): void }>;
const part = signal<Part | Error | null>(null);
let fetching = false;

function fetchPart(): void {
  if (fetching) return;
  fetching = true;
  import("../replay/index.tsx").then(
    (module) => {
      part.value = module.default;
    },
    (error) => {
      fetching = false;
      part.value = error instanceof Error ? error : new Error(String(error));
    },
  );
}

function enter(chosen: Node | null): void {
  if (chosen !== null) setQuery({ span: chosen.span.span_id, replay: "1" }, false);
}

/** As in replay.css: where it takes the whole page. */
const NARROW = matchMedia("(max-width: 900px)");

/** What lies under the replay is out of reach of keys and readers too, else the focus goes where nobody sees it. The table is
 * not, where its names are in sight. */
function cover(on: boolean): void {
  for (const part of document.querySelectorAll(".trace > :not(.split, .replay), .split-second, .split-line, .time-bar"))
    part.toggleAttribute("inert", on);
  document.querySelector(".split-first")?.toggleAttribute("inert", on && NARROW.matches);
}

function close(): void {
  setQuery({ replay: null });
  cover(false);
  document.querySelector<HTMLElement>('[role="treegrid"]')?.focus({ preventScroll: true });
}

export function ReplayButton({ chosen }: { chosen: Node | null }) {
  if (chosen?.span.span_type !== "llm_call") return null;
  return (
    <button type="button" onClick={() => enter(chosen)}>
      Replay <Key keys="r" />
    </button>
  );
}

/** The replay of the chosen span on top of the panes, where the address says so. */
export function ReplayDoor({ store, chosen }: { store: TraceStore; chosen: Node | null }) {
  useCommands([{ id: "replay", title: "Replay this call", group: "Trace", keys: ["r"], run: () => enter(chosen) }]);
  const open = route.value.query.get("replay") !== null && chosen !== null;
  useLayoutEffect(() => {
    if (!open) return;
    const again = () => cover(true);
    again();
    NARROW.addEventListener("change", again);
    return () => {
      NARROW.removeEventListener("change", again);
      cover(false);
    };
  }, [open]);
  if (!open) return null;
  const Body = part.value;
  if (Body === null) {
    fetchPart();
    return null;
  }
  if (Body instanceof Error) {
    return (
      <section class="replay" aria-label="Replay">
        <Message title="The replay could not be loaded">
          <p role="alert">Beacon may have been updated since this page was opened, or it is not running.</p>
          <button type="button" onClick={() => location.reload()}>
            Reload the page
          </button>
        </Message>
      </section>
    );
  }
  return <Body key={chosen.span.span_id} detail={store.detail(chosen.span.span_id)} close={close} />;
}
