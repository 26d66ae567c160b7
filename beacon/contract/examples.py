"""One body for each operation that takes one: shown in the docs and in openapi.json. A test decodes every one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OTLP_SPANS: Mapping[str, Any] = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my-agent"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "my-instrumentation"},
                    "spans": [
                        {
                            "traceId": "5b8efff798038103d269b633813fc60c",
                            "spanId": "eee19b7ec3c1b174",
                            "name": "chat gpt-4o",
                            "kind": 3,
                            "startTimeUnixNano": "1767225600000000000",
                            "endTimeUnixNano": "1767225601500000000",
                            "attributes": [
                                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                                {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4o"}},
                                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "8"}},
                            ],
                            "status": {"code": 1},
                        }
                    ],
                }
            ],
        }
    ]
}

BODIES: Mapping[str, Mapping[str, Any]] = {
    "post_spans": {
        "spans": [
            {
                "trace_id": "trace-1",
                "span_id": "span-1",
                "span_type": "llm_call",
                "name": "openai.chat.completions",
                "status": "ok",
                "start_time": 1767225600.0,
                "end_time": 1767225601.5,
                "attributes": {
                    "llm.model": "gpt-4o",
                    "llm.prompt": '[{"role": "user", "content": "Hello"}]',
                    "llm.completion": "Hello! What can I do for you?",
                    "llm.tokens.input": 8,
                    "llm.tokens.output": 9,
                    "llm.tokens.total": 17,
                    "llm.cost_usd": 0.00011,
                },
            }
        ]
    },
    "put_annotations": {
        "annotations": [{"id": "note-1", "text": "Wrong tool chosen here", "created_at": 1767225700.0}]
    },
    "create_prompt_version": {
        "prompt_text": '[{"role": "user", "content": "Hello, in French"}]',
        "label": "French",
    },
    "otlp_traces": OTLP_SPANS,
    "otlp_traces_older": OTLP_SPANS,
    "otlp_logs": {
        "resourceLogs": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "my-agent"}}]},
                "scopeLogs": [
                    {
                        "scope": {"name": "opentelemetry.instrumentation.openai_v2"},
                        "logRecords": [
                            {
                                "traceId": "5b8efff798038103d269b633813fc60c",
                                "spanId": "eee19b7ec3c1b174",
                                "timeUnixNano": "1767225601400000000",
                                "eventName": "gen_ai.user.message",
                                "body": {
                                    "kvlistValue": {"values": [{"key": "content", "value": {"stringValue": "Hello"}}]}
                                },
                            }
                        ],
                    }
                ],
            }
        ]
    },
    "otlp_metrics": {"resourceMetrics": []},
    "delete_traces": {"trace_ids": ["trace-1"]},
    "put_tags": {"tags": {"baseline": "true", "branch": "main"}},
    "import_trace": {
        "version": "1",
        "format": "beacon",
        "trace": {"trace_id": "trace-2", "tags": {}},
        "spans": [
            {
                "trace_id": "trace-2",
                "span_id": "span-1",
                "span_type": "custom",
                "name": "imported",
                "start_time": 1767225600.0,
                "end_time": 1767225600.1,
            }
        ],
    },
    "put_key": {"provider": "ollama", "base_url": "http://127.0.0.1:11434/v1"},
    "replay": {
        "span_id": "span-1",
        "modified_attributes": {"llm.model": "gpt-4o-mini", "llm.temperature": 0.2},
    },
    "chat": {
        "model": "ollama/llama3.2",
        "system_prompt": "Answer in one sentence.",
        "messages": [{"role": "user", "content": "What is a span?"}],
    },
    "compare_models": {
        "models": ["gpt-4o-mini", "claude-haiku-4-5"],
        "messages": [{"role": "user", "content": "What is a span?"}],
    },
    "compare_prompts": {
        "model": "gpt-4o-mini",
        "prompts": ["What is a span?", "Explain to a child what a span is."],
    },
    "run_demo": {"scenario": "trip_planner"},
    "root_cause": {"trace_id": "trace-1"},
    "cost_optimization": {"trace_ids": ["trace-1", "trace-2"]},
    "prompt_suggestions": {"span_id": "span-1"},
    "anomalies": {"trace_id": "trace-1"},
    "error_patterns": {"trace_ids": ["trace-1", "trace-2"]},
    "compare_traces": {"trace_id_a": "trace-1", "trace_id_b": "trace-2"},
    "summarize": {"trace_id": "trace-1"},
}
