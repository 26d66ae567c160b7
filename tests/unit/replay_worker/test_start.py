"""What an idle worker has in memory."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("httpx", "httpx2", "httpcore2", "anyio", "genai_prices", "pydantic", "replay_worker.providers.client")


def test_an_idle_worker_has_no_http_client_and_no_prices() -> None:
    code = f"import sys, replay_worker.__main__; print([name for name in {HEAVY!r} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.strip() == "[]"
