// One run of a replay from the click to its answer: what is written so far, how long it takes, and how to end it.
import { signal } from "@preact/signals";
import { ask, type Failure, send } from "../../api/client.ts";
import type { JobError, ReplayRequest, ReplayResult } from "../../api/schema.ts";
import { EventReader } from "../../model/sse.ts";

export type RunState =
  | { kind: "idle" }
  | { kind: "running"; since: number }
  | { kind: "done"; result: ReplayResult }
  | { kind: "cancelled" }
  /** What the model's server, or Beacon, had against it. */
  | { kind: "failed"; status: number | null; detail: string }
  /** The connection broke off: the job may go on, and its answer can be fetched with the same key, paid once. */
  | { kind: "lost"; failure: Failure };

export class ReplayCall {
  readonly state = signal<RunState>({ kind: "idle" });
  /** What each run has written so far. */
  readonly written = signal<readonly string[]>([]);
  private jobId: string | null = null;
  private abort: AbortController | null = null;
  private asked: { body: ReplayRequest; key: string } | null = null;
  private cancelling = false;

  constructor(private readonly ended: () => void) {}

  start(body: ReplayRequest): Promise<void> {
    this.asked = { body, key: newKey() };
    return this.go();
  }

  /** Ask for the answer of the call whose connection was lost. */
  again(): Promise<void> {
    return this.asked === null ? Promise.resolve() : this.go();
  }

  /** End the call of the model: nobody wants its answer. */
  async cancel(): Promise<void> {
    if (this.state.value.kind !== "running" || this.cancelling) return;
    this.cancelling = true;
    if (this.jobId !== null) {
      await ask("DELETE /v1/jobs/{job_id}", { path: { job_id: this.jobId } });
    }
    this.abort?.abort();
    if (this.state.value.kind === "running") this.state.value = { kind: "cancelled" };
    this.ended();
  }

  /** The pane is closed: the job goes on, and its run is kept. */
  leave(): void {
    this.abort?.abort();
  }

  private async go(): Promise<void> {
    const { body, key } = this.asked!;
    const abort = new AbortController();
    this.abort = abort;
    this.jobId = null;
    this.cancelling = false;
    this.written.value = Array.from({ length: body.n ?? 1 }, () => "");
    this.state.value = { kind: "running", since: Date.now() };
    const answer = await send("POST /v1/replay", {
      body: { ...body, stream: true },
      headers: { "idempotency-key": key, accept: "text/event-stream" },
      timeout: null,
      signal: abort.signal,
    });
    if (!answer.ok) this.fail(answer.failure);
    else {
      this.jobId = answer.headers.get("beacon-job-id");
      await this.read(answer.value, abort.signal);
    }
    if (this.abort === abort) this.ended();
  }

  private async read(response: Response, signal: AbortSignal): Promise<void> {
    const events = new EventReader();
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        let written: string[] | null = null;
        for (const { name, data } of events.feed(value)) {
          if (name === "delta") {
            const { run, text } = JSON.parse(data) as { run: number; text: string };
            written ??= [...this.written.value];
            written[run] = (written[run] ?? "") + text;
          } else if (name === "result") {
            this.state.value = { kind: "done", result: JSON.parse(data) as ReplayResult };
          } else if (name === "error") {
            const { status, detail } = JSON.parse(data) as JobError;
            this.state.value = this.cancelling ? { kind: "cancelled" } : { kind: "failed", status, detail };
          }
        }
        if (written !== null) this.written.value = written;
      }
    } catch {
      // told below: no answer has come
    }
    if (this.state.value.kind === "running") this.fail({ kind: signal.aborted ? "aborted" : "unreachable" });
  }

  private fail(failure: Failure): void {
    if (failure.kind === "aborted") {
      if (this.state.value.kind === "running") this.state.value = { kind: "cancelled" };
    } else if (failure.kind === "unreachable") this.state.value = { kind: "lost", failure };
    else this.state.value = { kind: "failed", status: failure.status, detail: failure.detail };
  }
}

/** Names this click: sent twice, it is paid once. (`randomUUID` is there on loopback alone.) */
function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
