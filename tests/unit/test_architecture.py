"""ARCHITECTURE.md and the decisions are kept true: the paths they name exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Set
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


def test_no_module_imports_itself_in_a_circle() -> None:
    """Imports inside functions count too: there they hide a circle, and do not open it."""
    modules = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for package in ("beacon", "ingest", "query", "replay_worker", "hub")
        for file in (ROOT / package).rglob("*.py")
    }
    imports = {name: imported(file, modules.keys() - {name}) for name, file in modules.items()}
    # what imports none of the others is in no circle, nor is what none of them imports
    while straight := [
        name
        for name, needs in imports.items()
        if not needs & imports.keys() or not any(name in other for other in imports.values())
    ]:
        for name in straight:
            del imports[name]
    assert {name: sorted(needs & imports.keys()) for name, needs in imports.items()} == {}


def imported(file: Path, modules: Set[str]) -> set[str]:
    """The names of `modules` that are imported anywhere in `file`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= within & modules or {node.module}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & modules


def test_the_map_names_every_room() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    for room in ("beacon", "ingest", "query", "replay_worker", "hub", "tests"):
        assert f"`{room}/`" in text
