"""`beacon logs`: the last lines of every process in the order of their times, and new ones as they come."""

from __future__ import annotations

import argparse
import re
import time
from pathlib import Path

from beacon.cli.tail import Follower, last_lines
from beacon.cli.target import find
from beacon.errors import Refused
from beacon.supervision import PROGRAMS

POLL_S = 0.2

# 2026-01-31T14:00:00.123Z of the processes, 2026-01-31 14:00:00,123 of supervisord
_TIME = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d{3}Z?")


def run(arguments: argparse.Namespace) -> int:
    target = find(arguments)
    folder = target.settings.log_dir
    files = log_files(folder, arguments.process)
    if not files:
        named = f" of {arguments.process}" if arguments.process else ""
        raise Refused(f"There is no log{named} in {folder} yet. Start Beacon with: {target.beacon('up')}")
    followers = [Follower(file) for file in files] if arguments.follow else []
    for line in merged([last_lines(file, arguments.lines) for file in files])[-arguments.lines :]:
        if arguments.lines:
            print(line)
    try:
        while followers:
            lines = [list(follower.lines()) for follower in followers]
            for line in merged(lines):
                print(line)
            if any(lines):
                print(end="", flush=True)
            time.sleep(POLL_S)
    except KeyboardInterrupt:
        return 0  # Ctrl-C is how one stops following
    finally:
        for follower in followers:
            follower.close()
    return 0


def log_files(folder: Path, process: str | None) -> list[Path]:
    """The log files of `process` (a program's name, or one of its numbered processes), or of all. Raises `Refused`
    for a name that is no process."""
    if process is None:
        return sorted(file for file in folder.glob("*.log") if _program(file.stem) in PROGRAMS)
    if process == "supervisord":
        return [file for file in (folder / "supervisord.log",) if file.exists()]
    if _program(process) not in PROGRAMS:
        raise Refused(f"{process!r} is no process of Beacon; there are {', '.join(PROGRAMS)} and supervisord.")
    return sorted(
        file
        for file in folder.glob("*.log")
        if file.stem == process or (process in PROGRAMS and _program(file.stem) == process)
    )


def _program(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


def merged(logs: list[list[str]]) -> list[str]:
    """The lines of several logs by time. A line without a time of its own (a traceback) stays behind the one before."""
    records: list[tuple[str, int, list[str]]] = []
    for order, lines in enumerate(logs):
        at = ""
        for line in lines:
            found = _TIME.match(line)
            if found or not records or records[-1][1] != order:
                at = found[0].replace(" ", "T").replace(",", ".").rstrip("Z") if found else at
                records.append((at, order, [line]))
            else:
                records[-1][2].append(line)
    records.sort(key=lambda record: record[0])
    return [line for _, _, lines in records for line in lines]
