// The time, for what is shown relative to it.
import { signal } from "@preact/signals";

/** Epoch seconds, moved on once a second while somebody looks. */
export const now = signal(Date.now() / 1000);

setInterval(() => {
  if (document.visibilityState === "visible") now.value = Date.now() / 1000;
}, 1000);
