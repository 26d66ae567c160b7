// Every span type but the call to a model, by what it does.
import { useMemo } from "preact/hooks";
import { Picture } from "../../components/picture.tsx";
import { plain } from "../../model/ansi.ts";
import { bytes } from "../../model/format.ts";
import { Attributes } from "./attributes.tsx";
import { Facts, first, names, Rest, Value } from "./parts.tsx";
import type { SpanViewProps } from "./views.ts";

/** What each view shows by itself; any other attribute stands below it. */
const SHOWN = {
  tool: names("tool.", "name framework call_id input output"),
  shell: names("shell.", "command returncode stdout stderr"),
  file: names("file.", "operation path size_bytes content"),
  browser: names("browser.", "action url page_title selector value screenshot"),
  agent: names("agent.", "step_name framework thought input output"),
  chain: names("chain.", "type input output"),
};

export function ToolView({ span: { attributes } }: SpanViewProps) {
  return (
    <div class="kind kind-tool">
      <Facts
        of={[
          ["tool", attributes["tool.name"]],
          ["framework", attributes["tool.framework"]],
          ["call", attributes["tool.call_id"]],
        ]}
      />
      <Value title="Input" value={attributes["tool.input"]} />
      <Value title="Output" value={attributes["tool.output"]} />
      <Rest attributes={attributes} shown={SHOWN.tool} />
    </div>
  );
}

export function ShellView({ span: { attributes } }: SpanViewProps) {
  const code = attributes["shell.returncode"];
  const failed = code !== undefined && code !== null && code !== 0;
  return (
    <div class="kind kind-shell">
      <section class="value" aria-label="Command">
        <pre class="command">
          <span class="dim">$ </span>
          {plain(String(attributes["shell.command"] ?? "(not said)")).slice(0, 20_000)}
        </pre>
      </section>
      {code === undefined || code === null ? null : (
        <p class={failed ? "bad" : "dim"}>
          {failed ? "✗ " : "✓ "}return code {String(code).slice(0, 20)}
        </p>
      )}
      <Terminal title="Standard output" value={attributes["shell.stdout"]} />
      <Terminal title="Standard error" value={attributes["shell.stderr"]} />
      <Rest attributes={attributes} shown={SHOWN.shell} />
    </div>
  );
}

function Terminal({ title, value }: { title: string; value: unknown }) {
  const text = useMemo(() => (typeof value === "string" ? plain(value) : value), [value]);
  return <Value title={title} value={text} />;
}

export function FileView({ span: { attributes } }: SpanViewProps) {
  const size = attributes["file.size_bytes"];
  return (
    <div class="kind kind-file">
      <Facts
        of={[
          ["operation", attributes["file.operation"]],
          ["path", attributes["file.path"]],
          ["size", typeof size === "number" ? bytes(size) : size],
        ]}
      />
      <Value title="Content" value={attributes["file.content"]} none="not recorded" />
      <Rest attributes={attributes} shown={SHOWN.file} />
    </div>
  );
}

export function BrowserView({ span: { attributes } }: SpanViewProps) {
  const shot = attributes["browser.screenshot"];
  const url = typeof shot !== "string" ? null : shot.startsWith("data:") ? shot : `data:image/png;base64,${shot}`;
  return (
    <div class="kind kind-browser">
      <Facts
        of={[
          ["action", attributes["browser.action"]],
          ["address", attributes["browser.url"]],
          ["page", attributes["browser.page_title"]],
          ["selector", attributes["browser.selector"]],
          ["value", attributes["browser.value"]],
        ]}
      />
      {url === null || url === "" ? (
        <p class="dim">No screenshot</p>
      ) : (
        <Picture
          url={url}
          alt={`Screenshot of ${String(attributes["browser.page_title"] ?? attributes["browser.url"] ?? "the page")}`}
        />
      )}
      <Rest attributes={attributes} shown={SHOWN.browser} />
    </div>
  );
}

export function AgentView({ span: { attributes } }: SpanViewProps) {
  return (
    <div class="kind kind-agent">
      <Facts
        of={[
          ["step", attributes["agent.step_name"]],
          ["framework", attributes["agent.framework"]],
        ]}
      />
      {first(attributes, "agent.thought") === undefined ? null : (
        <Value title="Thought" value={attributes["agent.thought"]} />
      )}
      <Value title="Input" value={attributes["agent.input"]} />
      <Value title="Output" value={attributes["agent.output"]} />
      <Rest attributes={attributes} shown={SHOWN.agent} />
    </div>
  );
}

export function ChainView({ span: { attributes } }: SpanViewProps) {
  return (
    <div class="kind kind-chain">
      <Facts of={[["type", attributes["chain.type"]]]} />
      <Value title="Input" value={attributes["chain.input"]} />
      <Value title="Output" value={attributes["chain.output"]} />
      <Rest attributes={attributes} shown={SHOWN.chain} />
    </div>
  );
}

export function CustomView({ span: { attributes } }: SpanViewProps) {
  return (
    <div class="kind kind-custom">
      <Attributes attributes={attributes} />
    </div>
  );
}
