"""What is heavy, and few need, is not in the memory of a process that has not needed it yet."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.processes import REPOSITORY


@pytest.mark.parametrize("process", ["ingest", "hub", "query", "replay_worker"])
def test_no_process_begins_with_what_it_may_never_need(process: str) -> None:
    late = ["google.protobuf", "opentelemetry", "h2", "hpack", "genai_prices", "zstandard"]
    code = f"import sys, {process}.__main__; print([name for name in {late} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
