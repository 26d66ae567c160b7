"""The search index under a running stack: searches are exact while it is behind, broken or gone, and it comes back."""

from __future__ import annotations

import json
import os
import signal
from urllib.parse import quote

import pytest

from query.index.file import path_beside
from query.index.keeper import SMALL
from tests.processes import span, wait_for
from tests.stack import Stack


def post(stack: Stack, first: int, count: int, text: str) -> None:
    stack.post_spans([span(f"s{i}", f"t{i // 100}", attributes={"text": text}) for i in range(first, first + count)])


def total(stack: Stack, text: str) -> int:
    answer = stack.ask("GET", f"/v1/search?q={quote(text)}&limit=1")
    assert answer.status == 200, answer.body
    found: int = answer.json["total"]
    return found


def indexed(stack: Stack) -> int:
    spans: int = stack.ask("GET", "/v1/stats").json["indexed"]
    return spans


def wait_indexed(stack: Stack, spans: int) -> None:
    wait_for(lambda: indexed(stack) == spans, f"{spans} spans to be indexed")


def test_searches_are_exact_while_the_index_lags_and_after_its_process_was_killed(stack: Stack) -> None:
    post(stack, 0, 3 * SMALL, "the first words")
    wait_indexed(stack, 3 * SMALL)
    with stack.without("indexer"):
        post(stack, 3 * SMALL, 100, "the second words")
        post(stack, 0, 10, "the second words")  # ten of the first anew
        assert stack.ask("DELETE", "/v1/traces/t1").status == 200
        assert indexed(stack) <= 3 * SMALL
        assert total(stack, "second") == 110
        assert total(stack, "e second w") == 110
        assert total(stack, "first") == 3 * SMALL - 110
        assert stack.ask("GET", "/health").json["status"] == "ok", "it is missed by nobody"
    wait_indexed(stack, 3 * SMALL)
    assert total(stack, "second") == 110
    assert total(stack, "first words") == 3 * SMALL - 110


@pytest.mark.parametrize("how", ["deleted", "overwritten", "cut"])
def test_an_index_that_is_lost_or_broken_is_made_anew(stack: Stack, how: str) -> None:
    path = path_beside(stack.settings.db_path)
    post(stack, 0, 2 * SMALL, "some words")
    wait_indexed(stack, 2 * SMALL)
    held = path.open("rb")  # or the next file may get its number
    before = os.fstat(held.fileno()).st_ino
    assert path.stat().st_mode & 0o777 == 0o600
    if how == "deleted":
        for suffix in ("", "-wal", "-shm"):
            os.unlink(f"{path}{suffix}")
    else:
        with stack.without("indexer"):
            path.with_name(path.name + "-wal").unlink(missing_ok=True)
            size = path.stat().st_size
            if how == "cut":
                os.truncate(path, size // 2)
            else:
                path.write_bytes(b"this is no database " * (size // 20))
            assert total(stack, "some") == 2 * SMALL
            assert total(stack, "e wor") == 2 * SMALL
    assert total(stack, "some") == 2 * SMALL
    wait_for(lambda: path.exists() and path.stat().st_ino != before, "another file")
    held.close()
    wait_indexed(stack, 2 * SMALL)
    assert total(stack, "e wor") == 2 * SMALL
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_deleted_text_leaves_the_index(stack: Stack) -> None:
    path = path_beside(stack.settings.db_path)

    def stands_there() -> bool:
        files = (path.with_name(path.name + suffix) for suffix in ("", "-wal"))
        return any(b"hunter2" in file.read_bytes() for file in files if file.exists())

    post(stack, 0, 50, "some words")
    stack.post_spans([span("s", "secret", attributes={"text": "password-hunter2"})])
    wait_for(stands_there, "the text to be indexed")
    assert stack.ask("DELETE", "/v1/traces/secret").status == 200
    assert total(stack, "hunter2") == 0
    # pages of the WAL are written over, or emptied with it, as more comes
    for first in range(50, 100_000, 50):
        post(stack, first, 50, "some words")
        if not stands_there():
            break
    assert not stands_there()


def test_the_process_ends_when_it_is_told_and_says_so_nowhere(stack: Stack) -> None:
    pid = stack.kill("indexer", signal.SIGTERM)
    stack.wait_replaced("indexer", pid)
    post(stack, 0, 5, "some words")
    wait_indexed(stack, 5)
    logged = [line for line in stack.log("indexer").splitlines() if " ERROR " in line or " WARNING " in line]
    assert not logged, json.dumps(logged)
