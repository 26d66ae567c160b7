"""The table in markdown, the same as JSON, and the progress on stderr."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import psutil

from beacon.version import VERSION
from tests.bench.figures import written
from tests.bench.rows import Results, Row, Session


def progress(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def machine(work: Path) -> dict[str, Any]:
    """The machine in general terms: nothing that names it."""
    return {
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "system": platform.system(),
        "file_system": _file_system(work),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def busy_percent() -> float:
    """How much of all cores other programs use, in percent, over half a second."""
    percent: float = psutil.cpu_percent(interval=0.5)
    return percent


def _file_system(folder: Path) -> str:
    """The type of the file system `folder` is on: figures on one in memory flatter."""
    real = folder.resolve()
    mounts = [p for p in psutil.disk_partitions(all=True) if real.is_relative_to(p.mountpoint)]
    return max(mounts, key=lambda p: len(p.mountpoint)).fstype if mounts else "unknown"


def markdown(session: Session, seconds: float) -> str:
    """The table, with the machine and the run above it."""
    plan, results = session.plan, session.results
    about = machine(session.work)
    rounds = "one round" if plan.rounds == 1 else f"medians of {plan.rounds} rounds"
    lines = [
        f"Beacon {VERSION}, {plan.name} run, {rounds}, {seconds:.0f} s; {about['cores']} cores, "
        f"{about['memory_gb']} GB, {about['system']}, {about['file_system']}, Python {about['python']}, "
        f"SQLite {about['sqlite']}; other programs used {session.busy_percent:.0f} % of the cores before it began.",
        "",
        "| | figure | lowest – highest | target | verdict |",
        "|---|---:|---:|---:|---|",
    ]
    remarks: list[str] = []
    for row in session.rows():
        mark = ""
        remark = "; ".join(filter(None, (results.remarks.get(row.key), *results.faults.get(row.key, ()))))
        if remark:
            remarks.append(f"{len(remarks) + 1}. {row.what.format(**vars(plan))}: {remark}.")
            mark = f" ({len(remarks)})"
        lines.append(f"| {row.what.format(**vars(plan))}{mark} | {_cells(row, results)} |")
    return "\n".join(lines + (["", *remarks] if remarks else []))


def _cells(row: Row, results: Results) -> str:
    figure = results.figure(row)
    verdict = results.verdict(row)
    shown = "–" if figure is None else f"{written(figure)} {row.unit}"
    figures = results.figures.get(row.key, [])
    spread = f"{written(min(figures))} – {written(max(figures))}" if len(figures) > 1 else ""
    return f"{shown} | {spread} | {_target(row)} | {'**missed**' if verdict == 'missed' else verdict}"


def _target(row: Row) -> str:
    if row.at_least is not None:
        return f"≥ {row.at_least:,g} {row.unit}"
    return "" if row.at_most is None else f"≤ {row.at_most:,g} {row.unit}"


def write_json(path: Path, session: Session, seconds: float) -> None:
    """The whole result: every round's figures beside the median."""
    results = session.results
    document = {
        "beacon": VERSION,
        "plan": vars(session.plan),
        "seed": session.seed,
        "seconds": round(seconds, 1),
        "machine": machine(session.work),
        "busy_percent": session.busy_percent,
        "rows": [
            {
                "key": row.key,
                "what": row.what.format(**vars(session.plan)),
                "unit": row.unit,
                "at_least": row.at_least,
                "at_most": row.at_most,
                "median": results.figure(row),
                "figures": results.figures.get(row.key, []),
                "verdict": results.verdict(row),
                "remark": results.remarks.get(row.key),
                "faults": results.faults.get(row.key, []),
            }
            for row in session.rows()
        ],
    }
    path.write_text(json.dumps(document, indent=1) + "\n")
