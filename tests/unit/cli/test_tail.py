from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from beacon.cli.tail import BLOCK, Follower, last_lines, log_sizes, read_from


def write(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def rotate(path: Path) -> None:
    """What supervisord does: NAME.log becomes NAME.log.1."""
    path.rename(path.with_name(f"{path.name}.1"))
    path.touch()


def test_last_lines_go_back_into_rotated_files(tmp_path: Path) -> None:
    log = tmp_path / "hub.log"
    (tmp_path / "hub.log.2").write_text("one\ntwo\n")
    (tmp_path / "hub.log.1").write_text("three\nfour\n")
    log.write_text("five\n")
    assert last_lines(log, 2) == ["four", "five"]
    assert last_lines(log, 4) == ["two", "three", "four", "five"]
    assert last_lines(log, 100) == ["one", "two", "three", "four", "five"]
    assert last_lines(log, 0) == []


def test_last_lines_of_a_file_larger_than_a_block(tmp_path: Path) -> None:
    log = tmp_path / "hub.log"
    lines = [f"{number} {'x' * 300}" for number in range(BLOCK // 100)]
    write(log, *lines)
    assert last_lines(log, 500) == lines[-500:]


@given(
    lines=st.lists(st.text(st.characters(codec="ascii", exclude_characters="\n\r\x0b\x0c\x1c\x1d\x1e"))),
    n=st.integers(1, 9),
)
def test_last_lines_are_those_of_the_whole_text(tmp_path_factory: object, lines: list[str], n: int) -> None:
    folder = tmp_path_factory.mktemp("log")  # type: ignore[attr-defined]
    log = folder / "hub.log"
    write(log, *lines)
    assert last_lines(log, n) == lines[-n:]


def test_reading_on_from_a_mark(tmp_path: Path) -> None:
    log = tmp_path / "hub.log"
    write(log, "old")
    marks = log_sizes(tmp_path)
    assert read_from(log, marks[log]) == []
    write(log, "new")
    assert read_from(log, marks[log]) == ["new"]
    rotate(log)
    write(log, "x")
    assert read_from(log, marks[log]) == ["x"], "a file that is shorter now was rotated: all of it is new"
    assert read_from(tmp_path / "none.log", 0) == []


def test_following_shows_what_is_added_and_no_more(tmp_path: Path) -> None:
    log = tmp_path / "hub.log"
    write(log, "old")
    follower = Follower(log)
    assert list(follower.lines()) == []
    write(log, "one", "two")
    assert list(follower.lines()) == ["one", "two"]
    assert list(follower.lines()) == []
    follower.close()


def test_following_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    log = tmp_path / "hub.log"
    log.touch()
    follower = Follower(log)
    with log.open("a") as file:
        file.write("half ")
        file.flush()
        assert list(follower.lines()) == []
        file.write("a line\n")
        file.flush()
    assert list(follower.lines()) == ["half a line"]
    follower.close()


def test_following_goes_through_rotation_without_losing_a_line(tmp_path: Path) -> None:
    log = tmp_path / "hub.log"
    log.touch()
    follower = Follower(log)
    seen: list[str] = []
    for number in range(0, 30, 3):
        write(log, str(number))
        rotate(log)
        write(log, str(number + 1), str(number + 2))
        seen += follower.lines()
    assert seen == [str(number) for number in range(30)]
    follower.close()


def test_following_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    log = tmp_path / "hub.log"
    follower = Follower(log)
    assert list(follower.lines()) == []
    write(log, "first")
    assert list(follower.lines()) == ["first"]
    follower.close()


def test_following_a_log_that_was_emptied(tmp_path: Path) -> None:
    log = tmp_path / "hub.log"
    write(log, "a long line that is there already")
    follower = Follower(log)
    log.write_text("")
    assert list(follower.lines()) == []
    write(log, "new")
    assert list(follower.lines()) == ["new"]
    follower.close()
