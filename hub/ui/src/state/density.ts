// How high rows are; kept per browser.
import { computed, signal } from "@preact/signals";

export type Density = "compact" | "comfortable";
const KEY = "beacon.density";

function kept(): Density {
  try {
    return localStorage.getItem(KEY) === "comfortable" ? "comfortable" : "compact";
  } catch {
    return "compact";
  }
}

export const density = signal<Density>(kept());

/** Pixels of one row of a list or tree. */
export const rowHeight = computed(() => (density.value === "compact" ? 24 : 30));

export function setDensity(chosen: Density): void {
  density.value = chosen;
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // it lasts as long as the page
  }
}
