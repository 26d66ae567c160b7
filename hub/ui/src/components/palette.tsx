// Ctrl+K: every command there is, found by its words.
import { useState } from "preact/hooks";
import { type Command, commands } from "../app/commands.ts";
import { overlay } from "../app/overlays.ts";
import { Dialog } from "./dialog.tsx";
import { Key } from "./key.tsx";

/** Commands that match all words of `text`, those whose title begins with it first. */
export function found(list: readonly Command[], text: string): Command[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = list.filter((command) => {
    const line = `${command.title} ${command.group}`.toLowerCase();
    return !command.hidden && words.every((word) => line.includes(word));
  });
  const starts = (command: Command) => command.title.toLowerCase().startsWith(text.trim().toLowerCase());
  return [...hits.filter(starts), ...hits.filter((command) => !starts(command))];
}

export function Palette() {
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const hits = found(commands.value, text);
  const active = Math.min(at, hits.length - 1);
  const close = () => {
    overlay.value = null;
  };
  const run = (command: Command | undefined) => {
    if (command === undefined) return;
    close();
    // after the dialog has given the focus back
    setTimeout(() => command.run());
  };
  return (
    <Dialog title="Search and commands" bare class="palette" close={close}>
      <input
        type="text"
        role="combobox"
        aria-label="Search commands"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={hits.length > 0 ? `palette-${active}` : undefined}
        placeholder="What do you want to do?"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
          if (step !== 0) {
            event.preventDefault();
            setAt(Math.max(0, Math.min(hits.length - 1, active + step)));
          } else if (event.key === "Enter") {
            event.preventDefault();
            run(hits[active]);
          }
        }}
      />
      <ul id="palette-list" role="listbox" aria-label="Commands">
        {hits.map((command, i) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field has the keys
          <li
            key={command.id}
            id={`palette-${i}`}
            role="option"
            tabIndex={-1}
            aria-selected={i === active}
            onClick={() => run(command)}
            onPointerMove={() => setAt(i)}
          >
            <span>{command.title}</span>
            <small>{command.group}</small>
            {command.keys?.[0] ? <Key keys={command.keys[0]} /> : null}
          </li>
        ))}
      </ul>
      {hits.length === 0 ? (
        <p class="dim pad" role="status">
          No command is called that.
        </p>
      ) : null}
    </Dialog>
  );
}
