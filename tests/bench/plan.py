"""How much is measured: the full run, and a quick look with the same rows on less of everything."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Counts are spans unless they say otherwise; each cell of the table is measured `rounds` times."""

    name: str
    rounds: int
    """Repetitions; the median is quoted."""
    limit_s: float
    """Seconds after which the run ends with what it has."""
    by_100: int
    by_10: int
    requests_of_1: int
    """Requests of one span over one connection; over 16 connections three times as many."""
    rate_s: float
    """Seconds of a load at a fixed rate."""
    live_posts: int
    replays: int
    """Replays of a recorded call, one after another, in a round."""
    otlp: int
    """Spans posted as OTLP while memory is watched."""
    reads: int
    """GETs of each kind in a round."""
    stored: int
    """Spans in the file that is read from."""
    grown: int
    """Spans in the file that ingest is measured on again."""
    sustained: int
    """Spans posted while the size of the WAL is watched."""
    idle_s: float
    """Seconds without load before memory and disk are looked at."""


FULL = Plan(
    name="full",
    rounds=5,
    limit_s=720,
    by_100=40_000,
    by_10=25_000,
    requests_of_1=2_500,
    rate_s=10,
    live_posts=200,
    replays=100,
    otlp=200_000,
    reads=200,
    stored=100_000,
    grown=400_000,
    sustained=120_000,
    idle_s=3,
)

QUICK = Plan(
    name="quick",
    rounds=1,
    limit_s=120,
    by_100=15_000,
    by_10=8_000,
    requests_of_1=800,
    rate_s=4,
    live_posts=50,
    replays=40,
    otlp=20_000,
    reads=50,
    stored=20_000,
    grown=40_000,
    sustained=40_000,
    idle_s=3,
)
