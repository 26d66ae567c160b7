// The sheet of keys: what can be done here and now, by group.
import { type Command, commands } from "../app/commands.ts";
import { overlay } from "../app/overlays.ts";
import { Dialog } from "./dialog.tsx";
import { Key } from "./key.tsx";

export function Help() {
  const groups = new Map<string, Command[]>();
  for (const command of commands.value) {
    if (!command.keys?.length) continue;
    groups.set(command.group, [...(groups.get(command.group) ?? []), command]);
  }
  return (
    <Dialog
      title="Keys"
      class="help"
      close={() => {
        overlay.value = null;
      }}
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls */}
      <div class="help-groups" tabIndex={0} role="region" aria-label="Keys by group">
        {[...groups].map(([group, list]) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {list.map((command) => (
                <div key={command.id}>
                  <dt>
                    {command.keys!.map((keys, i) => (
                      <span key={keys}>
                        {i > 0 ? " or " : ""}
                        <Key keys={keys} />
                      </span>
                    ))}
                  </dt>
                  <dd>{command.title}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p class="dim">Single keys are off while you type.</p>
    </Dialog>
  );
}
