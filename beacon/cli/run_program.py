"""A program run as if in Beacon's place: the same input and output, the signals meant for it, its exit status.

Signals. The program stays in our process group, so that job control works as without us. Therefore what is typed at
the terminal (Ctrl-C, Ctrl-\\) reaches it directly, and is not sent a second time; what another process sends to us
alone is passed on. Both arrive here alike, and are told apart by their sender.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import signal
import stat
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

NOT_FOUND, NOT_RUNNABLE = 127, 126
"""Exit statuses, as shells, env(1) and timeout(1) have them (POSIX.1-2024, 2.8.2)."""

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

_SI_KERNEL = 0x80
"""si_code of a signal that the terminal driver sent: include/uapi/asm-generic/siginfo.h."""


class CannotRun(Exception):
    """The command cannot be started: `status` is what a shell would exit with."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Received(NamedTuple):
    number: int
    typed: bool  # at the terminal: the program has it already


def locate(command: str, environ: Mapping[str, str]) -> str:
    """The path of the program `command` stands for. Raises `CannotRun` with what is wrong and what to do."""
    found = shutil.which(command, path=environ.get("PATH", os.defpath))
    if found:
        return found
    if os.path.dirname(command):
        return _explain(command)
    hint = f" Did you mean: python {command}" if command.endswith(".py") else " Is it installed, and on your PATH?"
    raise CannotRun(f"There is no command {command!r}.{hint}", NOT_FOUND)


def _explain(path: str) -> str:
    """What is wrong with a path that cannot be run."""
    try:
        mode = os.stat(path).st_mode
    except OSError as e:
        if e.errno in (errno.ENOENT, errno.ENOTDIR):
            raise CannotRun(f"There is no file {path}.", NOT_FOUND) from None
        raise CannotRun(f"{path} cannot be run: {e.strerror}.", NOT_RUNNABLE) from None
    if stat.S_ISDIR(mode):
        raise CannotRun(f"{path} is a folder, not a program.", NOT_RUNNABLE)
    hint = f"python {path}" if path.endswith(".py") else f"chmod +x {path}"
    raise CannotRun(f"{path} is not executable. Did you mean: {hint}", NOT_RUNNABLE)


def run_program(path: str, command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run it to its end; its exit status, 128 + n when signal n ended it. Raises `CannotRun`."""
    watched: set[signal.Signals] = {*FORWARDED, signal.SIGCHLD}
    # a parent may have left it ignored, and then nobody could learn how the program ended
    before = signal.signal(signal.SIGCHLD, lambda *_: None)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, watched)  # sigwait's condition; the program starts with what was
    try:
        child = _spawn(path, command, environ, mask)
        return _attend(child, watched)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGCHLD, before if before is not None else signal.SIG_DFL)


def _spawn(path: str, command: Sequence[str], environ: Mapping[str, str], mask: set[int | signal.Signals]) -> int:
    sys.stdout.flush()
    sys.stderr.flush()
    # Python ignores these two, and a program would inherit it: `beacon run -- yes | head` would not end
    restored = [signal.SIGPIPE, signal.SIGXFSZ]
    try:
        return os.posix_spawn(path, list(command), environ, setsigmask=mask, setsigdef=restored)
    except OSError as e:
        if e.errno == errno.ENOENT and os.path.exists(path):
            raise CannotRun(f"{path} names an interpreter in its first line that is not there.", NOT_RUNNABLE) from None
        if e.errno == errno.ENOEXEC:
            said = f"{path} is no program the system can start: has it a first line such as #!/usr/bin/env python3?"
            raise CannotRun(said, NOT_RUNNABLE) from None
        raise CannotRun(f"{path} cannot be run: {e.strerror}.", NOT_RUNNABLE) from None


def _attend(child: int, watched: set[signal.Signals]) -> int:
    while True:
        received = _next_signal(watched)
        if received.number != signal.SIGCHLD:
            if not received.typed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, received.number)
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            code = os.waitstatus_to_exitcode(status)
            return 128 - code if code < 0 else code


def _next_signal(watched: set[signal.Signals]) -> Received:
    if hasattr(signal, "sigwaitinfo"):  # macOS has none
        told = signal.sigwaitinfo(watched)
        return Received(told.si_signo, told.si_code == _SI_KERNEL)
    number = signal.sigwait(watched)
    return Received(number, number in (signal.SIGINT, signal.SIGQUIT) and _in_foreground())


def _in_foreground() -> bool:
    """Whether what is typed at the terminal comes to this process group."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
