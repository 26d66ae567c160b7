"""A program that speaks OTLP by the environment alone, as any exporter does: `otlp_agent.py WHAT`.

`end`: one span, ended. `crash`: a span begun, told, and never ended. `environment`: prints what it was given, as JSON.
`wait`: begins, prints its pid, and waits for signals: SIGINT and SIGTERM are counted and printed; SIGUSR1 ends it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import urllib.parse
import urllib.request
from typing import Any


def pairs(text: str) -> dict[str, str]:
    found = (part.partition("=") for part in text.split(",") if part)
    return {name.strip(): urllib.parse.unquote(value) for name, _, value in found}


def tell(name: str, ended: bool) -> None:
    now = time.time_ns()
    resource = pairs(os.environ["OTEL_RESOURCE_ATTRIBUTES"]) | {"service.name": os.environ["OTEL_SERVICE_NAME"]}
    span: dict[str, Any] = {
        "traceId": os.urandom(16).hex(),
        "spanId": os.urandom(8).hex(),
        "name": name,
        "kind": 1,
        "startTimeUnixNano": str(now - 1_000_000),
        "endTimeUnixNano": str(now if ended else 0),
        "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "invoke_agent"}}],
    }
    attributes = [{"key": key, "value": {"stringValue": value}} for key, value in resource.items()]
    body = {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [{"spans": [span]}]}]}
    headers = {"content-type": "application/json", **pairs(os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", ""))}
    url = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/v1/traces"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        assert answer.status == 200


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def wait() -> None:
    # blocked, not handled: one that came between a look and signal.pause() was slept over
    watched = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    say(str(os.getpid()))
    while (number := signal.sigwait(watched)) != signal.SIGUSR1:
        say(signal.Signals(number).name)


what = sys.argv[1]
if what == "environment":
    say(json.dumps(dict(os.environ)))
elif what == "wait":
    wait()
else:
    tell(what, ended=what == "end")
    if what == "crash":
        os.abort()
