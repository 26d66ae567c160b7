"""Telling Beacon that a program which `beacon run` started has ended: spans of it that are still open never will."""

from __future__ import annotations

from http import HTTPStatus
from http.client import HTTPException

import msgspec

from beacon.config import Settings
from beacon.unix_http import ask

TELL_S = 5.0
"""Seconds to wait for ingest, which may be starting again at this moment."""


class RunEnd(msgspec.Struct):
    """What came of a run: its traces, newest first (the first ten of `trace_count`), and how many spans its end cut
    short."""

    interrupted: int = 0
    trace_count: int = 0
    trace_ids: list[str] = []


def end_run(settings: Settings, run_id: str) -> RunEnd | None:
    """Tell ingest that the run is over; None when it could not be told. Then the spans read interrupted when nothing
    has been heard of them for long enough."""
    try:
        status, body = ask(settings.socket_path("ingest"), "POST", f"/internal/runs/{run_id}/end", TELL_S)
        return msgspec.json.decode(body, type=RunEnd) if status == HTTPStatus.OK else None
    except (OSError, HTTPException, msgspec.MsgspecError):
        return None
