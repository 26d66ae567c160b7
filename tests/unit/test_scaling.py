"""How many workers there should be, and what the command says of it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from beacon.cli.scale import told
from beacon.config import Settings
from beacon.scaling import number_of
from beacon.workers import scaled_path, wanted_workers, write_wanted


def test_word_of_scaling_counts_for_its_own_supervisor_only(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, db_path=tmp_path / "traces.db", run_dir=tmp_path, replay_workers=2)
    me = os.getpid()
    assert wanted_workers(settings, me) == 2
    write_wanted(tmp_path, 5)
    assert wanted_workers(settings, me) == 5
    assert wanted_workers(settings, me + 1) == 2, "left behind by one that was killed"
    assert stat.S_IMODE(scaled_path(tmp_path).stat().st_mode) == 0o600
    scaled_path(tmp_path).write_text("{")
    assert wanted_workers(settings, me) == 2


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("replay_worker", 1),
        ("replay_worker_1", 1),
        ("replay_worker_12", 12),
        ("ingest", None),
        ("replay_workers", None),
    ],
)
def test_which_worker_a_process_is(name: str, number: int | None) -> None:
    assert number_of(name) == number


def test_what_the_command_says() -> None:
    assert told(2, ["replay_worker_2"], []) == "2 replay workers from now on; started replay_worker_2."
    assert told(1, [], ["replay_worker_2"]).startswith("1 replay worker from now on; replay_worker_2 will end")
    assert told(1, [], []) == "1 replay worker already: nothing to do."
