"""OpenTelemetry in: OTLP decoded, each instrumentation's dialect read, and Beacon's spans made of it."""
