// What lies on top of the page: at most one dialog.
import { signal } from "@preact/signals";

export type Overlay = "palette" | "help" | null;

export const overlay = signal<Overlay>(null);
