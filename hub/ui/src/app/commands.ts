// What a user can do, each with its keys: what is registered is in the palette and in the sheet of keys, and nothing is
// done by a key that is not.
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { matchKeys, typing, written } from "./keys.ts";

export interface Command {
  /** Unique; one registered later takes the place of an earlier one until it goes. */
  id: string;
  title: string;
  group: string;
  /** As `keys.ts` writes them; the first is shown first. */
  keys?: readonly string[];
  run(): void;
  /** Whether its keys work while somebody types. */
  whileTyping?: boolean;
  /** Only a key: moving by a row is nothing to look for in the palette. */
  hidden?: boolean;
}

const MOVES = new Set(["ArrowDown", "ArrowUp", "ArrowLeft", "ArrowRight", "Home", "End", "PageDown", "PageUp"]);

const SEQUENCE_MS = 1_000;

/** The commands there are now, in the order they were registered. */
export const commands = signal<readonly Command[]>([]);

function register(added: readonly Command[]): () => void {
  commands.value = [...commands.value, ...added];
  return () => {
    commands.value = commands.value.filter((command) => !added.includes(command));
  };
}

/** Commands of a view or a component, for as long as it is there. What they do may change with every render, what they
 * are called and their keys may not. */
export function useCommands(list: readonly Command[]): void {
  const latest = useRef(list);
  latest.current = list;
  // with the first paint: a key pressed at once must not be lost
  useLayoutEffect(
    () => register(latest.current.map((command, i) => ({ ...command, run: () => latest.current[i]?.run() }))),
    [],
  );
}

/** Commands that are there as long as the page. */
export function registerCommands(list: readonly Command[]): void {
  register(list);
}

/** Listen to keys. `open` says whether a dialog is on top, which has the keys to itself. */
export function listenToKeys(open: () => boolean): void {
  let pressed: string[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const forget = () => {
    pressed = [];
    clearTimeout(timer);
  };
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || ["Control", "Shift", "Alt", "Meta"].includes(event.key)) return;
    if (open()) return forget();
    const target = event.composedPath()[0] as HTMLElement;
    const inField = typing(target);
    const key = written(event);
    // a pane that scrolls, or a line that is moved, has the keys that do it
    if (MOVES.has(event.key) && target.closest?.("[data-own-keys]")) return forget();
    // Enter and Space belong to the button or link that has the focus
    if ((key === "Enter" || key === "Space") && target.closest?.("button, a[href], summary, [role=option]"))
      return forget();
    const byKeys = new Map<string, Command>();
    for (const command of commands.value) {
      if (inField && !command.whileTyping) continue;
      for (const one of command.keys ?? []) byKeys.set(one, command);
    }
    let found = matchKeys([...pressed, key], byKeys);
    if (found === null && pressed.length > 0) {
      forget();
      found = matchKeys([key], byKeys);
    }
    if (found === null) return;
    event.preventDefault();
    if (found === "more") {
      pressed.push(key);
      clearTimeout(timer);
      timer = setTimeout(forget, SEQUENCE_MS);
      return;
    }
    forget();
    found.run();
  });
}
