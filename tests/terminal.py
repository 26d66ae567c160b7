"""A command in the foreground of a terminal of its own, so that Ctrl-C and hang-up come from the kernel."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.processes import wait_for
from tests.stack import Stack


class Terminal:
    """A command in the foreground of a terminal of its own."""

    def __init__(self, stack: Stack, master: int, child: subprocess.Popen[bytes]) -> None:
        self.stack = stack
        self.child = child
        self._master = master
        self._shown = b""

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def close(self) -> None:
        """What closing its window does."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def screen(self) -> str:
        while self._master >= 0:
            try:
                self._shown += os.read(self._master, 65536)
            except (BlockingIOError, OSError):
                break
        return self._shown.decode().replace("\r\n", "\n")

    def wait_for(self, text: str) -> None:
        wait_for(lambda: text in self.screen(), f"{text!r} on the screen")

    def wait(self) -> int:
        wait_for(lambda: self.screen() is not None and self.child.poll() is not None, "the command to end", 30)
        return self.child.returncode


def foreground(stack: Stack) -> AbstractContextManager[Terminal]:
    """`beacon up`, in the foreground."""
    return in_terminal(stack, *stack.program, "up")


@contextmanager
def in_terminal(stack: Stack, *command: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    # a session leader that opens a terminal makes it its own: Ctrl-C and hang-up then come from the kernel
    child = subprocess.Popen(
        ["sh", "-c", 'exec "$@" <"$TERMINAL" >"$TERMINAL" 2>&1', "sh", *command],
        env={**stack.env, "TERMINAL": os.ttyname(slave)},
        cwd=stack.folder,
        start_new_session=True,
    )
    terminal = Terminal(stack, master, child)
    try:
        yield terminal
    finally:
        stack.pids()
        terminal.close()
        os.close(slave)
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
