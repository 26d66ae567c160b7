// What can be done with the traces that are ticked.
import { signal } from "@preact/signals";
import { ask, send } from "../../api/client.ts";
import { useCommands } from "../../app/commands.ts";
import { comparePath, go } from "../../app/route.ts";
import { Key } from "../../components/key.tsx";
import { describe } from "../../components/states.tsx";
import { plural } from "../../model/format.ts";
import { picked, pickNone } from "../../state/picked.ts";
import { toast } from "../../state/toasts.ts";

/** Open the comparison of the two that are ticked: the earlier one is A. */
function compare(): void {
  const chosen = [...picked.value.values()].sort((a, b) => a.start_time - b.start_time);
  const [a, b] = chosen;
  if (chosen.length !== 2 || a === undefined || b === undefined) {
    toast(
      `Tick two traces to compare them (x, or the boxes); ${chosen.length === 0 ? "none is" : `${chosen.length} are`} ticked.`,
    );
    return;
  }
  go(comparePath(b.trace_id, a.trace_id));
}

/** The chosen traces as one file, which "Import" takes again. */
async function save(): Promise<void> {
  const ids = [...picked.value.keys()];
  const answer = await send("GET /v1/traces/export", { query: { trace_ids: ids.join(",") }, timeout: null });
  if (!answer.ok) {
    toast(describe(answer.failure), "bad");
    return;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await answer.value.blob());
  link.download = `beacon-${plural(ids.length, "trace").replace(" ", "-")}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Traces that are about to be deleted: until the time is over, nothing has happened to them. */
const leaving = signal<{ ids: readonly string[]; failed: string | null } | null>(null);
const UNDO_MS = 10_000;
let timer: ReturnType<typeof setTimeout> | undefined;

function leave(): void {
  clearTimeout(timer);
  leaving.value = { ids: [...picked.value.keys()], failed: null };
  pickNone();
  timer = setTimeout(() => void remove(), UNDO_MS);
}

function undo(): void {
  clearTimeout(timer);
  leaving.value = null;
}

async function remove(): Promise<void> {
  const ids = leaving.value?.ids ?? [];
  const answer = await ask("DELETE /v1/traces", { body: { trace_ids: [...ids] } });
  if (answer.ok) {
    leaving.value = null;
    toast(`Deleted ${plural(answer.value.deleted_count, "trace")}`, "good");
  } else leaving.value = { ids, failed: describe(answer.failure) };
}

export function PickedBar() {
  useCommands([
    { id: "compare", title: "Compare the two that are chosen", group: "List", keys: ["c"], run: compare },
    { id: "pick-none", title: "Choose none", group: "List", run: pickNone },
  ]);
  const { size } = picked.value;
  const going = leaving.value;
  return (
    <>
      {going === null ? null : (
        <div class="notice" role="alert">
          {going.failed ?? `${plural(going.ids.length, "trace")} will be deleted for good in 10 seconds.`}{" "}
          <button type="button" onClick={undo}>
            {going.failed === null ? "Undo" : "Keep them"}
          </button>
        </div>
      )}
      {size === 0 ? null : (
        <div class="picked-bar" role="group" aria-label="Chosen traces">
          <span role="status">{plural(size, "trace")} chosen</span>
          <button
            type="button"
            aria-disabled={size !== 2}
            title={size === 2 ? undefined : "Takes two"}
            onClick={compare}
          >
            Compare <Key keys="c" />
          </button>
          <button type="button" onClick={() => void save()}>
            Export
          </button>
          <button type="button" disabled={going !== null} onClick={leave}>
            Delete
          </button>
          <button type="button" onClick={pickNone}>
            None
          </button>
        </div>
      )}
    </>
  );
}
