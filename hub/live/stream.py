"""The receiver's side of the live stream as a state machine. Pure: messages go in, what to do comes out.

PUB drops messages without a word: at its high-water mark, while a subscription is on its way, when a process starts
again. So the stream holds `last`, the change number up to which its clients have everything, and trusts nothing that
does not join on to it (docs/adr/0004-live-stream.md):

    message.prev == last                     deliver, last = message.last
    message.last <= last                     known already: drop
    message.prev < last < message.last       deliver what is newer than last
    message.prev > last, heartbeat > last    something is missing: ask for the changes after last, hold messages back
    another epoch, numbers going backwards, too much held back, no answer
                                             resync: clients fetch anew, and the stream goes on from the newest number
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from beacon.contract.events import Envelope, Event, Heartbeat

HELD_MESSAGES_MAX = 1_000
HELD_BYTES_MAX = 32 * 1024 * 1024
"""What may be held back while a gap is healed, in messages and in bytes of frames."""


class Deliver(NamedTuple):
    """Hand these events to the clients, in this order."""

    events: Sequence[Event]


class Heal(NamedTuple):
    """Ask for the changes after `after`, and answer with `changes` or `cannot_heal`, under this `ticket`."""

    ticket: int
    after: int


class Resync(NamedTuple):
    """Tell every client to fetch anew."""

    reason: str


Step = Deliver | Heal | Resync


class Stream:
    """`follow` when the first client has come, `unfollow` when the last has gone; in between every client gets
    everything. Each method answers with the steps to take, in order."""

    def __init__(self) -> None:
        self._epoch: str | None = None
        self._last = 0  # clients have everything up to here
        self._published = 0  # the newest number the bus has told of
        self._following = False
        self._ticket = 0
        self._healing = False
        self._held: deque[Envelope] = deque()
        self._held_bytes = 0

    @property
    def last(self) -> int:
        return self._last

    @property
    def healing(self) -> bool:
        return self._healing

    def follow(self) -> None:
        """From here on events count: what comes after the newest heartbeat is delivered or healed."""
        self._following = True

    def unfollow(self) -> None:
        """Nobody listens: heartbeats alone keep the place."""
        self._following = False
        self._stop_healing()

    def heartbeat(self, beat: Heartbeat) -> list[Step]:
        """A heartbeat travels on the same socket as the events, behind those it counts: what it is ahead of is lost."""
        if not self._following:
            self._adopt(beat.epoch, beat.last)
            return []
        if (broken := self._broken(beat.epoch, beat.last)) is not None:
            return [broken]
        self._published = beat.last
        return self._catch_up()

    def envelope(self, envelope: Envelope) -> list[Step]:
        """One message of events."""
        if not self._following:
            return []
        if (broken := self._broken(envelope.epoch, envelope.last)) is not None:
            return [broken]
        self._published = envelope.last
        if self._healing:
            return self._hold(envelope)
        return self._join(envelope)

    def changes(self, ticket: int, envelope: Envelope) -> list[Step]:
        """The answer to a Heal: everything after its `after`, up to the number the database stood at."""
        if not self._healing or ticket != self._ticket:
            return []
        if envelope.epoch != self._epoch:
            # the database was exchanged and the bus has not said so yet
            self._adopt(envelope.epoch, envelope.last)
            self._published = 0
            return [Resync("another database")]
        if envelope.prev > self._last or envelope.last <= self._last:
            return [self._resync("the changes that were read do not close the gap")]
        held, self._held = self._held, deque()
        self._stop_healing()
        steps = self._join(envelope)
        while held:
            if self.healing:
                steps += self._hold(held.popleft())
            else:
                steps += self._join(held.popleft())
        return _merged(steps + self._catch_up())

    def cannot_heal(self, ticket: int, reason: str) -> list[Step]:
        """The answer to a Heal where the changes cannot be had."""
        if not self._healing or ticket != self._ticket:
            return []
        return [self._resync(reason)]

    # ------------------------------------------------------------ inside

    def _broken(self, epoch: str, last: int) -> Resync | None:
        if self._epoch is None:
            self._adopt(epoch, last)
            return Resync("the first word of ingest")
        if epoch != self._epoch:
            self._adopt(epoch, last)
            return Resync("another database")
        if last < self._published:
            self._adopt(epoch, last)
            return Resync("the change numbers went backwards")
        return None

    def _adopt(self, epoch: str, last: int) -> None:
        self._epoch = epoch
        self._last = self._published = last
        self._stop_healing()

    def _resync(self, reason: str) -> Resync:
        # what the bus has told of can be read by now; what comes after it will join on to it
        self._last = max(self._last, self._published)
        self._stop_healing()
        return Resync(reason)

    def _stop_healing(self) -> None:
        self._healing = False
        self._held.clear()
        self._held_bytes = 0

    def _join(self, envelope: Envelope) -> list[Step]:
        if envelope.last <= self._last:
            return []
        if envelope.prev > self._last:
            steps: list[Step] = [self._heal()]
            return steps + self._hold(envelope)
        events: Sequence[Event] = envelope.events
        if envelope.prev < self._last:
            events = [event for event in events if event.seq > self._last]
        self._last = envelope.last
        return [Deliver(events)] if events else []

    def _hold(self, envelope: Envelope) -> list[Step]:
        self._held.append(envelope)
        self._held_bytes += sum(len(event.frame) for event in envelope.events)
        if len(self._held) > HELD_MESSAGES_MAX or self._held_bytes > HELD_BYTES_MAX:
            return [self._resync("more came than can be held back while a gap is healed")]
        return []

    def _heal(self) -> Heal:
        self._healing = True
        self._ticket += 1
        return Heal(self._ticket, self._last)

    def _catch_up(self) -> list[Step]:
        return [self._heal()] if self._published > self._last and not self._healing else []


def _merged(steps: list[Step]) -> list[Step]:
    """Deliveries that follow each other as one."""
    merged: list[Step] = []
    for step in steps:
        if isinstance(step, Deliver) and merged and isinstance(merged[-1], Deliver):
            merged[-1] = Deliver([*merged[-1].events, *step.events])
        else:
            merged.append(step)
    return merged
