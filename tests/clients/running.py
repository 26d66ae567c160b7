"""One run of a client against a Beacon and a provider, as a user would start it."""

from __future__ import annotations

import subprocess
from typing import Any

from tests.clients.environments import python_of
from tests.clients.expected import PROGRAMS
from tests.fake_provider import FakeProvider
from tests.stack import Stack

RUN_S = 60.0


def run(
    lock: str, program: tuple[str, ...], name: str, stack: Stack, provider: FakeProvider, **env: str
) -> dict[str, Any]:
    """The one trace that comes of `program` (a file of programs/ and its arguments), run by the environment `lock` as
    the service `name`, with the lines docs/integrations.md gives and `env`."""
    before = _traces(stack)
    clean = {key: value for key, value in stack.env.items() if not key.startswith(("OTEL_", "PYTHON"))}
    file, *arguments = program
    done = subprocess.run(
        [str(python_of(lock)), str(PROGRAMS / file), *arguments],
        env=clean
        | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": stack.url,
            "OTEL_SERVICE_NAME": name,
            "OPENAI_BASE_URL": provider.base_url(),
            "OPENAI_API_KEY": "sk-nothing",
            "ANTHROPIC_BASE_URL": provider.url,
            "ANTHROPIC_API_KEY": "sk-nothing",
            **env,
        },
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=RUN_S,
    )
    assert done.returncode == 0, done.stderr
    assert "export" not in done.stderr.lower(), done.stderr
    [trace_id] = _traces(stack) - before
    found = stack.ask("GET", f"/v1/traces/{trace_id}").json
    assert isinstance(found, dict)
    return found


def _traces(stack: Stack) -> set[str]:
    return {trace["trace_id"] for trace in stack.ask("GET", "/v1/traces?limit=100").json["traces"]}
