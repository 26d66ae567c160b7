// Short notes at the edge of the page. Never the only trace of a failure.
import { signal } from "@preact/signals";
import { straight } from "../model/straight.ts";

export interface Toast {
  id: number;
  text: string;
  kind: "note" | "good" | "bad";
}

const SHOWN_MS = 6_000;

export const toasts = signal<readonly Toast[]>([]);

let next = 1;

export function toast(text: string, kind: Toast["kind"] = "note"): void {
  const id = next++;
  toasts.value = [...toasts.value.slice(-3), { id, text: straight(text), kind }];
  setTimeout(() => dismiss(id), SHOWN_MS);
}

export function dismiss(id: number): void {
  toasts.value = toasts.value.filter((other) => other.id !== id);
}
