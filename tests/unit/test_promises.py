"""docs/promises.md names tests and files: they are there."""

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


def test_every_file_it_changes_is_there() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
    assert len(rows) > 30
    for row in rows:
        _, promise, test, change, _ = re.split(r"(?<!\\)\|", row)
        files = re.findall(r"`((?:beacon|hub|ingest|query|replay_worker)/[\w/.]+)`", change)
        assert files, f"no file is named for: {promise}"
        for file in files:
            assert (ROOT / file).is_file(), file
        assert test.strip(), promise
