"""The rows of the table, their targets, and the figures that are collected for them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.bench.figures import median
from tests.bench.plan import Plan

Verdict = Literal["met", "missed", "not measured", ""]


@dataclass(frozen=True)
class Row:
    """One line of the table, measured by `part`. `what` may name the plan's fields; a figure is wanted `at_least` or
    `at_most` so big."""

    part: str
    key: str
    what: str
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    optional: bool = False
    """Left out of the table when it was not measured."""


ROWS = (
    Row("ingest", "by_100", "ingest, 100 spans a request, 4 connections", "spans/s", at_least=22_000),
    Row("ingest", "by_100_watched", "the same, with a websocket client that reads all", "spans/s", at_least=15_000),
    Row("ingest", "sqlite", "raw sqlite3: text keys, five indexes, 500 a transaction", "spans/s"),
    Row("ingest", "of_sqlite", "ingest as a share of raw sqlite3, same round", "%", at_least=60),
    Row("ingest", "peer", "trace-view, 100 spans a request, 4 connections", "spans/s", optional=True),
    Row("ingest", "times_peer", "ingest, times trace-view, same round", "x", at_least=3, optional=True),
    Row("ingest", "by_10", "ingest, 10 spans a request, 4 connections", "spans/s", at_least=12_000),
    Row("ingest", "single_1", "ingest, 1 span a request, 1 connection", "requests/s", at_least=1_300),
    Row("ingest", "single_16", "ingest, 1 span a request, 16 connections", "requests/s", at_least=4_500),
    Row("ingest", "by_10_64", "ingest, 10 spans a request, 64 connections", "spans/s", at_least=18_000),
    Row("latency", "ack_200_p50", "acknowledged, 200 requests/s of 1 span: p50", "ms", at_most=1.5),
    Row("latency", "ack_200_p99", "acknowledged, 200 requests/s of 1 span: p99", "ms", at_most=8),
    Row("latency", "ack_1000_p99", "acknowledged, 1,000 spans/s, 100 a request: p99", "ms", at_most=20),
    Row("live", "live_p50", "from POST to the websocket event: p50", "ms", at_most=2.5),
    Row("live", "live_p99", "from POST to the websocket event: p99", "ms", at_most=7),
    Row("live", "burst", "burst of 1,000 spans: last event", "s", at_most=0.15),
    Row("llm", "replay_p50", "a replay less a direct call of the provider: p50", "ms", at_most=12),
    Row("llm", "replay_p99", "a replay less a direct call of the provider: p99", "ms", at_most=40),
    Row("llm", "calls_200", "200 calls of 1 s at once, 2 workers", "s", at_most=4),
    Row("llm", "first_token", "first streamed word, after the provider sent it: p50", "ms", at_most=15),
    Row("llm", "ingest_beside", "ingest while 100 calls stream, share of that alone", "%", at_least=80),
    Row("otlp", "otlp_protobuf", "OTLP protobuf, GenAI, 100 spans a request, 4 connections", "spans/s", at_least=6_000),
    Row("otlp", "otlp_json", "OTLP JSON, the same", "spans/s", at_least=5_000),
    Row("otlp", "otlp_plain", "OTLP protobuf, spans with no GenAI attributes", "spans/s", at_least=10_000),
    Row("otlp", "otlp_memory", "memory: what three quarters of {otlp:,} spans by OTLP add", "MB", at_most=20),
    Row("stored", "first_page", "first page of traces at {stored:,} spans: p50", "ms", at_most=1.0),
    Row("stored", "deep_offset", "deep page by offset: p50", "ms"),
    Row("stored", "deep_cursor", "deep page by cursor: p50", "ms", at_most=1.0),
    Row("stored", "trace_12", "trace of 12 spans: p50", "ms", at_most=0.9),
    Row("stored", "trace_500", "trace of 500 spans (1.6 MB): p50", "ms", at_most=8),
    Row("stored", "graph_500", "graph of 500 spans: p50", "ms", at_most=4),
    Row("stored", "busy_p50", "first page while 2,000 spans/s arrive: p50", "ms", at_most=2),
    Row("stored", "busy_p99", "first page while 2,000 spans/s arrive: p99", "ms", at_most=12),
    Row("start", "memory_idle", "memory of all processes, idle", "MB", at_most=140),
    Row("stored", "memory_stored", "memory of all processes after {stored:,} spans", "MB", at_most=200),
    Row("start", "cold_200", "`beacon up` to the first 200", "s", at_most=1.2),
    Row("start", "cold_stored", "`beacon up` to the first stored span", "s", at_most=1.2),
    Row("stored", "disk", "disk, everything in the home, a span", "bytes", at_most=3_300),
    Row("stored", "grown", "ingest at {grown:,} stored spans, share of that on an empty file", "%", at_least=85),
    Row("stored", "wal", "largest WAL under sustained ingest with four clients reading", "MB", at_most=64),
    Row("ui", "ui_list", "the page, cold: list of 1,000 traces, first row", "s", at_most=0.5, optional=True),
    Row("ui", "ui_reached", "rows seen when that list is scrolled to its end", "rows", at_least=1_000, optional=True),
    Row("ui", "ui_open_500", "from that list to a trace of 500 spans, first row", "s", at_most=0.2, optional=True),
    Row("ui", "ui_open_5000", "from that list to a trace of 5,000 spans, first row", "s", at_most=1.0, optional=True),
    Row("ui", "ui_trace_500", "the page, cold: trace of 500 spans, first row", "s", at_most=0.2, optional=True),
    Row("ui", "ui_trace_5000", "the page, cold: trace of 5,000 spans, first row", "s", at_most=1.0, optional=True),
    Row("ui", "ui_task", "trace of 5,000 spans: longest task", "ms", at_most=200, optional=True),
    Row("ui", "ui_nodes", "trace of 5,000 spans: elements in the page", "", at_most=1_000, optional=True),
    Row("ui", "ui_bytes", "first load of the page, all files, compressed", "KB", at_most=120, optional=True),
    Row("ui", "ui_live", "from POST to its row on the page", "s", at_most=1.0, optional=True),
)

_BY_KEY = {row.key: row for row in ROWS}


@dataclass
class Results:
    """Figures, remarks and faults of each row, by its key. A row with faults has missed its target."""

    figures: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    remarks: dict[str, str] = field(default_factory=dict)
    faults: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, key: str, figure: float) -> None:
        """One round's figure. Raises `KeyError` for a row that is not in the table."""
        self.figures[_BY_KEY[key].key].append(figure)

    def remark(self, key: str, text: str) -> None:
        """A remark on the row; the last one stays."""
        self.remarks[_BY_KEY[key].key] = text

    def fault(self, key: str, faults: list[str]) -> None:
        self.faults[_BY_KEY[key].key] += faults

    def figure(self, row: Row) -> float | None:
        """The median of the row's figures; None when there is none."""
        figures = self.figures.get(row.key)
        return median(figures) if figures else None

    def verdict(self, row: Row) -> Verdict:
        figure = self.figure(row)
        if figure is None:
            return "not measured"
        if self.faults.get(row.key):
            return "missed"
        if row.at_least is not None:
            return "met" if figure >= row.at_least else "missed"
        if row.at_most is not None:
            return "met" if figure <= row.at_most else "missed"
        return ""


@dataclass
class Session:
    """What every part of the measurement is given. `parts` are those asked for; `work` is the folder homes are made
    in; `peer` the path of trace-view's program; `busy_percent` what others used of the cores before it began."""

    plan: Plan
    parts: tuple[str, ...]
    work: Path
    seed: int
    peer: Path | None = None
    busy_percent: float = 0.0
    results: Results = field(default_factory=Results)

    def rows(self) -> list[Row]:
        """The rows of the table that belong to this session."""
        return [row for row in ROWS if row.part in self.parts and (row.key in self.results.figures or not row.optional)]
