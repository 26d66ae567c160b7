// The views of one trace, in the order of their tabs. The first is the one a trace opens with.
import type { ComponentType } from "preact";
import type { Node, Tree } from "../../model/tree.ts";
import type { TraceStore } from "../../state/trace.ts";
import { TreeView } from "./tree_view.tsx";

export interface TraceViewProps {
  store: TraceStore;
  tree: Tree;
  /** The span that is selected; null when the address names one that is not there. */
  chosen: Node | null;
  /** `step`: one to go back from. Rows passed by with the keys are none. */
  select(node: Node | null | undefined, step?: boolean): void;
}

export interface TraceViewEntry {
  /** Stands in the address as `?view=`. */
  id: string;
  title: string;
  component: ComponentType<TraceViewProps>;
}

export const TRACE_VIEWS: readonly TraceViewEntry[] = [{ id: "tree", title: "Tree", component: TreeView }];
