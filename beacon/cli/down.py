"""`beacon down`: stop the Beacon of a home, and come back when every process has ended."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time

from beacon.cli.health import read_health
from beacon.cli.liveness import alive
from beacon.cli.running import is_up, read_record, record_path
from beacon.cli.target import find
from beacon.cli.words import duration
from beacon.config import Settings
from beacon.supervision import SupervisorDown, process_states, shut_down, supervisor_pid

STOP_S = 75.0
"""Seconds: the replay workers get 60 to finish paid calls (`beacon.scaling.END_S`), then the others 10."""

SAY_AFTER_S = 3.0


def run(arguments: argparse.Namespace) -> int:
    target = find(arguments)
    if not target.up:
        health = read_health(target.url, target.settings.token)
        if health.http_status and health.db_path == str(target.settings.db_path):
            print(
                f"A Beacon that `beacon up` did not start answers at {target.url} with this home's database. "
                "Stop it where it was started."
            )
            return 0
        print(f"Nothing to stop: no Beacon is up in {target.settings.home}.")
        return 0
    left = stop(target.settings)
    if left:
        print(
            f"Beacon did not stop within {duration(STOP_S)}; still there: {', '.join(map(str, left))}. "
            f"End them with: kill -9 {' '.join(map(str, left))}",
            file=sys.stderr,
        )
        return 1
    print(
        f"Beacon has stopped. Its data stays in {target.record.db_path if target.record else target.settings.db_path}."
    )
    return 0


def stop(settings: Settings, *, quiet: bool = False) -> list[int]:
    """Stop the stack of `settings` and wait until it has ended; the pids that are left after STOP_S seconds."""
    path = settings.supervisor_socket
    record = read_record(settings.run_dir)
    pids: list[int] = []
    try:
        pids = [supervisor_pid(path), *(state.pid for state in process_states(path) if state.pid)]
        shut_down(path)
    except SupervisorDown:
        # it is starting, or does not listen: the record knows its pid, and the lock that this is still the one
        if record is not None and is_up(settings.run_dir):
            pids = [record.pid, *pids]
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGTERM)
    began = time.monotonic()
    told = quiet
    while True:
        pids = [pid for pid in pids if alive(pid)]
        if not pids and not is_up(settings.run_dir):
            break
        waited = time.monotonic() - began
        if waited > STOP_S:
            return pids
        if waited > SAY_AFTER_S and not told:
            told = True
            print(f"Waiting for {len(pids)} processes to finish what they are doing ...", flush=True)
        time.sleep(0.02)
    with contextlib.suppress(FileNotFoundError):
        record_path(settings.run_dir).unlink()  # it marks an end that was not in good order
    return []
