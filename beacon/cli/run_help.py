"""What `beacon run --help` says."""

from __future__ import annotations

ABOUT = """\
Run a program with the environment that makes its OpenTelemetry instrumentation, and beacon-sdk, send to
this Beacon. Beacon is started first if it is not up, and left up afterwards. Put -- before the program.
"""

EPILOG = """\
what is set, whatever it was before:
  OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_PROTOCOL (http/protobuf), BEACON_BACKEND_URL,
  TRACELOOP_BASE_URL, GEMINI_TELEMETRY_OTLP_ENDPOINT and ..._PROTOCOL; the TRACES and LOGS forms of the
  first two are taken away; with BEACON_TOKEN, the Authorization header in OTEL_EXPORTER_OTLP_HEADERS
  and TRACELOOP_HEADERS

what is set unless you set it:
  OTEL_SERVICE_NAME                    the script's name
  OTEL_TRACES_EXPORTER, OTEL_LOGS_EXPORTER=otlp, OTEL_METRICS_EXPORTER=none
  OTEL_BSP_SCHEDULE_DELAY=200          milliseconds, so that spans show at once; OTEL_BLRP_SCHEDULE_DELAY
  OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT=SPAN_ONLY
  OTEL_SEMCONV_STABILITY_OPT_IN        gen_ai_latest_experimental is added
  OTEL_RESOURCE_ATTRIBUTES             beacon.run_id is added
  NO_PROXY                             loopback is added, where there is a proxy
  CLAUDE_CODE_ENABLE_TELEMETRY, CLAUDE_CODE_ENHANCED_TELEMETRY_BETA, OTEL_TRACES_EXPORT_INTERVAL,
  OTEL_LOGS_EXPORT_INTERVAL, OTEL_LOG_USER_PROMPTS, OTEL_LOG_TOOL_DETAILS, OTEL_LOG_TOOL_CONTENT,
  GEMINI_TELEMETRY_ENABLED, ..._TARGET, ..._LOG_PROMPTS, ..._TRACES_ENABLED

exit status: the program's; 128+N when signal N ended it; 127 there is no such command, 126 it cannot
be run, 125 Beacon could not be started.
"""
