"""Fills the overview when the process starts, and keeps it near the file while nobody reads."""

from __future__ import annotations

import asyncio
import contextlib

from beacon.errors import BeaconError
from query.overview.keep import Overview
from query.readers import Readers

LOOK_S = 1.0
"""Seconds between two looks: at 20,000 spans/s what a read has to catch up with takes it 50 ms at most."""


async def follow(overview: Overview, readers: Readers) -> None:
    """For as long as the process lives; each step is a read among others."""
    while True:
        more = False
        with contextlib.suppress(BeaconError):  # no database yet, or too many reads: the next look does it
            more = await readers.walk(overview.advance)
        await asyncio.sleep(0 if more else LOOK_S)
