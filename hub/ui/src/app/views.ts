// Every view of the page: its address, what it is called, and its code. `hub/assets.py` answers the same addresses.
import type { ComponentType } from "preact";
import { TracesIcon } from "../components/icons.tsx";
import TracesView from "../views/traces/index.tsx";

export interface ViewProps {
  /** What stands in the place of `:names` in the path. */
  params: Record<string, string>;
}

export interface View {
  id: string;
  title: string;
  /** Segments that begin with a colon stand for any one segment. */
  path: string;
  /** Code that comes with the page, or that is fetched when the view is first opened. */
  component?: ComponentType<ViewProps>;
  load?(): Promise<{ default: ComponentType<ViewProps> }>;
  /** Stands in the rail, and is gone to with these keys. */
  rail?: { icon: ComponentType; keys: string };
}

export const VIEWS: readonly View[] = [
  { id: "traces", title: "Traces", path: "/", component: TracesView, rail: { icon: TracesIcon, keys: "g t" } },
  { id: "trace", title: "Trace", path: "/traces/:trace_id", load: () => import("../views/trace/index.tsx") },
];

/** The view at a path and what its colons stand for. */
export function viewAt(path: string): { view: View; params: Record<string, string> } | null {
  const segments = path.split("/");
  for (const view of VIEWS) {
    const wanted = view.path.split("/");
    if (wanted.length !== segments.length) continue;
    const params: Record<string, string> = {};
    const fits = wanted.every((want, i) => {
      const got = segments[i]!;
      if (!want.startsWith(":")) return want === got;
      try {
        params[want.slice(1)] = decodeURIComponent(got);
      } catch {
        return false;
      }
      return got !== "";
    });
    if (fits) return { view, params };
  }
  return null;
}
