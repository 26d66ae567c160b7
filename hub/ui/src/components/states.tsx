// What stands where something should be: still coming, not to be had, gone wrong.
import { Component, type ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Failure } from "../api/client.ts";

const SKELETON_MS = 150;

/** Grey rows, but only when it takes longer than a blink. */
export function Skeleton({ rows = 12, label = "Loading" }: { rows?: number; label?: string }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), SKELETON_MS);
    return () => clearTimeout(timer);
  }, []);
  if (!late) return null;
  return (
    <div class="skeleton" role="status">
      <span class="unseen">{label}</span>
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} style={{ width: `${90 - ((i * 37) % 45)}%` }} />
      ))}
    </div>
  );
}

/** A page that says what is not there, or what failed, and what to do. */
export function Message({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="message">
      <h1>{title}</h1>
      {children}
    </div>
  );
}

/** A failure in words. */
export function describe(failure: Failure): string {
  switch (failure.kind) {
    case "unreachable":
      return `Beacon does not answer at ${location.host}. Start it with “beacon up”; this page goes on by itself.`;
    case "aborted":
      return "The request was given up.";
    default:
      return failure.detail;
  }
}

export function FailureMessage({ title, failure, retry }: { title: string; failure: Failure; retry(): void }) {
  return (
    <Message title={title}>
      <p role="alert">{describe(failure)}</p>
      <button type="button" onClick={retry}>
        Try again
      </button>
    </Message>
  );
}

interface BoundaryState {
  error: Error | null;
}

/** Keeps a bug of one view from taking the page along. `resetKey`: what has changed is tried again. */
export class Boundary extends Component<{ children: ComponentChildren; resetKey: string }, BoundaryState> {
  override state: BoundaryState = { error: null };

  static override getDerivedStateFromError(error: unknown): BoundaryState {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override componentDidUpdate(before: { resetKey: string }): void {
    if (this.state.error !== null && before.resetKey !== this.props.resetKey) this.setState({ error: null });
  }

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <Message title="This view has failed">
        <p role="alert">That is a bug in Beacon, not in your agent. What is stored is not touched.</p>
        <pre class="trouble">{error.stack ?? error.message}</pre>
        <p class="buttons">
          <button type="button" onClick={() => this.setState({ error: null })}>
            Try again
          </button>
          <button type="button" onClick={() => location.reload()}>
            Reload the page
          </button>
        </p>
      </Message>
    );
  }
}
