"""`beacon status`: a line a process."""

from __future__ import annotations

import argparse
from http import HTTPStatus

from beacon.cli.health import Health, read_health
from beacon.cli.memory import memory
from beacon.cli.target import Target, find
from beacon.cli.whose import is_foreign, not_beacon
from beacon.cli.words import duration, size, table
from beacon.supervision import ProcessState, SupervisorDown, call, process_states, supervisor_pid

NOTHING_UP = 3
"""Exit status of `status` when nothing is up, as the LSB has it for a service that is not running."""


def run(arguments: argparse.Namespace) -> int:
    target = find(arguments)
    health = read_health(target.url, target.settings.token)
    path = target.settings.supervisor_socket
    if not target.up:
        print(f"No Beacon is up in {target.settings.home}. Start it with: {target.beacon('up')}")
        if health.stranger:
            print(not_beacon(target))
        elif health.db_path:
            whose = "of another home" if is_foreign(target, health) else "that `beacon up` did not start"
            print(f"A Beacon {whose} answers at {target.url} (data {health.db_path}, health {health.status}).")
        return NOTHING_UP
    try:
        pid = supervisor_pid(path)
        mood = str(call(path, "supervisor.getState")["statename"])
        states = process_states(path)
    except SupervisorDown as e:
        print(f"Beacon's supervisor runs, but does not answer ({e}). Try again; else: {target.beacon('down')}")
        return 1
    print(head(target, health))
    print(processes(pid, mood, states))
    # STOPPING while the rest runs: a worker that `beacon scale` has sent away and that finishes its calls
    well = mood == "RUNNING" and all(state.state in ("RUNNING", "STOPPING") for state in states)
    return 0 if well and health.http_status == 200 else 1


def head(target: Target, health: Health) -> str:
    """Where Beacon is and how it feels, in one line."""
    parts = [f"{part} {state}" for part, state in health.parts.items()]
    detail = f" ({', '.join(parts)})" if health.status != "ok" else ""
    feels = f"health {health.status}{detail}" if health.http_status else "its port does not answer"
    if health.http_status == HTTPStatus.UNAUTHORIZED:
        feels = "its port answers 401: it does not take BEACON_TOKEN as it is set here"
    otlp = f", OpenTelemetry on port {health.otlp_port} too" if health.otlp_port is not None else ""
    return f"Beacon at {target.url}{otlp}, home {target.settings.home}, {feels}"


def processes(pid: int, mood: str, states: list[ProcessState]) -> str:
    """supervisord and its processes as a table."""
    running = [pid, *(state.pid for state in states if state.pid)]
    measure, amounts = memory(running)
    by_pid = dict(zip(running, amounts, strict=True))
    rows = [["PROCESS", "STATE", "PID", "UPTIME", f"MEMORY ({measure})"]]
    rows.append(["supervisord", mood, str(pid), "", _memory(by_pid.get(pid))])
    for state in states:
        reason = f"{state.state} ({state.spawn_error})" if state.spawn_error and not state.pid else state.state
        up = bool(state.pid)
        rows.append(
            [
                state.name,
                reason,
                str(state.pid) if up else "-",
                duration(state.uptime) if up else "-",
                _memory(by_pid.get(state.pid)) if up else "-",
            ]
        )
    rows.append(["total", "", "", "", _memory(sum(amount or 0 for amount in amounts))])
    return table(rows)


def _memory(amount: int | None) -> str:
    return size(amount) if amount is not None else "?"
