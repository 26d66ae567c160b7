"""Whether Beacon answers: one look at /health, and waiting for a start to succeed or to fail with a reason."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Literal

import msgspec

from beacon.cli.edge import Unreachable, request
from beacon.cli.invocation import Invocation
from beacon.cli.tail import read_from
from beacon.config import Settings
from beacon.errors import REFUSED_EXIT
from beacon.ports import next_free
from beacon.supervision import ProcessState, SupervisorDown, answers, process_states

Outcome = Literal["healthy", "refused", "denied", "ended", "late"]

START_S = 20.0
"""Seconds a start may take before it counts as failed; they begin anew while ingest is migrating a database."""

SETTLE_S = 2.0
"""Seconds from the first 200 to a status of `ok`: the replay workers announce themselves a moment after ingest is
there, and whoever reads "is up" may look at /health at once."""

POLL_S = 0.01
"""Seconds between looks; a refused connection costs 0.1 ms."""

STATES_S = 0.3
"""Seconds between questions to supervisord, of which a good start needs none."""

LINES_SHOWN = 4

_MIGRATING = "migrating its database"
"""What ingest says of itself in /health meanwhile."""


class Health(msgspec.Struct):
    """An answer of /health; `http_status` is 0 when there was none, or none of Beacon's: then `stranger` is set."""

    http_status: int = 0
    status: str = "down"
    version: str = ""
    db_path: str = ""
    parts: dict[str, str] = {}
    stranger: bool = False
    otlp_port: int | None = None


def read_health(url: str, token: str | None, timeout: float = 2.0) -> Health:
    """What /health at `url` says; an empty answer when nobody answers, or not Beacon."""
    try:
        answer = request(url, "GET", "/health", token=token, timeout=timeout)
    except Unreachable:
        return Health()
    try:
        health = msgspec.json.decode(answer.body, type=Health)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return Health(stranger=True)
    # Beacon without its token says 401 and not where its database is
    if not health.db_path and answer.status != HTTPStatus.UNAUTHORIZED:
        return Health(stranger=True)
    health.http_status = answer.status
    health.stranger = False
    return health


class Start:
    """Watches a start of `settings`. `ended()` tells whether supervisord has ended; `marks` are the sizes of the log
    files from before the start, so that old lines are known as old."""

    def __init__(
        self,
        settings: Settings,
        ended: Callable[[], bool],
        marks: Mapping[Path, int],
        beacon: Invocation,
        *,
        limit_s: float = START_S,
        show: Callable[[str], None] = print,
    ) -> None:
        self._settings = settings
        self._ended = ended
        self._limit_s = limit_s
        self._show = show
        self._states: list[ProcessState] = []
        self._pids: dict[str, set[int]] = {}
        self._marks = marks
        self._beacon = beacon
        self._told = ""
        self._health = Health()

    def wait(self) -> Outcome:
        """`healthy` once /health says `ok`, or SETTLE_S after its first 200 (see `missing`); `refused` when a process
        will not start and stays down; `denied` when the port answers 401 to our own token; `ended` when supervisord
        has gone; `late` after `limit_s` seconds without any of these."""
        began = time.monotonic()
        asked = began
        while True:
            now = time.monotonic()
            # supervisord starts the processes 1.0 s after itself, or as soon as somebody connects to its socket
            up = answers(self._settings.supervisor_socket)
            if up:
                break
            if self._ended():
                return "ended"
            if now - began > self._limit_s:
                return "late"
            time.sleep(POLL_S / 2)
        silent_since = time.monotonic()
        settled_by = None
        while True:
            health = self._health = read_health(self._settings.base_url, self._settings.token)
            now = time.monotonic()
            answers_well = health.http_status == HTTPStatus.OK
            if answers_well:
                settled_by = settled_by or now + SETTLE_S
                if health.status == "ok" or now >= settled_by:
                    return "healthy"
                silent_since = now
            if now - asked > STATES_S:
                asked = now
                if self._ended():
                    return "ended"
                if not answers_well and self._refused():
                    return "refused"
                # not at the first 401: were it another program's, our hub is refusing to start at this moment
                if health.http_status == HTTPStatus.UNAUTHORIZED:
                    return "denied"
                if self._tell_progress(health):
                    silent_since = now
            if now - silent_since > self._limit_s:
                return "late"
            time.sleep(POLL_S)

    @property
    def otlp_port(self) -> int | None:
        """After `healthy`: the second port that takes OpenTelemetry, if there is one."""
        return self._health.otlp_port

    def missing(self) -> str:
        """After `healthy`: what is not there yet all the same, in a sentence or two; empty when all is."""
        if self._health.status == "ok":
            return ""
        lacking = [
            f"{part} is {state}"
            for part, state in self._health.parts.items()
            if state.startswith("down") or " of " in state
        ]
        what = ", ".join(lacking) or f"health is {self._health.status}"
        return f"Not all of Beacon is there yet: {what}. If that lasts, this says what to do: {self._beacon('doctor')}"

    def report(self, outcome: Outcome) -> str:
        """What is wrong, process by process, with the last lines each has logged since the start."""
        elsewhere = f"up --port {next_free(self._settings.host, self._settings.backend_port)}"
        heads = {
            "refused": "Beacon cannot start.",
            "denied": f"{self._settings.base_url}/health answers 401: what listens there does not take BEACON_TOKEN. "
            f"Is it another Beacon? Stop it, or choose another port: {self._beacon(elsewhere)}",
            "ended": "Beacon's supervisor has ended.",
            "late": f"Beacon does not answer after {self._limit_s:.0f} s.",
            "healthy": "Beacon is up.",
        }
        lines = [heads[outcome]]
        for state in self._states:
            refused = state.state == "EXITED" and state.exit_status == REFUSED_EXIT
            if outcome == "refused" and not refused:
                continue
            starts = len(self._pids[state.name] - {0})
            again = f", started {starts} times: it keeps failing" if starts > 1 else ""
            lines.append(f"  {state.name}: {'refused to start' if refused else state.state + again}")
            if state.spawn_error:
                lines.append(f"    {state.spawn_error}")
            lines += [f"    {line}" for line in self._new_lines(Path(state.log))[-LINES_SHOWN:]]
        lines.append(f"Logs: {self._settings.log_dir}")
        return "\n".join(lines)

    def _refused(self) -> bool:
        try:
            self._states = process_states(self._settings.supervisor_socket)
        except SupervisorDown:
            return False
        for state in self._states:
            self._pids.setdefault(state.name, set()).add(state.pid)
        return any(s.state == "EXITED" and s.exit_status == REFUSED_EXIT for s in self._states)

    def _tell_progress(self, health: Health) -> bool:
        """Show how far ingest is with migrating a database, which may take minutes; False when it is not at that."""
        state = health.parts.get("ingest", "").removeprefix("down: ")
        if _MIGRATING not in state:
            return False
        if state != self._told:
            self._told = state
            self._show(state)
        return True

    def _new_lines(self, path: Path) -> list[str]:
        return read_from(path, self._marks.get(path, 0))
