// Keys as they are written in a command ("g t", "Shift+E", "Ctrl+K") and as a browser tells of them. Pure.

export interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** One pressed key as it is written: "Ctrl+K" also for Cmd, a letter in its case without Shift ("E" for Shift and e). */
export function written(event: Pressed): string {
  const parts: string[] = [];
  if (event.ctrlKey || event.metaKey) parts.push("Ctrl");
  if (event.altKey) parts.push("Alt");
  const character = event.key.length === 1;
  if (event.shiftKey && !character) parts.push("Shift");
  const key = event.key === " " ? "Space" : event.key;
  parts.push(character && parts.includes("Ctrl") ? key.toUpperCase() : key);
  return parts.join("+");
}

/** Whether keys go to what is focused: single ones are off while somebody types. */
export function typing(target: { tagName?: string; isContentEditable?: boolean; type?: string } | null): boolean {
  if (target === null) return false;
  if (target.isContentEditable) return true;
  const tag = target.tagName?.toLowerCase();
  if (tag === "input") return !["checkbox", "radio", "button", "submit", "range"].includes(target.type ?? "text");
  return tag === "textarea" || tag === "select";
}

/** Which of `sequences` the keys pressed so far mean: the one that is complete, or whether one may follow. */
export function matchKeys<T>(pressed: readonly string[], sequences: ReadonlyMap<string, T>): T | "more" | null {
  const whole = pressed.join(" ");
  const found = sequences.get(whole);
  if (found !== undefined) return found;
  for (const sequence of sequences.keys()) if (sequence.startsWith(`${whole} `)) return "more";
  return null;
}

/** A key as it is shown: "⌘K" on a Mac, "↓" for ArrowDown. */
export function shown(key: string, mac: boolean): string {
  return key
    .split(" ")
    .map((one) =>
      one
        .split("+")
        .map((part) => (part === "Ctrl" && mac ? "⌘" : (NAMES[part] ?? part)))
        .join(mac ? "" : "+"),
    )
    .join(" ");
}

const NAMES: Record<string, string> = {
  ArrowDown: "↓",
  ArrowUp: "↑",
  ArrowLeft: "←",
  ArrowRight: "→",
  Escape: "Esc",
};
