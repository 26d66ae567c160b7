"""What `beacon doctor` finds of the second port, that of OpenTelemetry."""

from __future__ import annotations

from collections.abc import Callable

from beacon.cli.findings import Finding, ok
from beacon.cli.health import Health
from beacon.cli.invocation import Invocation
from beacon.config import Settings
from beacon.ports import Holder


def check_otlp_port(
    settings: Settings, health: Health, up: bool, taken: bool, by: Callable[[], Holder | None], beacon: Invocation
) -> list[Finding]:
    """The second port: whether Beacon has it, or could have it. `taken`: somebody listens there; `by` finds out who."""
    port = settings.otlp_port
    if port is None or port == settings.backend_port:
        return [ok("otlp", f"OpenTelemetry is taken at {settings.base_url} alone (BEACON_OTLP_PORT is off)")]
    if health.otlp_port is not None:
        return [ok("otlp", f"OpenTelemetry is taken at {settings.base_url} and on port {health.otlp_port}")]
    if taken:
        return [
            Finding(
                "warning",
                "otlp",
                f"port {port}, where exporters send to by default, is in use by "
                f"{by() or 'a program the system does not name'}",
                f"Set OTEL_EXPORTER_OTLP_ENDPOINT={settings.base_url} in your programs, or stop that program and "
                f"restart Beacon. BEACON_OTLP_PORT=off leaves it for good.",
            )
        ]
    if up and health.http_status == 200:
        what = f"nobody listens on port {port}, where exporters send to by default"
        return [Finding("warning", "otlp", what, f"Restart Beacon: {beacon('down')} && {beacon('up')}")]
    return [ok("otlp", f"port {port} for OpenTelemetry is free")]
