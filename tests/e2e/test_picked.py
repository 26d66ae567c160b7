"""What is done with the traces that are ticked in the list."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.runs import new_id, span
from tests.e2e.tab import Tab
from tests.processes import wait_for
from tests.stack import Stack

pytestmark = pytest.mark.browser


def test_ticked_traces_are_exported_and_deleted_unless_it_is_taken_back(stack: Stack, tab: Tab) -> None:
    name, ids = new_id("batch"), [new_id() for _ in range(3)]
    for run in ids:
        stack.post_spans([span(run, name)])
    tab.open(f"/?filter={name}")
    page = tab.page
    boxes = page.get_by_role("checkbox", name=f"Choose {name}")
    expect(boxes).to_have_count(3)
    boxes.nth(0).check()
    boxes.nth(1).check()
    bar = page.get_by_role("group", name="Chosen traces")
    with page.expect_download() as download:
        bar.get_by_role("button", name="Export").click()
    saved = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert {one["trace"]["trace_id"] for one in saved["traces"]} == {ids[2], ids[1]}
    bar.get_by_role("button", name="Delete").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("2 traces will be deleted for good in 10 seconds.")
    alert.get_by_role("button", name="Undo").click()
    expect(alert).to_have_count(0)
    boxes.nth(0).check()
    bar.get_by_role("button", name="Delete").click()
    expect(alert).to_contain_text("1 trace will be deleted")
    assert stack.ask("GET", f"/v1/traces/{ids[2]}").status == 200  # not yet
    expect(boxes).to_have_count(2, timeout=14_000)
    wait_for(lambda: stack.ask("GET", f"/v1/traces/{ids[2]}").status == 404, "the trace to be gone")
    assert [stack.ask("GET", f"/v1/traces/{run}").status for run in ids[:2]] == [200, 200]
