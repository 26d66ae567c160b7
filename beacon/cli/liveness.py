"""Whether a process still runs."""

from __future__ import annotations

import os
from pathlib import Path


def alive(pid: int) -> bool:
    """False once `pid` has ended, even if nobody has reaped it: in a container without an init, nobody ever may."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:  # our own child, as supervisord is with `up --detach`
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return False  # another user's by now: the number was given again
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True  # no /proc, as on macOS, where launchd reaps
