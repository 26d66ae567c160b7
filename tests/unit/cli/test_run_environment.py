"""What `beacon run` gives a program, and what of the user's own it leaves alone."""

from __future__ import annotations

import pytest

from beacon.cli import run_help
from beacon.cli.run import summary
from beacon.cli.run_ended import RunEnd
from beacon.cli.run_environment import lost_by, run_environment, service_name

URL = "http://127.0.0.1:7474"


def given(environ: dict[str, str] | None = None, token: str | None = None) -> dict[str, str]:
    return run_environment(environ or {}, url=URL, token=token, run_id="r1", service="agent")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python agent.py", "agent"),
        ("python3.12 -W ignore -u src/agent.py --model gpt-4o notes.py", "agent"),
        ("/usr/bin/python3 agent.v2.py", "agent.v2"),
        ("python -m my.agent --once", "my.agent"),
        ("python -m pytest tests/test_agent.py", "pytest"),
        ("python -c print(1) agent.py", "python"),
        ("python", "python"),
        ("python agents/weather/__main__.py", "weather"),
        ("uv run --with rich agent.py", "agent"),
        ("poetry run python agent.py", "agent"),
        ("opentelemetry-instrument python agent.py", "agent"),
        ("env A=b python agent.py", "agent"),
        ("npx tsx src/agent.ts", "agent"),
        ("node --import ./otel.mjs dist/agent.js", "agent"),
        ("node -e agent.js", "node"),
        ("./agent.py", "agent"),
        ("/opt/bin/agent", "agent"),
        ("claude -p agent.py", "claude"),
        ("pythonista agent.py", "pythonista"),
        ("sh start.sh", "start"),
    ],
)
def test_the_service_is_named_after_the_script(command: str, name: str) -> None:
    assert service_name(command.split()) == name


def test_a_bare_environment_gets_all_that_is_needed() -> None:
    env = given({"PATH": "/bin"})
    assert env["PATH"] == "/bin"
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == URL
    assert env["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert env["OTEL_SERVICE_NAME"] == "agent"
    assert (env["OTEL_TRACES_EXPORTER"], env["OTEL_LOGS_EXPORTER"], env["OTEL_METRICS_EXPORTER"]) == (
        "otlp", "otlp", "none"
    )  # fmt: skip
    assert (env["OTEL_BSP_SCHEDULE_DELAY"], env["OTEL_BLRP_SCHEDULE_DELAY"]) == ("200", "200")
    assert env["OTEL_RESOURCE_ATTRIBUTES"] == "beacon.run_id=r1"
    assert env["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] == "SPAN_ONLY"
    assert env["OTEL_SEMCONV_STABILITY_OPT_IN"] == "gen_ai_latest_experimental"
    assert env["BEACON_BACKEND_URL"] == env["TRACELOOP_BASE_URL"] == env["GEMINI_TELEMETRY_OTLP_ENDPOINT"] == URL
    assert env["GEMINI_TELEMETRY_OTLP_PROTOCOL"] == "http"
    assert not [name for name in env if "HEADERS" in name or name.lower() == "no_proxy"]


def test_the_given_environment_is_not_changed() -> None:
    own = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://elsewhere"}
    given(own)
    assert own == {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://elsewhere"}


def test_addresses_are_replaced_and_those_that_would_win_taken_away() -> None:
    env = given(
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": "https://cloud",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://cloud/v1/traces",
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://cloud/v1/logs",
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "https://cloud/v1/metrics",
            "BEACON_BACKEND_URL": "http://old:1",
        }
    )
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == env["BEACON_BACKEND_URL"] == URL
    assert env["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert not [name for name in env if name.startswith(("OTEL_EXPORTER_OTLP_TRACES", "OTEL_EXPORTER_OTLP_LOGS"))]
    assert env["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"] == "https://cloud/v1/metrics", "metrics stay the user's affair"


def test_whatever_else_the_user_set_wins() -> None:
    own = {
        "OTEL_SERVICE_NAME": "mine",
        "OTEL_TRACES_EXPORTER": "otlp,console",
        "OTEL_METRICS_EXPORTER": "prometheus",
        "OTEL_BSP_SCHEDULE_DELAY": "5000",
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "NO_CONTENT",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http,gen_ai/dup",
        "CLAUDE_CODE_ENABLE_TELEMETRY": "0",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-team=blue",
        "BEACON_ENABLED": "false",
    }
    env = given(own)
    assert {name: env[name] for name in own} == own


def test_an_empty_value_is_not_set() -> None:
    env = given({"OTEL_SERVICE_NAME": "", "OTEL_TRACES_EXPORTER": "", "OTEL_RESOURCE_ATTRIBUTES": ""})
    assert (env["OTEL_SERVICE_NAME"], env["OTEL_TRACES_EXPORTER"]) == ("agent", "otlp")
    assert env["OTEL_RESOURCE_ATTRIBUTES"] == "beacon.run_id=r1"


def test_resource_attributes_are_merged() -> None:
    env = given({"OTEL_RESOURCE_ATTRIBUTES": "team=blue%2Cgreen, beacon.run_id=outer,deployment.environment=dev,"})
    assert env["OTEL_RESOURCE_ATTRIBUTES"] == "team=blue%2Cgreen,deployment.environment=dev,beacon.run_id=r1"


def test_a_service_name_among_resource_attributes_is_one() -> None:
    env = given({"OTEL_RESOURCE_ATTRIBUTES": "service.name=mine"})
    assert "OTEL_SERVICE_NAME" not in env
    assert env["OTEL_RESOURCE_ATTRIBUTES"] == "service.name=mine,beacon.run_id=r1"


def test_a_choice_of_conventions_is_added_to() -> None:
    assert given({"OTEL_SEMCONV_STABILITY_OPT_IN": "http,"})["OTEL_SEMCONV_STABILITY_OPT_IN"] == (
        "http,gen_ai_latest_experimental"
    )


def test_the_token_travels_as_a_header_in_place_of_another_authorization() -> None:
    env = given(
        {
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20old,x-team=blue",
            "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-only=traces",
        },
        token="secret~1",
    )
    assert env["OTEL_EXPORTER_OTLP_HEADERS"] == "x-team=blue,Authorization=Bearer%20secret~1"
    assert env["OTEL_EXPORTER_OTLP_TRACES_HEADERS"] == "x-only=traces,Authorization=Bearer%20secret~1"
    assert "OTEL_EXPORTER_OTLP_LOGS_HEADERS" not in env


@pytest.mark.parametrize("proxy", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_loopback_goes_past_a_proxy(proxy: str) -> None:
    env = given({proxy: "http://proxy:3128", "NO_PROXY": "intranet, localhost"})
    assert env["NO_PROXY"] == env["no_proxy"] == "intranet, localhost,127.0.0.1,::1"
    assert given({proxy: "http://proxy:3128", "no_proxy": "*"})["NO_PROXY"] == "*"


@pytest.mark.parametrize(
    ("environ", "word"),
    [
        ({"OTEL_SDK_DISABLED": "TRUE"}, "OTEL_SDK_DISABLED"),
        ({"OTEL_TRACES_EXPORTER": "none"}, "OTEL_TRACES_EXPORTER=none"),
        ({"OTEL_TRACES_EXPORTER": "console,zipkin"}, "OTEL_TRACES_EXPORTER=console,zipkin"),
        ({"BEACON_ENABLED": "False"}, "beacon-sdk is off"),
    ],
)
def test_what_keeps_spans_away_is_said(environ: dict[str, str], word: str) -> None:
    [said] = lost_by(environ)
    assert word in said


def test_nothing_is_said_of_what_does_no_harm() -> None:
    assert lost_by({"OTEL_TRACES_EXPORTER": "console, otlp", "OTEL_SDK_DISABLED": "false", "BEACON_ENABLED": "1"}) == []
    assert lost_by({}) == []


def test_the_end_says_where_to_look() -> None:
    one = RunEnd(trace_count=1, trace_ids=["t1"])
    assert summary(one, URL) == f"{URL}/v1/traces/t1"
    more = RunEnd(interrupted=2, trace_count=12, trace_ids=["t9", "t8"])
    assert summary(more, URL) == f"12 traces, the newest {URL}/v1/traces/t9 (2 of its spans had not ended)"
    assert "no span" in summary(RunEnd(), URL)
    assert "went away" in summary(None, URL)


def test_the_help_names_every_variable_that_is_set() -> None:
    """In full, or as `..._REST` behind another of its family."""
    for name in given({"HTTP_PROXY": "http://proxy"}, token="t"):
        family = name.split("_")[0]
        ends = ["_".join(name.split("_")[at:]) for at in range(1, len(name.split("_")))]
        short = any(f"..._{end}" in run_help.EPILOG and family in run_help.EPILOG for end in ends)
        named = short or name in run_help.EPILOG or name in ("HTTP_PROXY", "no_proxy")
        assert named, name
