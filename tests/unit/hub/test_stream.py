from __future__ import annotations

import pytest

from beacon.contract.events import Envelope, Event, Heartbeat
from hub.live import stream as stream_module
from hub.live.stream import Deliver, Heal, Resync, Step, Stream


def event(seq: int, size: int = 2) -> Event:
    return Event(seq, "span_created", ("t",), b"x" * size)


def message(prev: int, last: int, epoch: str = "one", size: int = 2) -> Envelope:
    return Envelope(epoch, prev, last, [event(seq, size) for seq in range(prev + 1, last + 1)])


def beat(last: int, epoch: str = "one") -> Heartbeat:
    return Heartbeat(epoch, last, 1)


def seqs(steps: list[Step]) -> list[int]:
    assert all(isinstance(s, Deliver) for s in steps), steps
    return [e.seq for s in steps if isinstance(s, Deliver) for e in s.events]


def only(steps: list[Step]) -> Step:
    assert len(steps) == 1, steps
    return steps[0]


def healing(steps: list[Step]) -> Heal:
    step = only(steps)
    assert isinstance(step, Heal)
    return step


def following(last: int = 10) -> Stream:
    stream = Stream()
    assert stream.heartbeat(beat(last)) == []
    stream.follow()
    return stream


def test_what_joins_on_is_delivered() -> None:
    stream = following(10)
    assert seqs(stream.envelope(message(10, 12))) == [11, 12]
    assert seqs(stream.envelope(message(12, 13))) == [13]
    assert stream.heartbeat(beat(13)) == []


def test_what_is_known_already_is_dropped() -> None:
    stream = following(10)
    stream.envelope(message(10, 12))
    assert stream.envelope(message(10, 12)) == []


def test_of_a_message_that_overlaps_only_the_news_are_delivered() -> None:
    stream = following(10)
    assert seqs(stream.envelope(message(8, 12))) == [11, 12]


def test_a_message_that_does_not_join_on_is_held_until_the_gap_is_healed() -> None:
    stream = following(10)
    heal = healing(stream.envelope(message(12, 14)))
    assert heal.after == 10
    assert stream.envelope(message(14, 15)) == []
    assert seqs(stream.changes(heal.ticket, message(10, 13))) == [11, 12, 13, 14, 15]
    assert stream.last == 15


def test_a_heartbeat_that_is_ahead_tells_of_a_lost_tail() -> None:
    stream = following(10)
    heal = healing(stream.heartbeat(beat(12)))
    assert heal.after == 10
    assert stream.heartbeat(beat(12)) == []  # one question at a time
    assert seqs(stream.changes(heal.ticket, message(10, 12))) == [11, 12]


def test_a_second_gap_behind_the_first_is_healed_too() -> None:
    stream = following(10)
    first = healing(stream.envelope(message(11, 12)))
    assert stream.envelope(message(13, 14)) == []
    steps = stream.changes(first.ticket, message(10, 12))
    assert isinstance(steps[0], Deliver)
    assert [e.seq for e in steps[0].events] == [11, 12]
    second = steps[1]
    assert second == Heal(first.ticket + 1, 12)
    assert isinstance(second, Heal)
    assert seqs(stream.changes(second.ticket, message(12, 14))) == [13, 14]


def test_a_heartbeat_during_the_healing_is_not_forgotten() -> None:
    stream = following(10)
    first = healing(stream.heartbeat(beat(11)))
    assert stream.heartbeat(beat(15)) == []
    steps = stream.changes(first.ticket, message(10, 12))
    assert steps[1:] == [Heal(first.ticket + 1, 12)]


def test_changes_that_were_read_ahead_of_the_bus_are_no_step_backwards() -> None:
    stream = following(10)
    heal = healing(stream.heartbeat(beat(11)))
    assert seqs(stream.changes(heal.ticket, message(10, 14))) == [11, 12, 13, 14]
    # published before the changes were read, received after
    assert stream.heartbeat(beat(12)) == []
    assert stream.envelope(message(11, 13)) == []
    assert seqs(stream.envelope(message(13, 15))) == [15]


def test_clients_that_came_before_the_first_heartbeat_fetch_anew() -> None:
    stream = Stream()
    stream.follow()
    assert isinstance(only(stream.heartbeat(beat(10))), Resync)
    assert seqs(stream.envelope(message(10, 11))) == [11]


def test_the_first_word_may_be_a_message() -> None:
    stream = Stream()
    stream.follow()
    assert isinstance(only(stream.envelope(message(9, 10))), Resync)
    assert seqs(stream.envelope(message(10, 11))) == [11]


@pytest.mark.parametrize("as_message", [True, False])
@pytest.mark.parametrize("last", [3, 11, 30])
def test_another_database_is_a_resync_wherever_it_stands(as_message: bool, last: int) -> None:
    stream = following(10)
    steps = stream.envelope(message(last - 1, last, "two")) if as_message else stream.heartbeat(beat(last, "two"))
    assert isinstance(only(steps), Resync)
    assert seqs(stream.envelope(message(last, last + 1, "two"))) == [last + 1]


@pytest.mark.parametrize("as_message", [True, False])
def test_numbers_that_go_backwards_are_a_resync(as_message: bool) -> None:
    stream = following(10)
    steps = stream.envelope(message(7, 8)) if as_message else stream.heartbeat(beat(8))
    assert isinstance(only(steps), Resync)
    assert seqs(stream.envelope(message(8, 9))) == [9]


def test_changes_of_another_database_are_a_resync() -> None:
    stream = following(10)
    heal = healing(stream.heartbeat(beat(12)))
    assert isinstance(only(stream.changes(heal.ticket, message(0, 4, "two"))), Resync)
    assert seqs(stream.envelope(message(4, 5, "two"))) == [5]


def test_changes_that_bring_nothing_are_a_resync_and_no_endless_question() -> None:
    stream = following(10)
    heal = healing(stream.heartbeat(beat(12)))
    assert isinstance(only(stream.changes(heal.ticket, message(10, 10))), Resync)
    assert stream.heartbeat(beat(12)) == []


def test_a_gap_that_cannot_be_healed_is_a_resync_and_the_stream_goes_on() -> None:
    stream = following(10)
    heal = healing(stream.heartbeat(beat(5000)))
    assert stream.envelope(message(5000, 5001)) == []
    assert only(stream.cannot_heal(heal.ticket, "too many")) == Resync("too many")
    assert seqs(stream.envelope(message(5001, 5002))) == [5002]


def test_too_many_messages_held_back_are_a_resync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "HELD_MESSAGES_MAX", 3)
    stream = following(10)
    heal = healing(stream.envelope(message(12, 13)))
    assert stream.envelope(message(13, 14)) == []
    assert stream.envelope(message(14, 15)) == []
    assert isinstance(only(stream.envelope(message(15, 16))), Resync)
    assert stream.changes(heal.ticket, message(10, 16)) == []  # the late answer counts no more
    assert seqs(stream.envelope(message(16, 17))) == [17]


def test_too_many_bytes_held_back_are_a_resync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "HELD_BYTES_MAX", 250)
    stream = following(10)
    healing(stream.envelope(message(12, 13, size=100)))
    assert stream.envelope(message(13, 14, size=100)) == []
    assert isinstance(only(stream.envelope(message(14, 15, size=100))), Resync)


def test_with_nobody_there_heartbeats_alone_keep_the_place() -> None:
    stream = following(10)
    stream.unfollow()
    assert stream.envelope(message(10, 12)) == []
    assert stream.heartbeat(beat(20)) == []
    stream.follow()
    assert seqs(stream.envelope(message(20, 21))) == [21]


def test_leaving_in_the_middle_of_a_healing_ends_it() -> None:
    stream = following(10)
    heal = healing(stream.heartbeat(beat(12)))
    stream.unfollow()
    stream.heartbeat(beat(13))
    stream.follow()
    assert stream.changes(heal.ticket, message(10, 12)) == []
    assert stream.cannot_heal(heal.ticket, "late") == []
    assert stream.last == 13
