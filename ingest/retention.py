"""Keeps the database from growing for ever: traces that are too old, or too many for its size, go, the oldest first;
and the pages that deletes leave are given back to the disk.

All of it in transactions of a few milliseconds between which spans are written. What an acknowledgement still waits for
are the checkpoints they cause: the slowest of 2,400 took 21 to 36 ms, and 6 with nothing to delete.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import NamedTuple

from beacon.errors import BeaconError
from beacon.store.connect import PAGE_SIZE
from ingest.database import Command, Transaction
from ingest.traces import delete_chosen
from ingest.writer import Writer

log = logging.getLogger("beacon.retention")

LOOK_S = 10.0
"""Seconds between two looks."""

PAUSE_S = 0.01
"""Seconds between two transactions: what waits to be written goes first, and the disk is not kept busy."""

STEP_SPANS = 96
"""Spans one transaction takes, at least one trace: some 2 ms, and 8,000 spans a second. A tenth of what a delete that
somebody asked for takes, since nobody waits for this one, and spans may be large."""

SHRINK_TO = 0.95
"""Share of the allowed size that is left after traces were deleted for it, so that it is not done for every trace."""

VACUUM_PAGES = 32
"""Pages given back in one transaction: 512 KiB, 3 ms."""

VACUUM_FROM_PAGES = 256
"""Free pages from which they are given back: 4 MiB, which the next spans would take again."""

KEEPING_TAGS = ("keep", "pinned", "baseline")
"""A trace with one of these tags stays, unless the tag's value is `false`."""

_KEPT = (
    "t.tags <> '{}' AND EXISTS (SELECT 1 FROM json_each(t.tags) "
    f"WHERE key IN ({', '.join(repr(tag) for tag in KEEPING_TAGS)}) AND lower(value) <> 'false')"
)
# trace_row follows the order in which traces were created
_OLDEST = (
    "SELECT t.trace_row, t.trace_id, t.span_count, t.created_ns, t.seen_ns < :before AND NOT "
    f"({_KEPT}) FROM traces t WHERE t.trace_row > :after ORDER BY t.trace_row LIMIT :most"
)
LOOK_TRACES = 1_000
"""Traces one transaction looks at: many may be kept, or go on for ever."""

FOR_EVER_NS = 2**63 - 1


class Policy(NamedTuple):
    """What may stay: `age_ns`, nanoseconds since a trace was last heard of; `size_bytes` of the database's pages that
    hold something. None: no limit."""

    age_ns: int | None = None
    size_bytes: int | None = None

    @classmethod
    def of(cls, days: float | None, size_bytes: int | None) -> Policy:
        return cls(None if days is None else round(days * 86_400e9), size_bytes)


class Step(NamedTuple):
    """What one transaction did: traces deleted, and the row after which the next goes on; None when all is done."""

    deleted: int
    after: int | None


async def keep_bounded(writer: Writer, policy: Policy) -> None:
    """Hold the database to `policy`, again and again, for as long as the process lives."""
    warned = False
    while True:
        await asyncio.sleep(LOOK_S)
        with contextlib.suppress(BeaconError):  # a full disk, say: the next look does it
            over_by = await tidy(writer, policy)
            if over_by and not warned:  # not with every look
                log.warning(
                    "the database is %.1f MB above BEACON_MAX_DB_SIZE; all that is left is kept by a tag (%s)",
                    over_by / 1e6,
                    ", ".join(KEEPING_TAGS),
                )
            warned = over_by > 0


async def tidy(writer: Writer, policy: Policy) -> int:
    """Delete what has to go, and give back what that leaves; returns by how many bytes the database is still too large.
    Raises `BeaconError` while the database takes none."""
    over_by = 0
    if policy.age_ns is not None:
        age_ns = policy.age_ns
        await _delete(writer, lambda after: expire(age_ns, after), "were older than BEACON_RETENTION_DAYS")
    most = policy.size_bytes
    if most is not None and await writer.run(used_bytes) > most:
        target = round(most * SHRINK_TO)
        await _delete(writer, lambda after: shrink(target, after), "were more than BEACON_MAX_DB_SIZE has room for")
        over_by = max(0, await writer.run(used_bytes) - most)
    if await writer.run(free_pages) >= VACUUM_FROM_PAGES:
        more = True
        while more:
            more = await writer.run(give_back, VACUUM_PAGES * PAGE_SIZE)
            await asyncio.sleep(PAUSE_S)
    return over_by


async def _delete(writer: Writer, command: Callable[[int], Command], why: str) -> None:
    deleted = 0
    after: int | None = 0
    while after is not None:
        step: Step = await writer.run(command(after))
        deleted += step.deleted
        after = step.after
        await asyncio.sleep(PAUSE_S)
    if deleted:
        log.info("deleted the %d oldest traces: they %s", deleted, why)


# ---------------------------------------------------------------- commands for the writer


def expire(age_ns: int, after: int = 0) -> Command:
    """Delete the oldest traces behind row `after` of which nothing was heard for `age_ns`, as many as one transaction
    should take; returns a Step. Call it with its `after` until that is None."""
    return lambda tx: _delete_oldest(tx, after, tx.now_ns - age_ns, 0)


def shrink(target_bytes: int, after: int = 0) -> Command:
    """Delete the oldest traces behind row `after` while the pages in use have more than `target_bytes`; as `expire`."""
    return lambda tx: _delete_oldest(tx, after, FOR_EVER_NS, target_bytes)


def used_bytes(tx: Transaction) -> int:
    """Of pages that hold something: what deletes have left is written again before the file grows."""
    return (_pragma(tx, "page_count") - _pragma(tx, "freelist_count")) * _pragma(tx, "page_size")


def free_pages(tx: Transaction) -> int:
    return _pragma(tx, "freelist_count")


def give_back(tx: Transaction) -> bool:
    """Give a few free pages back; whether there are more."""
    # one by one: it gives a row a page, which sqlite3 does not see without columns, and stops after the first
    for _ in range(VACUUM_PAGES):
        tx.db.execute("PRAGMA incremental_vacuum(1)")
    return free_pages(tx) > 0


def _pragma(tx: Transaction, name: str) -> int:
    return int(tx.db.execute(f"PRAGMA {name}").fetchone()[0])


def _delete_oldest(tx: Transaction, after: int, before_ns: int, target_bytes: int) -> Step:
    if used_bytes(tx) <= target_bytes:
        return Step(0, None)
    looked = tx.db.execute(_OLDEST, {"after": after, "before": before_ns, "most": LOOK_TRACES}).fetchall()
    chosen: list[tuple[int, str, int]] = []
    spans = 0
    for trace_row, trace_id, span_count, created_ns, goes in looked:
        if created_ns >= before_ns:  # and so are all that came later
            return Step(delete_chosen(tx, chosen), None)
        if goes:
            if chosen and spans + span_count > STEP_SPANS:
                return Step(delete_chosen(tx, chosen), after)
            chosen.append((trace_row, trace_id, span_count))
            spans += span_count
        after = trace_row
    return Step(delete_chosen(tx, chosen), after if len(looked) == LOOK_TRACES else None)
