"""Logging: one line a record, to stderr, where supervisord rotates it."""

from __future__ import annotations

import logging
import sys
import time


def configure(process: str, level: str) -> None:
    """Send every record of this process to stderr as `time LEVEL process logger: message` (UTC)."""
    handler = logging.StreamHandler(sys.stderr)
    formatter = logging.Formatter(
        f"%(asctime)s.%(msecs)03dZ %(levelname)s {process} %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # of httpcore2 also what it says is a leak: the headers of answers, and a server may repeat the key in them
    for chatty in ("uvicorn.error", "uvicorn.access", "asyncio", "aiosqlite", "httpcore2", "httpx2", "h11"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLevelName(level)))
