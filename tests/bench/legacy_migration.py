"""`python -m tests.bench.legacy_migration`: how fast a database of the original layout is migrated.

    python -m tests.bench.legacy_migration                       100,000 spans, five runs
    python -m tests.bench.legacy_migration --spans 400000 --runs 3

Each run migrates a fresh copy, backup, checks and syncs included. Beside it stands how fast plain sqlite3 inserts spans
of the same kind into the original's tables in the same minute, since machines differ.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from itertools import islice
from pathlib import Path

from ingest.legacy.migrate import migrate_if_legacy
from tests import legacy_files as legacy
from tests.bench.sqlite_floor import insertion_rate
from tests.bench.workload import Span, encode, make_trace

FLOOR_SPANS = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--work", type=Path, help="a folder on the disk to measure; default: the temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="beacon-migration-", dir=arguments.work) as name:
        measure(Path(name), arguments.spans, arguments.runs)


def measure(work: Path, spans: int, runs: int) -> None:
    original = work / "original.db"
    sample = make(original, spans)
    size = original.stat().st_size
    print(f"{spans:,} spans, {size / spans:,.0f} bytes each in the original's file")
    rates, floors = [], []
    for run in range(1, runs + 1):
        floors.append(insertion_rate(work / "floor.db", sample))
        path = work / "run" / "traces.db"
        shutil.rmtree(path.parent, ignore_errors=True)
        path.parent.mkdir()
        shutil.copyfile(original, path)
        started = time.perf_counter()
        migrate_if_legacy(path, lambda done, total: None)
        rates.append(spans / (time.perf_counter() - started))
        after = path.stat().st_size / spans
        print(
            f"run {run}: {rates[-1]:,.0f} spans/s ({after:,.0f} bytes each afterwards); inserting: {floors[-1]:,.0f}",
            flush=True,
        )
    rate, floor = statistics.median(rates), statistics.median(floors)
    print(f"median: {rate:,.0f} spans/s, {rate / floor:.0%} of inserting ({floor:,.0f})")


def make(path: Path, count: int) -> list[Span]:
    """A file of `count` spans; gives back some of them."""
    sample: list[Span] = []
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        legacy.create(db)
        db.execute("BEGIN")
        made = index = 0
        while made < count:
            spans = list(islice(make_trace(1, index), count - made))
            at = spans[0].start_time
            legacy.insert(db, "traces", legacy.trace(spans[0].trace_id, created_at=at, sdk_language="python"))
            for span in spans:
                fields = {name: getattr(span, name) for name in span.__struct_fields__}
                fields["attributes"] = encode(fields["attributes"]).decode()
                legacy.insert(db, "spans", {**fields, "annotations": "[]", "created_at": at})
            sample += spans[: max(0, FLOOR_SPANS - len(sample))]
            made += len(spans)
            index += 1
        db.execute("COMMIT")
    return sample


if __name__ == "__main__":
    main()
