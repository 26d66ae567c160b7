import { signal } from "@preact/signals";

/** What the top bar calls the thing that is open, after the view's own name; set by the view, null when it has none. */
export const subject = signal<string | null>(null);
