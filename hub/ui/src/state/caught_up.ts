// What to say after the connection was lost and is there again.
import { signal } from "@preact/signals";

const SHOWN_MS = 5_000;

/** "caught up: 14 new spans", for a few seconds. */
export const caughtUp = signal<string | null>(null);

let timer: ReturnType<typeof setTimeout> | undefined;

export function sayCaughtUp(text: string): void {
  clearTimeout(timer);
  caughtUp.value = text;
  timer = setTimeout(() => {
    caughtUp.value = null;
  }, SHOWN_MS);
}
