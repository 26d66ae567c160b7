"""Fills the overview when the process starts, and keeps it near the file while nobody reads."""

from __future__ import annotations

import asyncio
import contextlib

from beacon.errors import BeaconError
from query.overview.keep import Overview
from query.readers import Readers

LOOK_S = 1.0
"""Seconds between two looks."""


async def follow(overview: Overview, readers: Readers) -> None:
    """For as long as the process lives; each step is a read among others."""
    while True:
        more = False
        with contextlib.suppress(BeaconError):  # no database yet, or too many reads: the next look does it
            more = await readers.walk(overview.advance)
        # unless somebody looks, a step a look: what a busy writer writes is not read behind it at once
        await asyncio.sleep(0 if more and (overview.in_use or not overview.ready) else LOOK_S)
