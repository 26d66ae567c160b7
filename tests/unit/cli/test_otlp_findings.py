"""What `beacon up` and `beacon doctor` say of the port of OpenTelemetry."""

from __future__ import annotations

from pathlib import Path

import pytest

from beacon.cli.banner import otlp_line
from beacon.cli.health import Health
from beacon.cli.invocation import Invocation
from beacon.cli.otlp_findings import check_otlp_port
from beacon.config import Settings
from beacon.ports import Holder

BEACON = Invocation("beacon")
UP = Health(200, "ok")
SERVED = Health(200, "ok", otlp_port=4318)
BY = Holder(7, "otelcol", "otelcol")


def settings(otlp_port: int | None = 4318) -> Settings:
    home = Path("/home/user/.beacon")
    return Settings(home=home, db_path=home / "traces.db", run_dir=home / "run", otlp_port=otlp_port)


@pytest.mark.parametrize(
    ("otlp_port", "health", "up", "taken", "level", "says"),
    [
        (None, UP, True, False, "ok", "BEACON_OTLP_PORT is off"),
        (4318, SERVED, True, True, "ok", "http://127.0.0.1:7474 and on port 4318"),
        (4318, UP, True, True, "warning", "in use by otelcol (pid 7)"),
        (4318, UP, True, False, "warning", "nobody listens on port 4318"),
        (4318, Health(), False, True, "warning", "in use by otelcol (pid 7)"),
        (4318, Health(), False, False, "ok", "is free"),
        (7474, UP, True, True, "ok", "alone"),
    ],
)
def test_the_second_port(otlp_port: int | None, health: Health, up: bool, taken: bool, level: str, says: str) -> None:
    (finding,) = check_otlp_port(settings(otlp_port), health, up, taken, lambda: BY, BEACON)
    assert (finding.level, finding.check) == (level, "otlp")
    assert says in finding.what
    assert bool(finding.advice) == (level != "ok")
    if taken and level != "ok":
        assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:7474" in finding.advice


def test_a_holder_nobody_can_name() -> None:
    (finding,) = check_otlp_port(settings(), UP, True, True, lambda: None, BEACON)
    assert "does not name" in finding.what


def test_the_banner_says_where_exporters_may_send() -> None:
    assert otlp_line(settings(), 4318).startswith("http://127.0.0.1:7474, and port 4318")
    assert "taken by another program" in otlp_line(settings(), None)
    assert otlp_line(settings(None), None) == "http://127.0.0.1:7474"
