// What can be done with the traces that are ticked.
import { useCommands } from "../../app/commands.ts";
import { comparePath, go } from "../../app/route.ts";
import { Key } from "../../components/key.tsx";
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

export function PickedBar() {
  useCommands([
    { id: "compare", title: "Compare the two that are chosen", group: "List", keys: ["c"], run: compare },
    { id: "pick-none", title: "Choose none", group: "List", run: pickNone },
  ]);
  const { size } = picked.value;
  if (size === 0) return null;
  return (
    <div class="picked-bar" role="group" aria-label="Chosen traces">
      <span role="status">{plural(size, "trace")} chosen</span>
      <button type="button" aria-disabled={size !== 2} title={size === 2 ? undefined : "Takes two"} onClick={compare}>
        Compare <Key keys="c" />
      </button>
      <button type="button" onClick={pickNone}>
        None
      </button>
    </div>
  );
}
