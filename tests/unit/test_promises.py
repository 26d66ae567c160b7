"""docs/promises.md is kept true: the tests it names exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "promises.md").read_text("utf-8")


def test_every_test_it_names_is_there() -> None:
    named = re.findall(r"`((?:tests/[\w/]+/)?test_\w+\.py)(?:::(test_\w+)(…?))?`", TEXT)
    assert len(named) > 30
    for file, test, more in named:
        path = ROOT / file if "/" in file else ROOT / "tests" / "system" / file
        assert path.is_file(), file
        if test:
            names = re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
            assert any(name.startswith(test) if more else name == test for name in names), f"{file}::{test}"


def test_every_promise_has_a_test_and_a_change_that_breaks_it() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(rows) > 30
    for row in rows:
        _, promise, test, change, _ = row.split("|")
        assert "test_" in test, promise
        assert re.search(r"`(?:beacon|hub|ingest|query|replay_worker)/", change), promise
