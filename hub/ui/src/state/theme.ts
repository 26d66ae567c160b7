// System, dark or light; kept per browser. `src/early.ts` sets what is kept before the first paint.
import { signal } from "@preact/signals";

export type Theme = "system" | "dark" | "light";
export const THEMES: readonly Theme[] = ["system", "dark", "light"];
const KEY = "beacon.theme";

const kept = document.documentElement.dataset.theme;
export const theme = signal<Theme>(kept === "dark" || kept === "light" ? kept : "system");

export function setTheme(chosen: Theme): void {
  theme.value = chosen;
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  try {
    if (chosen === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, chosen);
  } catch {
    // it lasts as long as the page
  }
}
