"""How much memory a process takes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

Measure = Literal["PSS", "RSS"]


def memory(pids: Sequence[int]) -> tuple[Measure, list[int | None]]:
    """Bytes of each process, None where the system does not tell: PSS (shared pages counted in shares, so that the
    sum is true) where it can be read for all, else RSS for all."""
    shares = [_pss(pid) for pid in pids]
    if None not in shares:
        return "PSS", shares
    return "RSS", [_rss(pid) for pid in pids]


def _pss(pid: int) -> int | None:
    try:
        found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text("ascii"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None


def _rss(pid: int) -> int | None:
    import psutil

    with contextlib.suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return None
