"""A home with a million spans, as months of use leave it: `python -m tests.bench.million DIR`.

80,000 traces of 1 to 40 spans, eight of 5,000; starts over 60 days, arriving out of order; errors, running ones, ten
models, fifty tags, 3,000 sessions; 2.6 KB a span. Written by ingest's own code, without HTTP: two minutes.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from ingest.database import Command, Database, Transaction
from ingest.decode import Arrival, decode_spans
from ingest.spans import store
from ingest.traces import put_tags
from tests.bench.prose import cut
from tests.bench.report import progress

TRACES = 80_000
SPANS = 1_007_000
"""What `fill` makes at scale 1, about."""
LONG_TRACES = 8
LONG_SPANS = 5_000
DAYS = 60
SESSIONS = 3_000
TAGS = 50
MODELS = (
    "gpt-4o-mini", "gpt-4.1", "o4-mini", "claude-sonnet-4-5", "claude-haiku-4-5", "claude-opus-4-1",
    "gemini-2.5-flash", "gemini-2.5-pro", "llama-3.3-70b", "rare-model",
)  # fmt: skip
MODEL_SHARES = (30, 20, 10, 20, 6, 4, 5, 3, 1.9, 0.1)
KINDS = ("llm_call", "tool_use", "agent_step", "chain", "file_operation", "shell_command")
KIND_SHARES = (45, 25, 14, 8, 5, 3)
GROUP_TRACES = 40
"""Traces whose spans come mixed, in requests of REQUEST_SPANS."""
REQUEST_SPANS = 400

_encode = msgspec.json.Encoder().encode


def long_trace_id(number: int) -> str:
    """The id of one of the LONG_TRACES."""
    return f"{number:031x}f"


def fill(home: Path, scale: float = 1.0) -> None:
    """Make `home`/traces.db; with `scale` 0.1 it has a tenth of the traces. Raises FileExistsError."""
    path = home / "traces.db"
    if path.exists():
        raise FileExistsError(path)
    home.mkdir(parents=True, exist_ok=True)
    database = Database(path, "normal", lambda epoch, seq: None, _refused)
    assert database.ready(), database.why_not
    now_s = time.time()
    rng = Random("million")
    traces = int(TRACES * scale)
    long_at = {traces * (2 * i + 1) // (2 * LONG_TRACES): i for i in range(LONG_TRACES)}
    stored = 0
    try:
        for first in range(0, traces, GROUP_TRACES):
            group: list[tuple[float, dict[str, Any]]] = []
            tagged: list[tuple[str, dict[str, str]]] = []
            for index in range(first, min(first + GROUP_TRACES, traces)):
                # as they arrive, within a day and a half of their time
                start_s = now_s - DAYS * 86_400 * (1 - index / traces) - rng.expovariate(1 / 40_000)
                trace_id = long_trace_id(long_at[index]) if index in long_at else f"{rng.getrandbits(128):032x}"
                group += _spans(rng, trace_id, start_s, LONG_SPANS if index in long_at else None)
                tags = _tags(rng)
                if tags:
                    tagged.append((trace_id, tags))
            group.sort(key=lambda arrival: arrival[0])
            for at in range(0, len(group), REQUEST_SPANS):
                body = b'{"spans":' + _encode([span for _, span in group[at : at + REQUEST_SPANS]]) + b"}"
                decoded = decode_spans(body)
                assert not decoded.errors, decoded.errors[0]
                database.transact(_stored(decoded.arrivals))
                database.written(len(body), may_restart=True)
            database.transact(_tagged(tagged))
            stored += len(group)
            if first // GROUP_TRACES % 100 == 0:
                progress(f"{stored:,} spans in {first + GROUP_TRACES:,} traces")
    finally:
        database.close()


def _stored(arrivals: list[Arrival]) -> Command:
    return lambda tx: store(tx, [arrivals])


def _tagged(tagged: list[tuple[str, dict[str, str]]]) -> Command:
    def command(tx: Transaction) -> None:
        for trace_id, tags in tagged:
            put_tags(trace_id, tags)(tx)

    return command


def _refused(error: Exception) -> None:
    raise error


def _tags(rng: Random) -> dict[str, str]:
    """Half of the traces have some: an environment, one of 50 features, seldom a customer of their own."""
    tags = {}
    if rng.random() < 0.5:
        tags["env"] = rng.choice(("prod", "prod", "prod", "staging", "dev"))
        tags[f"feature{int(TAGS * rng.random() ** 2)}"] = rng.choice(("on", "off"))
    if rng.random() < 0.005:
        tags["customer"] = f"c{rng.randrange(200)}"
    return tags


def _spans(rng: Random, trace_id: str, start_s: float, length: int | None) -> Iterator[tuple[float, dict[str, Any]]]:
    """(moment of arrival, span) of one trace."""
    length = length or min(40, max(1, round(rng.lognormvariate(2.245, 0.75))))
    session = f"session-{int(SESSIONS * rng.random() ** 1.5)}" if rng.random() < 0.7 else None
    fails, runs = rng.random() < 0.08, rng.random() < 0.004
    favourite = rng.choices(MODELS, MODEL_SHARES)[0]
    clock = arrives = start_s
    root = f"{rng.getrandbits(64):016x}"
    for number in range(length):
        kind = rng.choices(KINDS, KIND_SHARES)[0] if number else "agent_step"
        begins, clock = clock, clock + rng.expovariate(1.5)
        last = number == length - 1
        span: dict[str, Any] = {
            "span_id": f"{rng.getrandbits(64):016x}" if number else root,
            "trace_id": trace_id,
            "parent_span_id": root if number else None,
            "span_type": kind,
            "name": f"{kind}.{rng.randrange(30)}",
            "status": "error" if fails and last else "unset" if runs and last else "ok",
            "start_time": round(begins, 6),
            "end_time": None if runs and last else round(clock, 6),
            "attributes": _attributes(rng, kind, favourite, session if number == 0 else None),
            "sdk_language": "python",
        }
        if fails and last:
            span["error_message"] = f"RuntimeError: {cut(rng, 30, 90)}"
        arrives += rng.expovariate(0.01)
        yield arrives, span


def _attributes(rng: Random, kind: str, favourite: str, session: str | None) -> dict[str, Any]:
    attributes: dict[str, Any] = {} if session is None else {"session.id": session}
    if kind == "llm_call":
        asked, answered = rng.randrange(200, 6_000), rng.randrange(20, 900)
        model = favourite if rng.random() < 0.9 else rng.choices(MODELS, MODEL_SHARES)[0]
        return attributes | {
            "llm.provider": "openai",
            "llm.model": model,
            "llm.prompt": _encode([{"role": "user", "content": cut(rng, 1_200, 3_800)}]).decode(),
            "llm.completion": cut(rng, 150, 1_200),
            "llm.tokens.input": asked,
            "llm.tokens.output": answered,
            "llm.cost_usd": round((asked * 0.3 + answered * 2.5) * rng.choice((1, 1, 4, 10)) / 1e6, 8),
        }
    if kind == "tool_use":
        return attributes | {
            "tool.name": "web_search",
            "tool.input": cut(rng, 20, 120),
            "tool.output": cut(rng, 400, 3_600),
        }
    return attributes | {f"{kind}.input": cut(rng, 100, 1_500), f"{kind}.output": cut(rng, 100, 2_100)}


if __name__ == "__main__":
    fill(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 1.0)
