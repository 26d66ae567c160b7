// How a span of each type is shown.
import type { ComponentType } from "preact";
import type { WholeSpan } from "../../api/schema.ts";
import type { SpanType } from "../../model/spans.ts";
import type { Node } from "../../model/tree.ts";
import type { TraceStore } from "../../state/trace.ts";
import { CallView } from "./call.tsx";
import { AgentView, BrowserView, ChainView, CustomView, FileView, ShellView, ToolView } from "./types.tsx";

export interface SpanViewProps {
  /** The span with its attributes. */
  span: WholeSpan;
  /** Where it stands in its trace. */
  node: Node;
  store: TraceStore;
  select(node: Node | null | undefined): void;
}

export const SPAN_VIEWS: Record<SpanType, ComponentType<SpanViewProps>> = {
  llm_call: CallView,
  tool_use: ToolView,
  agent_step: AgentView,
  chain: ChainView,
  browser_action: BrowserView,
  file_operation: FileView,
  shell_command: ShellView,
  custom: CustomView,
};
