from __future__ import annotations

from pathlib import Path

import pytest

from beacon.cli.logs import log_files, merged
from beacon.errors import Refused


def test_lines_of_several_processes_come_in_the_order_of_their_times() -> None:
    hub = ["2026-01-31T14:00:00.100Z INFO hub x: one", "2026-01-31T14:00:00.300Z INFO hub x: three"]
    query = ["2026-01-31T14:00:00.200Z INFO query x: two", "2026-01-31T14:00:00.400Z INFO query x: four"]
    assert [line.rpartition(" ")[2] for line in merged([hub, query])] == ["one", "two", "three", "four"]


def test_a_traceback_stays_behind_its_line() -> None:
    hub = ["2026-01-31T14:00:00.100Z ERROR hub x: bug", "Traceback:", "  boom"]
    query = ["2026-01-31T14:00:00.050Z INFO query x: before", "2026-01-31T14:00:00.200Z INFO query x: after"]
    assert merged([hub, query]) == [query[0], *hub, query[1]]


def test_supervisords_own_times_are_read_too() -> None:
    supervisord = ["2026-01-31 14:00:00,250 INFO spawned: 'hub'"]
    hub = ["2026-01-31T14:00:00.100Z INFO hub x: a", "2026-01-31T14:00:00.300Z INFO hub x: b"]
    assert merged([hub, supervisord]) == [hub[0], *supervisord, hub[1]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("hub", "ingest", "query", "replay_worker_1", "replay_worker_2", "supervisord", "up"):
        (tmp_path / f"{name}.log").touch()
    (tmp_path / "hub.log.1").touch()
    return tmp_path


@pytest.mark.parametrize(
    ("process", "names"),
    [
        (None, ["hub", "ingest", "query", "replay_worker_1", "replay_worker_2"]),
        ("hub", ["hub"]),
        ("replay_worker", ["replay_worker_1", "replay_worker_2"]),
        ("replay_worker_2", ["replay_worker_2"]),
        ("supervisord", ["supervisord"]),
        ("replay_worker_7", []),
    ],
)
def test_which_files_a_name_means(folder: Path, process: str | None, names: list[str]) -> None:
    assert [file.stem for file in log_files(folder, process)] == names


@pytest.mark.parametrize("name", ["hubb", "../hub", "up", "hub.log"])
def test_a_name_that_is_no_process_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(Refused, match="ingest, query, replay_worker, hub"):
        log_files(folder, name)
