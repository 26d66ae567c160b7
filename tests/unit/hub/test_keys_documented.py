"""docs/ui.md against the page: every key it has, and none that it has not."""

from __future__ import annotations

import re

from tests.processes import REPOSITORY

SOURCES = REPOSITORY / "hub" / "ui" / "src"


def test_every_key_of_the_page_is_in_the_table_and_no_other() -> None:
    text = "\n".join(path.read_text("utf-8") for path in sorted(SOURCES.rglob("*.ts*")))
    lists = re.findall(r'\bkeys: \[((?:"[^"]+"(?:, )?)+)\]', text)
    has = {key for one in lists for key in re.findall(r'"([^"]+)"', one)} | set(re.findall(r'keys: "(g \w)"', text))
    has = {key.replace("\\\\", "\\") for key in has}  # as TypeScript writes a backslash
    assert len(has) > 30
    table = (REPOSITORY / "docs" / "ui.md").read_text("utf-8").partition("## Keys")[2]
    rows = [line.split(" | ")[0] for line in table.splitlines() if line.startswith("| `")]
    assert {key for row in rows for key in re.findall(r"`([^`]+)`", row)} == has
