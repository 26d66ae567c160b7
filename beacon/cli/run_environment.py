"""The environment `beacon run` gives a program, so that its instrumentation sends to Beacon. Pure.

Names: opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables and …/protocol/exporter; the others
are each tool's own, named below.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from urllib.parse import unquote

RUN_ID = "beacon.run_id"
"""The resource attribute by which Beacon knows a run's spans."""

BATCH_DELAY_MS = "200"
"""Milliseconds that spans and logs wait for others; OpenTelemetry's own default, 5 s, is no live view."""

SEMCONV = "gen_ai_latest_experimental"

ADDRESSES = (
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "BEACON_BACKEND_URL",
    "TRACELOOP_BASE_URL",
    "GEMINI_TELEMETRY_OTLP_ENDPOINT",
    "GEMINI_TELEMETRY_OTLP_PROTOCOL",
)
"""Where to send and how to speak there: these go together, so they are set whatever they were."""

_SIGNALS = ("TRACES", "LOGS")

_LAUNCHERS = frozenset(
    {"bash", "bun", "bunx", "deno", "env", "hatch", "node", "nohup", "npx", "opentelemetry-instrument", "pdm", "pipx",
     "poetry", "pypy", "pypy3", "py", "python", "rye", "sh", "tsx", "ts-node", "uv", "uvx", "zsh"}
)  # fmt: skip
"""Programs that run the script named behind them."""

_TAKE_A_FILE = frozenset({"-r", "--import", "--require", "--loader", "--env-file", "--with-requirements"})
"""Options of launchers with a file behind them that is not the script."""

_SCRIPTS = (".py", ".pyz", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".tsx", ".sh")


def service_name(command: Sequence[str]) -> str:
    """What the program is called: `agent` for `python agent.py`, `uv run agent.py` and `./agent.py`; `my.agent` for
    `python -m my.agent`; else the command's own name."""
    own = os.path.basename(command[0])
    if _launches(own):
        for at, argument in enumerate(command[1:], 1):
            if argument == "-m" and at + 1 < len(command):
                return command[at + 1]
            if argument in ("-c", "-e", "-p", "--eval"):  # what follows is code
                break
            is_script = argument.endswith(_SCRIPTS) and not argument.startswith("-")
            if is_script and command[at - 1] not in _TAKE_A_FILE:
                return _stem(argument)
    return _stem(own) if own.endswith(_SCRIPTS) else own


def run_environment(
    environ: Mapping[str, str], *, url: str, token: str | None, run_id: str, service: str
) -> dict[str, str]:
    """`environ` with what a program needs so that its spans reach the Beacon at `url`. Only `ADDRESSES` and the token
    replace what stands there; everything else that `environ` sets wins. An empty value counts as not set, as
    OpenTelemetry has it."""
    env = dict(environ)
    _set_addresses(env, url, token)
    attributes = env.get("OTEL_RESOURCE_ATTRIBUTES", "")
    env["OTEL_RESOURCE_ATTRIBUTES"] = _with_pairs(attributes, {RUN_ID: run_id})
    defaults = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "none",  # Beacon keeps none
        "OTEL_BSP_SCHEDULE_DELAY": BATCH_DELAY_MS,
        "OTEL_BLRP_SCHEDULE_DELAY": BATCH_DELAY_MS,
        # opentelemetry-util-genai: without it, spans have no messages; `true`, the older form, counts as nothing there
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
        # Claude Code
        "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
        "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
        "OTEL_TRACES_EXPORT_INTERVAL": BATCH_DELAY_MS,
        "OTEL_LOGS_EXPORT_INTERVAL": BATCH_DELAY_MS,
        "OTEL_LOG_USER_PROMPTS": "1",
        "OTEL_LOG_TOOL_DETAILS": "1",
        "OTEL_LOG_TOOL_CONTENT": "1",
        # Gemini CLI
        "GEMINI_TELEMETRY_ENABLED": "true",
        "GEMINI_TELEMETRY_TARGET": "local",
        "GEMINI_TELEMETRY_LOG_PROMPTS": "true",
        "GEMINI_TELEMETRY_TRACES_ENABLED": "true",
    }
    # OTEL_SERVICE_NAME would win over a name that stands among the resource attributes
    if "service.name" not in _names(attributes):
        defaults["OTEL_SERVICE_NAME"] = service
    for name, value in defaults.items():
        if not env.get(name):
            env[name] = value
    # before it, instrumentations of the older conventions know of `true` alone, and put messages into log records
    chosen = env.get("OTEL_SEMCONV_STABILITY_OPT_IN", "")
    if not any(part.strip().startswith("gen_ai") for part in chosen.split(",")):
        env["OTEL_SEMCONV_STABILITY_OPT_IN"] = _joined(chosen, SEMCONV)
    _bypass_proxies(env)
    return env


def lost_by(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable of the user's that keeps spans from Beacon."""
    said = []
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        said.append("OTEL_SDK_DISABLED=true is set: OpenTelemetry is off in the program.")
    exporters = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if exporters and not any(part.strip().startswith("otlp") for part in exporters.split(",")):
        said.append(f"OTEL_TRACES_EXPORTER={exporters} is set: traces do not go to Beacon; `otlp` does it.")
    if environ.get("BEACON_ENABLED", "").strip().lower() in ("false", "0", "no"):
        said.append(f"BEACON_ENABLED={environ['BEACON_ENABLED']} is set: beacon-sdk is off in the program.")
    return said


def _set_addresses(env: dict[str, str], url: str, token: str | None) -> None:
    for name in ADDRESSES:
        env[name] = url
    env["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
    env["GEMINI_TELEMETRY_OTLP_PROTOCOL"] = "http"
    for signal in _SIGNALS:  # they would win over the general ones
        for what in ("ENDPOINT", "PROTOCOL"):
            env.pop(f"OTEL_EXPORTER_OTLP_{signal}_{what}", None)
    if token:
        pair = {"Authorization": f"Bearer%20{token}"}  # values are percent-encoded, as in W3C baggage
        for name in ("OTEL_EXPORTER_OTLP_HEADERS", "TRACELOOP_HEADERS"):
            env[name] = _with_pairs(env.get(name, ""), pair)
        for signal in _SIGNALS:
            name = f"OTEL_EXPORTER_OTLP_{signal}_HEADERS"
            if env.get(name):
                env[name] = _with_pairs(env[name], pair)


def _bypass_proxies(env: dict[str, str]) -> None:
    """Loopback past the proxy: exporters that honour HTTP_PROXY would send Beacon's spans there."""
    if not any(env.get(name) for scheme in ("http_proxy", "all_proxy") for name in (scheme, scheme.upper())):
        return
    direct = env.get("no_proxy") or env.get("NO_PROXY") or ""
    hosts = [part.strip() for part in direct.split(",")]
    if "*" not in hosts:
        for host in ("127.0.0.1", "localhost", "::1"):
            if host not in hosts:
                direct = _joined(direct, host)
    env["no_proxy"] = env["NO_PROXY"] = direct


def _with_pairs(text: str, pairs: Mapping[str, str]) -> str:
    """`key=value,…` with `pairs` in place of those of the same name, in any case; the others as they stand."""
    replaced = {name.lower() for name in pairs}
    kept = [part for part in text.split(",") if part.strip() and _name(part).lower() not in replaced]
    return ",".join([*kept, *(f"{name}={value}" for name, value in pairs.items())])


def _names(text: str) -> set[str]:
    return {_name(part) for part in text.split(",") if "=" in part}


def _name(part: str) -> str:
    return unquote(part.partition("=")[0].strip())


def _joined(text: str, more: str) -> str:
    return f"{text.rstrip().rstrip(',')},{more}" if text.strip() else more


def _launches(name: str) -> bool:
    return name in _LAUNCHERS or (name.startswith("python") and name[6:].replace(".", "").isdigit())


def _stem(path: str) -> str:
    folder, name = os.path.split(path)
    stem = name.rpartition(".")[0] or name
    return os.path.basename(folder) if stem == "__main__" and folder else stem
