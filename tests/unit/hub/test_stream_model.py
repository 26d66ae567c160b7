"""The live stream against a model of the whole: a writer that commits and deletes, a bus that loses what it likes, a
reader that answers late, a client that applies what it gets. Whatever happens, the client ends with what is stored.

Each example is a tape of bytes, one move each; hypothesis shortens a tape that fails to the shortest one that does.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from beacon.contract.events import Envelope, Event, Heartbeat
from hub.live.stream import Deliver, Heal, Resync, Step, Stream

CHANGES_MAX = 12
SPANS = 8


class Writer:
    """Rows with a change number, tombstones with theirs, and the messages of each commit."""

    def __init__(self) -> None:
        self.epoch = 0
        self.seq = 0
        self.rows: dict[int, tuple[int, int, int]] = {}  # span -> (created, seq, version)
        self.graves: dict[int, int] = {}
        self.published = 0

    @property
    def state(self) -> dict[int, int]:
        return {span: version for span, (_, _, version) in self.rows.items()}

    def commit(self, spans: list[int], split_at: int, announced: bool) -> list[Envelope]:
        events = []
        for span in spans:
            self.seq += 1
            created, _, version = self.rows.get(span, (self.seq, 0, 0))
            self.rows[span] = (created, self.seq, version + self.seq)
            self.graves.pop(span, None)
            events.append(_event(self.seq, created == self.seq, span, self.rows[span][2]))
        return self._publish(events, split_at, announced)

    def delete(self, spans: list[int], announced: bool) -> list[Envelope]:
        gone = [span for span in dict.fromkeys(spans) if span in self.rows]
        if not gone:
            return []
        self.seq += 1
        for span in gone:
            del self.rows[span]
            self.graves[span] = self.seq
        return self._publish([_deleted(self.seq, gone)], 0, announced)

    def exchange(self) -> None:
        """Another database takes the place of this one."""
        self.epoch += 1
        self.rows = dict.fromkeys(range(self.epoch % SPANS), (1, 1, 1000 + self.epoch))
        self.graves = {}
        # where the old one stood, behind it, or ahead of it by so little that it looks like a gap
        self.seq = self.published = (self.seq + 2, self.seq, 2)[self.epoch % 3]

    def changes(self, after: int) -> Envelope | None:
        """As query answers: one snapshot, None where it cannot tell."""
        rows = [(seq, created > after, span, v) for span, (created, seq, v) in self.rows.items() if seq > after]
        graves = [(seq, span) for span, seq in self.graves.items() if seq > after]
        if len(rows) + len(graves) > CHANGES_MAX or after > self.seq:
            return None
        events = [_event(*row) for row in rows] + [_deleted(seq, [span]) for seq, span in graves]
        events.sort(key=lambda e: e.seq)
        return Envelope(str(self.epoch), after, self.seq, events)

    def heartbeat(self) -> Heartbeat:
        return Heartbeat(str(self.epoch), self.published, 1)

    def _publish(self, events: list[Event], split_at: int, announced: bool) -> list[Envelope]:
        prev, self.published = self.published, self.seq
        if not announced:
            return []
        epoch = str(self.epoch)
        if 0 < split_at < len(events):
            middle = events[split_at - 1].seq
            return [
                Envelope(epoch, prev, middle, events[:split_at]),
                Envelope(epoch, middle, self.seq, events[split_at:]),
            ]
        return [Envelope(epoch, prev, self.seq, events)]


def _event(seq: int, created: bool, span: int, version: int) -> Event:
    return Event(seq, "span_created" if created else "span_updated", (str(span),), b"%d" % version)


def _deleted(seq: int, spans: list[int]) -> Event:
    return Event(seq, "traces_deleted", tuple(map(str, spans)), b"")


class Client:
    """Applies events to what it fetched; after a resync it fetches anew, some time later."""

    def __init__(self, writer: Writer) -> None:
        self.shown: dict[int, int] = {}
        self.seq = 0
        self.newest = 0
        self.must_fetch = False
        self.fetch(writer)

    def fetch(self, writer: Writer) -> None:
        self.shown = dict(writer.state)
        self.seq = writer.seq
        self.must_fetch = False

    def resync(self) -> None:
        self.must_fetch = True
        self.newest = 0

    def apply(self, event: Event) -> None:
        assert event.seq >= self.newest, "an event out of order"
        self.newest = event.seq
        if event.seq <= self.seq:
            return  # part of what was fetched
        spans = [int(t) for t in event.trace_ids]
        if event.kind == "traces_deleted":
            for span in spans:
                self.shown.pop(span, None)
        else:
            self.shown[spans[0]] = int(event.frame)


class World:
    """Everything, with the messages and answers that are on their way."""

    def __init__(self, stream: Stream) -> None:
        self.writer = Writer()
        self.stream = stream
        self.stream.heartbeat(self.writer.heartbeat())
        self.stream.follow()
        self.client = Client(self.writer)
        self.bus: deque[Envelope | Heartbeat] = deque()
        self.questions: deque[Heal] = deque()
        self.answers: deque[tuple[int, Envelope | None]] = deque()
        self.resyncs = 0

    def run(self, tape: bytes) -> None:
        moves = iter(tape)
        for move in moves:
            self.move(move, next(moves, 0))
        self.settle()

    def move(self, move: int, detail: int) -> None:
        """One of the things that can happen; `detail` says which spans, where to split, what is lost."""
        lost = detail & 1
        match move % 16:
            case 0 | 1 | 2 | 3:
                spans = [(detail >> 1) % SPANS, (detail >> 3) % SPANS, detail % SPANS][: 1 + move % 3]
                sent = self.writer.commit(spans, (detail >> 5) % 3, announced=True)
                self.send(sent, lost=bool(lost), which=detail >> 6)
            case 4:
                self.send(self.writer.delete([(detail >> 1) % SPANS, (detail >> 4) % SPANS], True), bool(lost), 0)
            case 5:
                # committed while the subscription was on its way
                self.writer.commit([(detail >> 1) % SPANS], 0, announced=False)
            case 6 | 7:
                if not lost:
                    self.bus.append(self.writer.heartbeat())
            case 8 | 9 | 10 | 11:
                self.receive()
            case 12:
                if self.questions:
                    heal = self.questions.popleft()
                    self.answers.append((heal.ticket, None if detail > 250 else self.writer.changes(heal.after)))
            case 13:
                if self.answers:
                    self.answer(*self.answers.popleft())
            case 14:
                if self.client.must_fetch:
                    self.client.fetch(self.writer)
            case 15:
                if detail > 250:
                    self.writer.exchange()

    def send(self, sent: list[Envelope], lost: bool, which: int) -> None:
        if lost and sent:
            del sent[which % len(sent) :]  # the tail of a burst, or all of it
        self.bus.extend(sent)

    def receive(self) -> None:
        if not self.bus:
            return
        message = self.bus.popleft()
        self.take(self.stream.heartbeat(message) if isinstance(message, Heartbeat) else self.stream.envelope(message))

    def answer(self, ticket: int, envelope: Envelope | None) -> None:
        self.take(self.stream.cannot_heal(ticket, "no") if envelope is None else self.stream.changes(ticket, envelope))

    def take(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case Deliver(events):
                    for event in events:
                        self.client.apply(event)
                case Heal():
                    self.questions.append(step)
                case Resync():
                    self.resyncs += 1
                    self.client.resync()

    def settle(self) -> None:
        """Nothing is lost any more: the rest arrives, a heartbeat too, and every question is answered."""
        self.bus.append(self.writer.heartbeat())
        for _ in range(1000):
            if self.bus:
                self.receive()
            elif self.answers:
                self.answer(*self.answers.popleft())
            elif self.questions:
                heal = self.questions.popleft()
                self.answers.append((heal.ticket, self.writer.changes(heal.after)))
            else:
                break
        else:
            raise AssertionError("the stream never comes to rest")
        if self.client.must_fetch:
            self.client.fetch(self.writer)


def converges(tape: bytes, stream: Callable[[], Stream] = Stream) -> bool:
    world = World(stream())
    world.run(tape)
    return world.client.shown == world.writer.state


TAPES = st.binary(min_size=2, max_size=160)


@settings(max_examples=4000, deadline=None, suppress_health_check=list(HealthCheck))
@given(TAPES)
def test_the_client_ends_with_what_is_stored(tape: bytes) -> None:
    assert converges(tape)


def test_losses_are_healed_without_a_resync() -> None:
    """A gap as such is no reason to fetch anew: the world above would also converge by resyncs alone."""
    world = World(Stream())
    for seq in range(1, 9):
        lost = seq % 2
        world.send(world.writer.commit([seq % SPANS], 0, announced=True), bool(lost), 0)
        world.receive()
    world.settle()
    assert world.resyncs == 0
    assert world.client.shown == world.writer.state


class TrustsEveryMessage(Stream):
    """Delivers whatever is newer, and does not look whether it joins on."""

    def _join(self, envelope: Envelope) -> list[Step]:
        if envelope.last <= self._last:
            return []
        self._last = envelope.last
        return [Deliver(envelope.events)]


class DeafToHeartbeats(Stream):
    """Does not look whether a heartbeat is ahead: the tail of a burst is lost in silence."""

    def _catch_up(self) -> list[Step]:
        return []


class BlindToEpochs(Stream):
    """Takes the numbers of another database for those of this one."""

    def _broken(self, epoch: str, last: int) -> Resync | None:
        return super()._broken(self._epoch or epoch, last)


class ForgetsWhatItHeld(Stream):
    """Drops what comes while a gap is healed."""

    def _hold(self, envelope: Envelope) -> list[Step]:
        return []

    def _catch_up(self) -> list[Step]:
        return []


@pytest.mark.parametrize("broken", [TrustsEveryMessage, DeafToHeartbeats, BlindToEpochs, ForgetsWhatItHeld])
def test_the_model_sees_a_stream_without_its_checks(broken: type[Stream]) -> None:
    try:
        find(
            TAPES,
            lambda tape: not _converges_or_fails(tape, broken),
            settings=settings(max_examples=4000, deadline=None, suppress_health_check=list(HealthCheck)),
        )
    except NoSuchExample:
        pytest.fail(f"the model does not notice {broken.__name__}")


def _converges_or_fails(tape: bytes, stream: type[Stream]) -> bool:
    try:
        return converges(tape, stream)
    except AssertionError:
        return False


def test_long_runs_end_with_what_is_stored() -> None:
    for seed in range(1_500):
        assert converges(random.Random(seed).randbytes(400)), f"seed {seed}"
