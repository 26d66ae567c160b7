"""supervisord as `beacon up` runs it: ``python -m beacon.supervisord RECORD -c FILE``. What differs from the original:

- A signal wakes it at once. The original looks for signals and ended children after poll() alone, so that up to a
  second goes by before a killed process is started again, or Ctrl-C is heard.
- A process that had run for SETTLED_S is started again at once; one that keeps failing, PAUSE_S after it ended. The
  original has either a growing delay that ends in FATAL, or none at all.
- SIGHUP, a closed terminal, means stop. The original would start everything anew, with nowhere to print.
- A process that is stopped at the moment it is started hears of it.
- Replay workers can be added and removed one by one (`beacon.scale`, see `beacon.scaling`); at the end they are stopped
  first, while the others are still there to take their results.
- It exits with 1 when a process had refused to start, and an end in good order removes the file RECORD.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ProcessConfig, ServerOptions
from supervisor.process import Subprocess
from supervisor.states import ProcessStates
from supervisor.supervisord import Supervisor

from beacon.errors import REFUSED_EXIT
from beacon.scaling import PROGRAM, Interface, Workers
from beacon.workers import scaled_path

SETTLED_S = 5.0
"""Seconds after which a process counts as one that works, and an end as an accident to mend at once."""

PAUSE_S = 1.0
"""Seconds between the end of a process that keeps failing and its next start."""


STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Process(Subprocess):  # type: ignore[misc]
    """A process that is started again at once when it had settled, else after a pause. Times are monotonic."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._began = 0.0
        self._not_before = 0.0

    def spawn(self) -> Any:
        self._began = time.monotonic()
        # Held back over the fork: a child that has not reached exec yet would take a SIGTERM with supervisord's own
        # handler, forget it, and be killed only after stopwaitsecs, which is a minute for a worker
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        try:
            return super().spawn()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _spawn_as_parent(self, pid: int) -> Any:
        with suppress(OSError):  # the child does it too; whoever is first, its group is there to be signalled
            os.setpgid(pid, pid)
        return super()._spawn_as_parent(pid)

    def _spawn_as_child(self, filename: str, argv: Sequence[str]) -> Any:
        signal.set_wakeup_fd(-1)
        for number in STOPPING:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        return super()._spawn_as_child(filename, argv)

    def finish(self, pid: int, sts: int) -> None:
        super().finish(pid, sts)
        now = time.monotonic()
        self._not_before = now if now - self._began >= SETTLED_S else now + PAUSE_S

    def transition(self) -> None:
        if self.state != ProcessStates.EXITED or time.monotonic() >= self._not_before:
            super().transition()


class Config(ProcessConfig):  # type: ignore[misc]
    def make_process(self, group: Any = None) -> Process:
        process = Process(self)
        process.group = group
        return process


class Alarm:
    """The reading end of the pipe that Python writes each signal's number to: one more descriptor for poll()."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def handle_read_event(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._fd, 4096)

    def handle_error(self) -> None:
        pass


class Options(ServerOptions):  # type: ignore[misc]
    worker: ProcessConfig | None = None
    """What every replay worker is made from; None where the configuration has no such program."""

    def processes_from_section(self, parser: Any, section: str, group_name: str, klass: Any = None) -> Any:
        found = super().processes_from_section(parser, section, group_name, Config)
        if section == f"program:{PROGRAM}":
            template = found
            if not found:  # started with none
                parser.set(section, "numprocs", "1")
                template = super().processes_from_section(parser, section, group_name, Config)
                parser.set(section, "numprocs", "0")
            self.worker = template[0]
        return found

    def setsignals(self) -> None:
        super().setsignals()
        for number in STOPPING:
            signal.signal(number, self._stop)
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self.get_socket_map()[reader] = Alarm(reader)

    def _stop(self, _: int, frame: Any) -> None:
        self.signal_receiver.receive(signal.SIGTERM, frame)
        with suppress(OSError):  # print() is not allowed in a signal handler; and the terminal may have gone
            os.write(1, b"\nStopping Beacon ...\n")


class Supervision(Supervisor):  # type: ignore[misc]
    """The main loop, with a look at what has just ended."""

    workers: Workers | None = None

    def reap(self, once: bool = False, recursionguard: int = 0) -> None:
        super().reap(once, recursionguard)
        if recursionguard == 0:
            for group in self.process_groups.values():
                group.transition()
            if self.workers is not None:
                self.workers.sweep()

    def ordered_stop_groups_phase_1(self) -> None:
        if self.workers is None or self.workers.stop():
            super().ordered_stop_groups_phase_1()

    def refused(self) -> bool:
        """Whether a process has refused to start."""
        return any(
            process.exitstatus == REFUSED_EXIT
            for group in self.process_groups.values()
            for process in group.processes.values()
        )


def main(record: Path, arguments: Sequence[str]) -> int:
    """Run with supervisord's own `arguments` until told to stop, then remove `record`; the exit status."""
    options = Options()
    options.realize(list(arguments), doc=__doc__)
    options.first = True
    options.test = False
    supervision = Supervision(options)
    scaled = scaled_path(record.parent)
    scaled.unlink(missing_ok=True)
    if options.worker is not None:
        workers = supervision.workers = Workers(supervision, options.worker, record.parent)
        options.rpcinterface_factories.append(("beacon", lambda _: Interface(workers), {}))
    with suppress(asyncore.ExitNow):
        supervision.main()
    options.close_httpservers()
    options.close_logger()
    scaled.unlink(missing_ok=True)
    record.unlink(missing_ok=True)
    with suppress(OSError):
        os.write(1, b"Beacon has stopped.\n")
    return 1 if supervision.refused() else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
