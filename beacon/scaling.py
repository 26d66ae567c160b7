"""Workers started and stopped one by one inside a running supervisord.

`supervisorctl update` after a changed numprocs restarts the whole group, and would kill paid calls. So `beacon scale`
asks beacon's own supervisord, over its socket, to add processes made from the worker's section, or to stop those that
came last; whatever runs and stays is not touched.
"""

from __future__ import annotations

import copy
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from supervisor.states import RUNNING_STATES, STOPPED_STATES, ProcessStates

from beacon.workers import WORKERS_MAX, write_wanted

if TYPE_CHECKING:
    from supervisor.options import ProcessConfig

PROGRAM = "replay_worker"

END_S = 60.0
"""Seconds the workers have to finish their calls when everything is to end; scaled away, they have their section's
stopwaitsecs."""

_NAME = re.compile(rf"{PROGRAM}(?:_(\d+))?")


def number_of(name: str) -> int | None:
    """Which worker a process is, counted from 1; None for another program's."""
    found = _NAME.fullmatch(name)
    return int(found[1] or 1) if found else None


def one_more(template: ProcessConfig, number: int) -> ProcessConfig:
    """The configuration of worker `number`, with a name and a log of its own."""
    config = copy.copy(template)
    if number == number_of(template.name):
        return config
    config.name = f"{PROGRAM}_{number}"
    if template.stdout_logfile and template.stdout_logfile.endswith(".log"):
        config.stdout_logfile = str(Path(template.stdout_logfile).with_name(f"{config.name}.log"))
    return config


class Workers:
    """The workers of the supervisord `supervision`, which has one group; `template` is what each is made from, and
    `run_dir` where word of their number is left."""

    def __init__(self, supervision: Any, template: ProcessConfig, run_dir: Path) -> None:
        self._supervision = supervision
        self._template = template
        self._run_dir = run_dir
        self._leaving: set[str] = set()

    def scale(self, wanted: object) -> dict[str, list[str]]:
        """Start or stop as many workers as it takes to have `wanted`: the names of both. A stopped one finishes what it
        does; it is not waited for. Raises `ValueError` for a number that is none."""
        if isinstance(wanted, bool) or not isinstance(wanted, int) or not 0 <= wanted <= WORKERS_MAX:
            raise ValueError(f"there may be 0 to {WORKERS_MAX} replay workers")
        staying = sorted(
            (number, process) for number, process in self._workers().items() if process.config.name not in self._leaving
        )
        started: list[str] = []
        stopped: list[str] = []
        for _, process in staying[wanted:]:
            self._leaving.add(process.config.name)
            stopped.append(process.config.name)
            if process.get_state() in RUNNING_STATES:
                if process.get_state() == ProcessStates.BACKOFF:
                    process.give_up()
                else:
                    process.stop()
        taken = set(self._workers())
        free = (number for number in range(1, 2 * WORKERS_MAX + 1) if number not in taken)
        for number in (next(free) for _ in range(wanted - len(staying))):
            config = one_more(self._template, number)
            config.create_autochildlogs()
            process = config.make_process(self._group())
            self._group().processes[config.name] = process
            process.spawn()
            started.append(config.name)
        self.sweep()
        write_wanted(self._run_dir, wanted)
        return {"started": started, "stopped": stopped}

    def sweep(self) -> None:
        """Forget the workers that were to go and have gone."""
        processes = self._group().processes
        for name in [name for name in self._leaving if processes[name].get_state() in STOPPED_STATES]:
            self._leaving.remove(name)
            del processes[name]

    def stop(self) -> bool:
        """Stop every worker, as before the end of everything; whether all have ended."""
        for process in self._workers().values():
            if process.get_state() == ProcessStates.BACKOFF:
                process.give_up()
            elif process.get_state() in RUNNING_STATES:
                process.stop()
            if process.get_state() == ProcessStates.STOPPING:
                process.delay = min(process.delay, time.time() + END_S)
        return all(process.get_state() in STOPPED_STATES for process in self._workers().values())

    def _group(self) -> Any:
        (group,) = self._supervision.process_groups.values()
        return group

    def _workers(self) -> dict[int, Any]:
        numbered = ((number_of(name), process) for name, process in self._group().processes.items())
        return {number: process for number, process in numbered if number is not None}


class Interface:
    """What supervisord answers under `beacon.` on its socket."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers

    def scale(self, wanted: object) -> dict[str, list[str]]:
        """Have `wanted` replay workers; the names of those started and of those stopped."""
        from supervisor.xmlrpc import Faults, RPCError

        try:
            return self._workers.scale(wanted)
        except ValueError as e:
            raise RPCError(Faults.INCORRECT_PARAMETERS, str(e)) from e
