"""ARCHITECTURE.md and the decisions are kept true: the paths they name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "ARCHITECTURE.md", ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PATH = re.compile(r"`((?:beacon|ingest|query|hub|replay_worker|tests|docs)/[\w./-]*)`")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_the_paths_a_document_names_exist(document: Path) -> None:
    named = PATH.findall(document.read_text("utf-8"))
    missing = [path for path in named if not (ROOT / path).exists()]
    assert missing == []


def test_the_map_names_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    for room in ("beacon", "ingest", "query", "replay_worker", "hub", "tests"):
        assert f"`{room}/`" in text
