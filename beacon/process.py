"""How each process of the stack starts: settings, log, parent watch, event loop, exit code."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine

from beacon import log as beacon_log
from beacon.config import Settings, prepare_directories
from beacon.errors import REFUSED_EXIT, Refused
from beacon.resolved import load_settings

PARENT_POLL_S = 0.5
"""Seconds between looks at the parent; kill -9 of supervisord orphans its children, which hold port and lock."""

ORPHAN_GRACE_S = 8.0
"""Seconds an orphan may take to stop in good order before it ends itself."""


def run(process: str, main: Callable[[Settings], Coroutine[None, None, None]]) -> None:
    """Run `main(settings)` on an event loop until it returns, then exit: 0, or REFUSED_EXIT with one clear line."""
    try:
        settings = load_settings()
        beacon_log.configure(process, settings.log_level)
        prepare_directories(settings)
        if "SUPERVISOR_ENABLED" in os.environ:
            watch_parent()
        import uvloop  # twice the requests a second of asyncio's own loop

        # What is imported by now lives as long as the process: collections need not walk it again
        gc.freeze()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main(settings))
    except Refused as e:
        logging.getLogger("beacon").critical("%s", e.detail)
        sys.stderr.flush()
        sys.exit(REFUSED_EXIT)
    except KeyboardInterrupt:
        sys.exit(0)


def watch_parent() -> None:
    """End this process when its parent has ended: SIGTERM to itself, and after ORPHAN_GRACE_S without more ado."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL_S)
        logging.getLogger("beacon").warning("the supervisor has ended; stopping")
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(ORPHAN_GRACE_S)
        os._exit(1)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
