// Made from openapi.json by `make ui`; not to be edited.

/** A note on a span: `created_at` in epoch seconds. */
export interface Annotation {
  id: string;
  text: string;
  created_at: number;
}

/** The numbers are computed; `narrative` is the model's words about them. It is null where no model can be called, or may be at what it may cost, and `narrative_reason` says why; and where nothing is unusual. */
export interface Anomalies {
  trace_id: string;
  anomalies: Array<Anomaly>;
  narrative: string | null;
  narrative_reason?: string | null;
}

export interface Anomaly {
  type: string;
  severity: "high" | "low" | "medium";
  description: string;
  trace_id: string;
  span_id: string | null;
}

export interface ChatRequest {
  model: string;
  messages: Array<Record<string, unknown>>;
  conversation_id?: string | null;
  system_prompt?: string | null;
  provider?: string | null;
  params?: Record<string, unknown>;
  tools?: Array<Record<string, unknown>> | null;
  stream?: boolean;
}

export interface ChatResult {
  conversation_id: string;
  trace_id: string;
  message: Record<string, unknown>;
  metrics: Metrics;
}

export interface ComparePromptsRequest {
  model: string;
  prompts: Array<string>;
  system_prompt?: string | null;
  params?: Record<string, unknown>;
}

export interface ComparePromptsResult {
  trace_id: string;
  test_id: string;
  results: Array<PromptRun>;
}

export interface CompareRequest {
  messages: Array<Record<string, unknown>>;
  models: Array<string>;
  system_prompt?: string | null;
  params?: Record<string, unknown>;
}

export interface CompareResult {
  trace_id: string;
  results: Array<CompareRun>;
}

export interface CompareRun {
  model: string;
  provider: string | null;
  completion: string | null;
  metrics: Metrics | null;
  error?: string | null;
}

export interface CostOptimization {
  trace_ids: Array<string>;
  suggestions: Array<CostSuggestion>;
}

export interface CostSuggestion {
  type: string;
  description: string;
  estimated_savings_usd: number | null;
  affected_spans: Array<string>;
}

export interface CostlyPrompt {
  span_id: string;
  trace_id: string;
  name: string;
  model: string | null;
  cost: number;
  tokens: number;
}

export interface CreatePromptVersion {
  prompt_text: string;
  label?: string | null;
}

/** Which traces to delete: by id, by age (created before `older_than`, epoch seconds), or both. */
export interface DeleteTraces {
  trace_ids?: Array<string> | null;
  older_than?: number | null;
}

export interface DeletedCount {
  deleted_count: number;
}

export interface DemoStarted {
  trace_id: string;
}

export interface Diff {
  old_completion: string | null;
  new_completion: string;
  changed: boolean;
  hunks: Array<Hunk>;
}

/** The spans at which two runs part; null where one has no counterpart. */
export interface Divergence {
  span_a: string | null;
  span_b: string | null;
  description: string;
}

/** Every answer of 400 and above. `errors` stands in a 422; `error_id` in a 500, and in the log beside it. */
export interface ErrorBody {
  detail: string;
  errors?: Array<ErrorPlace>;
  error_id?: string | null;
}

export interface ErrorPattern {
  pattern_name: string;
  count: number;
  example_trace_ids: Array<string>;
  common_root_cause: string;
  category: string;
}

export interface ErrorPatterns {
  patterns: Array<ErrorPattern>;
}

export interface ErrorPlace {
  loc: string;
  msg: string;
}

/** A span of an export; `otel` is there where it came by OpenTelemetry. */
export interface ExportedSpan {
  span_id: string;
  trace_id: string;
  parent_span_id: string | null;
  span_type: "agent_step" | "browser_action" | "chain" | "custom" | "file_operation" | "llm_call" | "shell_command" | "tool_use";
  name: string;
  status: "error" | "ok" | "unset";
  error_message: string | null;
  start_time: number;
  end_time: number | null;
  duration_ms: number | null;
  attributes: Record<string, unknown>;
  annotations: Array<unknown>;
  sdk_language: string | null;
  interrupted: boolean;
  otel?: SpanOtel;
}

export interface Graph {
  nodes: Array<GraphNode>;
  edges: Array<GraphEdge>;
}

export interface GraphEdge {
  id: string;
  source: string;
  target: string;
}

export interface GraphNode {
  id: string;
  type: string;
  data: GraphNodeData;
  position: Point;
}

export interface GraphNodeData {
  span_id: string;
  span_type: "agent_step" | "browser_action" | "chain" | "custom" | "file_operation" | "llm_call" | "shell_command" | "tool_use";
  name: string;
  status: "error" | "ok" | "unset";
  duration_ms: number | null;
  cost_usd: number | null;
  sequence: number;
  framework: string | null;
}

export interface Health {
  status: "degraded" | "ok";
  version: string;
  db_path: string;
  parts: Parts;
  otlp_port: number | null;
}

/** A run of words that is in both texts, or in one. */
export interface Hunk {
  op: "delete" | "equal" | "insert";
  text: string;
}

/** An export of one trace, `format` "beacon" and `version` "1". */
export interface ImportTrace {
  version: string;
  format: string;
  trace: ImportedTrace;
  spans: Array<ImportedSpan>;
}

export interface Imported {
  trace_id: string;
  span_count: number;
}

/** A span of an export: as SpanInput, with its notes, and what came by OpenTelemetry. */
export interface ImportedSpan {
  span_id: string;
  trace_id: string;
  parent_span_id?: string | null;
  span_type?: "agent_step" | "browser_action" | "chain" | "custom" | "file_operation" | "llm_call" | "shell_command" | "tool_use";
  name?: string;
  status?: "error" | "ok" | "unset";
  error_message?: string | null;
  start_time?: number;
  end_time?: number | null;
  attributes?: Record<string, unknown>;
  sdk_language?: string | null;
  annotations?: Array<Annotation>;
  interrupted?: boolean;
  otel?: SpanOtel;
}

export interface ImportedTrace {
  trace_id: string;
  tags?: Record<string, string>;
}

/** A job as it is shown. Times are epoch seconds; `label` says in a few words what it does. */
export interface Job {
  job_id: string;
  kind: "analysis" | "chat" | "compare" | "compare_prompts" | "demo" | "key_test" | "models" | "replay";
  state: "cancelled" | "done" | "failed" | "queued" | "running";
  label: string;
  trace_id: string | null;
  span_id: string | null;
  worker_id: string | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  error: JobError | null;
}

/** The state after the request: `cancelled`, or what the job had ended as before it. */
export interface JobCancelled {
  job_id: string;
  state: string;
}

/** Why a job failed: the HTTP status and the sentence its waiting client gets. */
export interface JobError {
  status: number;
  detail: string;
}

export interface JobPage {
  jobs: Array<Job>;
  limit: number;
  offset: number;
  total: number;
}

export interface KeyEvent {
  span_id: string;
  description: string;
}

/** `masked_key` shows the last 4 characters at most, and none of a key shorter than 12; null without a key. `source`: where the key comes from. `needs_key`: false for a server on this machine or in its own network. */
export interface KeyInfo {
  provider: string;
  configured: boolean;
  masked_key: string | null;
  base_url: string;
  source: "env" | "file" | null;
  needs_key: boolean;
}

export interface KeyState {
  provider: string;
  configured: boolean;
}

/** What the cheapest real call brought back: `ok`, or the provider's own words in `detail`. */
export interface KeyTest {
  provider: string;
  ok: boolean;
  base_url: string;
  status: number | null;
  detail: string;
  latency_ms: number | null;
  models?: Array<string>;
}

/** Of b less a. */
export interface MetricDiff {
  cost_diff_usd: number | null;
  duration_diff_ms: number | null;
  token_diff: number;
  span_count_diff: number;
}

export interface Metrics {
  input_tokens: number | null;
  output_tokens: number | null;
  cost_usd: number | null;
  latency_ms: number;
}

/** A model that may be called. Prices are US dollars a million tokens, null where none is known; `local`: listed by a server on this machine. */
export interface Model {
  model: string;
  provider: string;
  context: number | null;
  input_usd_per_million: number | null;
  output_usd_per_million: number | null;
  configured: boolean;
  local?: boolean;
}

export interface Models {
  models: Array<Model>;
  unlisted: Array<Unlisted>;
}

/** A fresh answer of the model, by the attribute names of an llm_call. Cost None: no price is known, and `cost_reason` says why. */
export interface NewOutput {
  "llm.completion": string;
  "llm.tokens.input": number | null;
  "llm.tokens.output": number | null;
  "llm.cost_usd": number | null;
  cost_reason?: string | null;
  tool_calls?: Array<Record<string, unknown>> | null;
  reasoning?: string | null;
  "llm.finish_reason"?: string | null;
  "llm.model"?: string | null;
  "llm.provider"?: string | null;
  "llm.tokens.cached"?: number | null;
  "llm.tokens.reasoning"?: number | null;
  latency_ms?: number | null;
}

export interface OneSpan {
  span_id: string;
  trace_id?: string | null;
}

export interface OneTrace {
  trace_id: string;
}

/** An ExportLogsServiceRequest. */
export interface OtlpLogs {
  resourceLogs?: Array<Record<string, unknown>>;
}

export interface OtlpLogsAnswer {
  partialSuccess?: RejectedLogRecords | null;
}

/** An ExportMetricsServiceRequest. */
export interface OtlpMetrics {
  resourceMetrics?: Array<Record<string, unknown>>;
}

/** An ExportMetricsServiceResponse: always empty. */
export interface OtlpMetricsAnswer {

}

/** How many spans are stored, and how many were left out. */
export interface OtlpOlderAnswer {
  accepted: number;
  rejected: number;
}

/** An ExportTraceServiceRequest. */
export interface OtlpTraces {
  resourceSpans?: Array<Record<string, unknown>>;
}

/** An ExportTraceServiceResponse: empty when every span is stored. */
export interface OtlpTracesAnswer {
  partialSuccess?: RejectedSpans | null;
}

/** State of each process behind the port: `up`, `down`, or for workers how many there are. */
export interface Parts {
  ingest: string;
  query: string;
  replay_worker: string;
}

export interface Point {
  x: number;
  y: number;
}

/** The body of POST /v1/spans. */
export interface PostSpans {
  spans: Array<SpanInput>;
}

export interface PromptRun {
  prompt: string;
  completion: string | null;
  metrics: Metrics | null;
  error?: string | null;
}

export interface PromptSuggestion {
  category: string;
  description: string;
  improved_prompt_snippet: string;
}

export interface PromptSuggestions {
  span_id: string;
  original_prompt: string;
  suggestions: Array<PromptSuggestion>;
}

export interface PromptVersion {
  version_id: string;
  span_id: string;
  prompt_text: string;
  label: string | null;
  created_at: number;
}

export interface PromptVersions {
  versions: Array<PromptVersion>;
}

export interface PutAnnotations {
  annotations: Array<Annotation>;
}

/** A `base_url` that differs from the one saved clears the key saved for the old one; a provider whose server needs no key is saved with its `base_url` alone. */
export interface PutKey {
  provider: string;
  api_key?: string | null;
  base_url?: string | null;
}

export interface PutTags {
  tags: Record<string, string>;
}

export interface RejectedLogRecords {
  rejectedLogRecords?: string | null;
  errorMessage?: string | null;
}

/** `rejectedSpans` is decimal text, as 64-bit integers are in protobuf's JSON; without it `errorMessage` warns. */
export interface RejectedSpans {
  rejectedSpans?: string | null;
  errorMessage?: string | null;
}

/** `n` runs the same request several times; `stream` answers with server-sent events: `delta` (`{run, text}`), then `result` (a ReplayResult) or `error` (`{status, detail}`). */
export interface ReplayRequest {
  span_id: string;
  modified_attributes?: Record<string, unknown>;
  trace_id?: string | null;
  n?: number;
  stream?: boolean;
}

/** The first run that has an answer, and with n > 1 all of them in `runs`. */
export interface ReplayResult {
  replay_id: string;
  original_span_id: string;
  new_output: NewOutput;
  diff: Diff;
  job_id: string;
  runs?: Array<ReplayRun>;
}

/** One stored run. `modified_attributes` is what was asked to differ. `created_at` in epoch seconds. */
export interface ReplayRun {
  replay_id: string;
  created_at: number;
  new_output?: NewOutput | null;
  diff?: Diff | null;
  modified_attributes?: Record<string, unknown>;
  error?: JobError | null;
}

export interface ReplayRuns {
  replays: Array<ReplayRun>;
}

export interface RootCause {
  trace_id: string;
  root_cause: string;
  affected_spans: Array<string>;
  confidence: number;
  suggested_fix: string;
}

/** A google.rpc.Status, in the request's encoding: how OTLP says what went wrong. */
export interface RpcStatus {
  code: number;
  message: string;
}

export interface RunDemo {
  scenario: string;
}

/** `api_key_configured`: whether it runs on the real model; else on a recorded one, offline. */
export interface Scenario {
  key: string;
  name: string;
  description: string;
  provider: string;
  model: string;
  api_key_configured: boolean;
}

/** `offsets` are the [start, end) characters of the match inside `match_context`; `start_time` is the span's, in epoch seconds. */
export interface SearchHit {
  trace_id: string;
  span_id: string;
  name: string;
  match_context: string;
  trace_name: string;
  field: string;
  offsets: [number, number];
  span_type: "agent_step" | "browser_action" | "chain" | "custom" | "file_operation" | "llm_call" | "shell_command" | "tool_use";
  start_time: number;
}

/** `texts` are the texts of the question that hits have to hold, without its fields and its quotes. */
export interface SearchPage {
  results: Array<SearchHit>;
  total: number;
  total_relation: "eq" | "gte";
  texts: Array<string>;
}

/** The traces of one session. `error_count` and `running_count` count traces; `first_seen` is when the first of them was stored, `last_seen` when something of them last was, in epoch seconds. */
export interface Session {
  session_id: string;
  trace_count: number;
  total_cost_usd: number;
  total_tokens: number;
  error_count: number;
  running_count: number;
  unpriced_count: number;
  first_seen: number;
  last_seen: number;
}

/** Sessions, the one that something was last stored of first. */
export interface SessionPage {
  sessions: Array<Session>;
  total: number;
  limit: number;
  offset: number;
}

export interface SlowTool {
  span_id: string;
  trace_id: string;
  name: string;
  duration_ms: number;
}

export interface SomeTraces {
  trace_ids: Array<string>;
}

/** One span as stored. Times are epoch seconds, `duration_ms` is derived and null while the span is open. */
export interface Span {
  span_id: string;
  trace_id: string;
  parent_span_id: string | null;
  span_type: "agent_step" | "browser_action" | "chain" | "custom" | "file_operation" | "llm_call" | "shell_command" | "tool_use";
  name: string;
  status: "error" | "ok" | "unset";
  error_message: string | null;
  start_time: number;
  end_time: number | null;
  duration_ms: number | null;
  attributes: Record<string, unknown>;
  annotations: Array<unknown>;
  sdk_language: string | null;
  interrupted: boolean;
}

export interface SpanAnnotations {
  span_id: string;
  annotations: Array<Annotation>;
}

/** Why one span of a batch was refused: `index` is its place in the request's list. */
export interface SpanError {
  index: number;
  loc: string;
  msg: string;
}

/** Something that happened in a span, at `time` in epoch seconds. */
export interface SpanEvent {
  name: string;
  time: number;
  attributes: Record<string, unknown>;
}

/** A span, or an update of one. What is absent is left as it is stored; a span seen for the first time needs `span_type`, `name` and `start_time` too. */
export interface SpanInput {
  span_id: string;
  trace_id: string;
  parent_span_id?: string | null;
  span_type?: "agent_step" | "browser_action" | "chain" | "custom" | "file_operation" | "llm_call" | "shell_command" | "tool_use";
  name?: string;
  status?: "error" | "ok" | "unset";
  error_message?: string | null;
  start_time?: number;
  end_time?: number | null;
  attributes?: Record<string, unknown>;
  sdk_language?: string | null;
}

/** A span of this or another trace that this one has to do with. */
export interface SpanLink {
  trace_id: string;
  span_id: string;
  trace_state: string;
  attributes: Record<string, unknown>;
}

/** What OpenTelemetry says beside a span, in OTLP's own JSON form: as an export keeps it. The times are the span's own in nanoseconds, which seconds do not hold. */
export interface SpanOtel {
  resource: Record<string, unknown>;
  scope: Record<string, unknown>;
  span: Record<string, unknown>;
  start_ns?: string | null;
  end_ns?: string | null;
}

/** The instrumentation that made the span. */
export interface SpanScope {
  name: string;
  version: string;
  attributes: Record<string, unknown>;
}

export interface SpansAccepted {
  accepted: number;
  rejected: number;
  errors?: Array<SpanError>;
}

/** `oldest_trace_timestamp` is the smallest created_at, in epoch seconds, null in an empty database. */
export interface Stats {
  database_size_bytes: number;
  total_traces: number;
  total_spans: number;
  oldest_trace_timestamp: number | null;
  seq: number;
}

export interface TopCosts {
  prompts: Array<CostlyPrompt>;
}

export interface TopDuration {
  tools: Array<SlowTool>;
}

/** `narrative` and `narrative_reason` as in Anomalies. */
export interface TraceComparison {
  divergence_points: Array<Divergence>;
  metric_diff: MetricDiff;
  summary: string;
  narrative: string | null;
  narrative_reason?: string | null;
}

/** A trace with its spans by start_time; `seq` is the change number this snapshot was read at. */
export interface TraceDetail {
  trace_id: string;
  name: string;
  start_time: number;
  end_time: number | null;
  duration_ms: number | null;
  span_count: number;
  status: "error" | "ok" | "unset";
  total_cost_usd: number;
  total_tokens: number;
  tags: Record<string, unknown>;
  sdk_language: string | null;
  session_id: string | null;
  error_count: number;
  running_count: number;
  unpriced_count: number;
  created_at: number;
  interrupted_count: number;
  models: Array<string>;
  seq: number;
  spans: Array<Span>;
}

/** One exported trace: the `json` format of the export routes, and what the import route takes. */
export interface TraceExport {
  version: string;
  format: string;
  exported_at: number;
  trace: TraceSummary;
  spans: Array<ExportedSpan>;
}

export interface TraceExports {
  version: string;
  format: string;
  exported_at: number;
  traces: Array<TraceExport>;
}

/** A page of traces. `total` is left out with count=false; `next_cursor` is there while more may follow. */
export interface TracePage {
  traces: Array<TraceSummary>;
  limit: number;
  offset: number;
  seq: number;
  total?: number | null;
  next_cursor?: string | null;
}

/** A trace row: a pure function of its stored spans, and its tags. */
export interface TraceSummary {
  trace_id: string;
  name: string;
  start_time: number;
  end_time: number | null;
  duration_ms: number | null;
  span_count: number;
  status: "error" | "ok" | "unset";
  total_cost_usd: number;
  total_tokens: number;
  tags: Record<string, unknown>;
  sdk_language: string | null;
  session_id: string | null;
  error_count: number;
  running_count: number;
  unpriced_count: number;
  created_at: number;
  interrupted_count: number;
  models: Array<string>;
}

export interface TraceSummaryText {
  trace_id: string;
  summary: string;
  key_events: Array<KeyEvent>;
}

export interface TraceTags {
  trace_id: string;
  tags: Record<string, string>;
}

/** `date` is the bucket's first moment in UTC: `2026-01-31`, or `2026-01-31T14:00:00Z` for hours. */
export interface TrendBucket {
  date: string;
  total_cost: number;
  total_tokens: number;
  trace_count: number;
  error_count: number;
  success_rate: number;
}

export interface Trends {
  buckets: Array<TrendBucket>;
}

export interface TwoTraces {
  trace_id_a: string;
  trace_id_b: string;
}

/** A configured server that could not be asked for its models, and why. */
export interface Unlisted {
  provider: string;
  detail: string;
}

/** A span with what OpenTelemetry says beside it; these fields are absent where it did not come that way, so that such a span reads here as it does among others. */
export interface WholeSpan {
  span_id: string;
  trace_id: string;
  parent_span_id: string | null;
  span_type: "agent_step" | "browser_action" | "chain" | "custom" | "file_operation" | "llm_call" | "shell_command" | "tool_use";
  name: string;
  status: "error" | "ok" | "unset";
  error_message: string | null;
  start_time: number;
  end_time: number | null;
  duration_ms: number | null;
  attributes: Record<string, unknown>;
  annotations: Array<unknown>;
  sdk_language: string | null;
  interrupted: boolean;
  kind?: "client" | "consumer" | "internal" | "producer" | "server" | "unspecified";
  trace_state?: string;
  events?: Array<SpanEvent>;
  links?: Array<SpanLink>;
  resource?: Record<string, unknown>;
  scope?: SpanScope;
}

/** Every operation by its method and path. */
export interface Operations {
  /** Store spans, or update stored ones; answered after they are committed */
  "POST /v1/spans": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: PostSpans;
    answer: SpansAccepted;
  };
  /** One span, whole, with what OpenTelemetry says beside it */
  "GET /v1/spans/{span_id}": {
    path: { span_id: string };
    query: { trace_id?: string };
    body: never;
    answer: WholeSpan;
  };
  /** Replace the notes on a span */
  "PUT /v1/spans/{span_id}/annotations": {
    path: { span_id: string };
    query: { trace_id?: string };
    body: PutAnnotations;
    answer: SpanAnnotations;
  };
  /** The prompt versions of a span, newest first */
  "GET /v1/spans/{span_id}/prompt-versions": {
    path: { span_id: string };
    query: { trace_id?: string };
    body: never;
    answer: PromptVersions;
  };
  /** Keep a prompt version of an llm_call span */
  "POST /v1/spans/{span_id}/prompt-versions": {
    path: { span_id: string };
    query: { trace_id?: string };
    body: CreatePromptVersion;
    answer: PromptVersion;
  };
  /** Traces, newest first unless sorted, with filters and paging */
  "GET /v1/traces": {
    path: Record<never, never>;
    query: { limit?: number; offset?: number; status?: "error" | "ok" | "unset"; q?: string; tag?: Array<string>; session_id?: string; since?: number; until?: number; min_duration_ms?: number; min_cost_usd?: number; span_type?: "agent_step" | "browser_action" | "chain" | "custom" | "file_operation" | "llm_call" | "shell_command" | "tool_use"; model?: string; sort?: "-created_at" | "-duration_ms" | "-span_count" | "-start_time" | "-total_cost_usd" | "-total_tokens" | "created_at" | "duration_ms" | "span_count" | "start_time" | "total_cost_usd" | "total_tokens"; cursor?: string; count?: boolean };
    body: never;
    answer: TracePage;
  };
  /** Delete traces by id, by age, or both */
  "DELETE /v1/traces": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: DeleteTraces;
    answer: DeletedCount;
  };
  /** OpenTelemetry's spans (OTLP/HTTP); answered after they are committed */
  "POST /v1/traces": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: OtlpTraces;
    answer: OtlpTracesAnswer;
  };
  /** The newest trace tagged baseline: "true", or null */
  "GET /v1/traces/baseline": {
    path: Record<never, never>;
    query: { exclude?: string };
    body: never;
    answer: TraceSummary | null;
  };
  /** Several traces as one export */
  "GET /v1/traces/export": {
    path: Record<never, never>;
    query: { trace_ids: string; format?: "json" };
    body: never;
    answer: TraceExports;
  };
  /** Store an exported trace */
  "POST /v1/traces/import": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: ImportTrace;
    answer: Imported;
  };
  /** A trace with its spans by start time */
  "GET /v1/traces/{trace_id}": {
    path: { trace_id: string };
    query: { fields?: "full" | "light" };
    body: never;
    answer: TraceDetail;
  };
  /** Delete a trace with its spans, replay runs and prompt versions */
  "DELETE /v1/traces/{trace_id}": {
    path: { trace_id: string };
    query: Record<never, never>;
    body: never;
    answer: DeletedCount;
  };
  /** A trace as nodes and edges, with a computed layout */
  "GET /v1/traces/{trace_id}/graph": {
    path: { trace_id: string };
    query: Record<never, never>;
    body: never;
    answer: Graph;
  };
  /** Replace the tags of a trace */
  "PUT /v1/traces/{trace_id}/tags": {
    path: { trace_id: string };
    query: Record<never, never>;
    body: PutTags;
    answer: TraceTags;
  };
  /** A trace as Beacon JSON, OTLP JSON or CSV */
  "GET /v1/traces/{trace_id}/export": {
    path: { trace_id: string };
    query: { format?: "json" | "otel" | "csv" };
    body: never;
    answer: TraceExport;
  };
  /** Sessions: traces that belong together, the newest first */
  "GET /v1/sessions": {
    path: Record<never, never>;
    query: { limit?: number; offset?: number; q?: string };
    body: never;
    answer: SessionPage;
  };
  /** Spans that hold a text, newest first */
  "GET /v1/search": {
    path: Record<never, never>;
    query: { q: string; limit?: number; offset?: number };
    body: never;
    answer: SearchPage;
  };
  /** How much is stored */
  "GET /v1/stats": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: never;
    answer: Stats;
  };
  /** Cost, tokens, traces and errors by day or hour */
  "GET /v1/stats/trends": {
    path: Record<never, never>;
    query: { days?: number; bucket?: "day" | "hour" };
    body: never;
    answer: Trends;
  };
  /** The dearest LLM calls */
  "GET /v1/stats/top-costs": {
    path: Record<never, never>;
    query: { limit?: number };
    body: never;
    answer: TopCosts;
  };
  /** The slowest tool calls */
  "GET /v1/stats/top-duration": {
    path: Record<never, never>;
    query: { limit?: number };
    body: never;
    answer: TopDuration;
  };
  /** Which providers have a key, and where it comes from; keys are never shown */
  "GET /v1/settings/api-keys": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: never;
    answer: Array<KeyInfo>;
  };
  /** Save a provider's key, or the base URL of a server that speaks OpenAI's protocol */
  "PUT /v1/settings/api-keys": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: PutKey;
    answer: KeyState;
  };
  /** Forget a provider's key and base URL */
  "DELETE /v1/settings/api-keys/{provider}": {
    path: { provider: string };
    query: Record<never, never>;
    body: never;
    answer: KeyState;
  };
  /** Make the cheapest real call with the stored key and base URL, and say what came back */
  "POST /v1/settings/api-keys/{provider}/test": {
    path: { provider: string };
    query: Record<never, never>;
    body: never;
    answer: KeyTest;
  };
  /** The known models with context and prices, and what configured local servers list */
  "GET /v1/models": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: never;
    answer: Models;
  };
  /** Call the model again with a recorded llm_call, changed as asked */
  "POST /v1/replay": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: ReplayRequest;
    answer: ReplayResult;
  };
  /** Every replay run of a span, newest first */
  "GET /v1/spans/{span_id}/replays": {
    path: { span_id: string };
    query: { trace_id?: string; limit?: number; offset?: number };
    body: never;
    answer: ReplayRuns;
  };
  /** One turn of a conversation with a model; its spans are real, and live */
  "POST /v1/playground/chat": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: ChatRequest;
    answer: ChatResult;
  };
  /** The same messages to several models, side by side */
  "POST /v1/playground/compare": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: CompareRequest;
    answer: CompareResult;
  };
  /** Several prompts to one model, side by side */
  "POST /v1/playground/compare-prompts": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: ComparePromptsRequest;
    answer: ComparePromptsResult;
  };
  /** The demo agents there are */
  "GET /v1/demo/scenarios": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: never;
    answer: Array<Scenario>;
  };
  /** Run a demo agent; its trace is answered at once and grows live. Without a key: on a recorded model */
  "POST /v1/demo/run": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: RunDemo;
    answer: DemoStarted;
  };
  /** Why a trace failed */
  "POST /v1/analysis/root-cause": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: OneTrace;
    answer: RootCause;
  };
  /** How traces could cost less */
  "POST /v1/analysis/cost-optimization": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: SomeTraces;
    answer: CostOptimization;
  };
  /** How a prompt could be better */
  "POST /v1/analysis/prompt-suggestions": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: OneSpan;
    answer: PromptSuggestions;
  };
  /** What is unusual in a trace, in numbers and words */
  "POST /v1/analysis/anomalies": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: OneTrace;
    answer: Anomalies;
  };
  /** What errors of several traces share */
  "POST /v1/analysis/error-patterns": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: SomeTraces;
    answer: ErrorPatterns;
  };
  /** Where two runs part, in numbers and words */
  "POST /v1/analysis/compare": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: TwoTraces;
    answer: TraceComparison;
  };
  /** What happened in a trace */
  "POST /v1/analysis/summarize": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: OneTrace;
    answer: TraceSummaryText;
  };
  /** Jobs, newest first */
  "GET /v1/jobs": {
    path: Record<never, never>;
    query: { limit?: number; offset?: number; state?: "cancelled" | "done" | "failed" | "queued" | "running" };
    body: never;
    answer: JobPage;
  };
  /** One job */
  "GET /v1/jobs/{job_id}": {
    path: { job_id: string };
    query: Record<never, never>;
    body: never;
    answer: Job;
  };
  /** Cancel a job; its worker ends the call and closes the upstream connection */
  "DELETE /v1/jobs/{job_id}": {
    path: { job_id: string };
    query: Record<never, never>;
    body: never;
    answer: JobCancelled;
  };
  /** OpenTelemetry's log records: what a model was asked and answered joins its span, the rest is dropped */
  "POST /v1/logs": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: OtlpLogs;
    answer: OtlpLogsAnswer;
  };
  /** OpenTelemetry's metrics: taken and dropped, so that exporters have no errors to tell of */
  "POST /v1/metrics": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: OtlpMetrics;
    answer: OtlpMetricsAnswer;
  };
  /** As POST /v1/traces, with an older answer in JSON whatever the request came in */
  "POST /v1/otlp/traces": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: OtlpTraces;
    answer: OtlpOlderAnswer;
  };
  /** Whether Beacon works, part by part; 503 while ingest or query is down */
  "GET /health": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: never;
    answer: Health;
  };
  /** This contract as OpenAPI 3.1 */
  "GET /openapi.json": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: never;
    answer: Record<string, unknown>;
  };
  /** The contract, browsable, offline */
  "GET /docs": {
    path: Record<never, never>;
    query: Record<never, never>;
    body: never;
    answer: unknown;
  };
}
