"""ingest alone: the settings routes over its socket, and what they leave on the disk."""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.processes import Answer, Process, short_home, wait_for

KEYS = "/v1/settings/api-keys"
OPENAI = "https://api.openai.com/v1"
SECRET = "sk-secret-0123456789-wxyz"


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as home:
        yield home


@pytest.fixture
def ingest(home: Path) -> Iterator[Process]:
    with Process("ingest", home) as process:
        yield process


def put(process: Process, **body: Any) -> Answer:
    return process.ask("PUT", KEYS, body)


def shown(process: Process) -> dict[str, dict[str, Any]]:
    answer = process.ask("GET", KEYS)
    assert answer.status == 200, answer.body
    return {info.pop("provider"): info for info in answer.json}


def config(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((home / "config.json").read_text())
    return found


def test_a_key_is_saved_masked_and_forgotten(ingest: Process) -> None:
    assert shown(ingest)["openai"] == {
        "configured": False, "masked_key": None, "base_url": OPENAI, "source": None, "needs_key": True
    }  # fmt: skip
    assert not (ingest.home / "config.json").exists(), "asking writes nothing"
    assert put(ingest, provider="openai", api_key=f"  {SECRET}\n").json == {"provider": "openai", "configured": True}
    assert shown(ingest)["openai"] == {
        "configured": True, "masked_key": "****wxyz", "base_url": OPENAI, "source": "file", "needs_key": True
    }  # fmt: skip
    assert config(ingest.home) == {"providers": {"openai": {"base_url": OPENAI, "api_key": SECRET}}}
    assert put(ingest, provider="anthropic", api_key="short-key").status == 200
    assert shown(ingest)["anthropic"]["masked_key"] == "****"
    assert ingest.ask("DELETE", f"{KEYS}/openai").json == {"provider": "openai", "configured": False}
    assert ingest.ask("DELETE", f"{KEYS}/openai").json == {"provider": "openai", "configured": False}
    assert list(config(ingest.home)["providers"]) == ["anthropic"]
    assert SECRET not in (ingest.home / "config.json").read_text()


def test_a_changed_base_url_clears_the_key(ingest: Process) -> None:
    put(ingest, provider="openai", api_key=SECRET)
    assert put(ingest, provider="openai", base_url=f"{OPENAI}/").json["configured"], "the same place in other words"
    answer = put(ingest, provider="openai", base_url="https://evil.example/v1")
    assert answer.json == {"provider": "openai", "configured": False}
    info = shown(ingest)["openai"]
    assert (info["base_url"], info["masked_key"], info["source"]) == ("https://evil.example/v1", None, None)
    assert SECRET not in (ingest.home / "config.json").read_text()
    put(ingest, provider="openai", base_url=OPENAI)
    assert not shown(ingest)["openai"]["configured"], "and going back does not bring it back"
    put(ingest, provider="openai", base_url="https://proxy.example/v1", api_key=SECRET)
    put(ingest, provider="openai", api_key="sk-another-0123456789")
    assert config(ingest.home)["providers"]["openai"] == {
        "base_url": "https://proxy.example/v1", "api_key": "sk-another-0123456789"
    }, "a key without a base URL is for the one that is shown"  # fmt: skip


def test_any_compatible_server_is_a_provider(ingest: Process) -> None:
    assert put(ingest, provider="my-vllm", base_url="http://127.0.0.1:8000/v1").json["configured"]
    assert put(ingest, provider="ollama").json["configured"]
    assert put(ingest, provider="groq", base_url="https://api.groq.com/openai/v1").json == {
        "provider": "groq", "configured": False
    }  # fmt: skip
    assert put(ingest, provider="groq", api_key=SECRET).json["configured"]
    found = shown(ingest)
    assert list(found) == ["openai", "anthropic", "google", "groq", "my-vllm", "ollama"]
    assert (found["my-vllm"]["needs_key"], found["my-vllm"]["configured"]) == (False, True)
    assert found["ollama"]["base_url"] == "http://127.0.0.1:11434/v1"
    assert found["groq"]["masked_key"] == "****wxyz"
    assert ingest.ask("DELETE", f"{KEYS}/my-vllm").json == {"provider": "my-vllm", "configured": False}
    assert ingest.ask("DELETE", f"{KEYS}/my-vllm").status == 400


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"provider": "nobody", "api_key": SECRET}, 400, "'nobody' is not supported: there are openai, anthropic"),
        ({"provider": "x", "base_url": "nowhere"}, 400, "base_url must begin with http:// or https://"),
        ({"provider": "x", "base_url": f"http://u:{SECRET}@h/"}, 400, "base_url must not hold a user or password"),
        ({"provider": "openai", "api_key": ""}, 422, "may not be empty"),
        ({"provider": "openai", "api_key": "\t "}, 422, "The API key is empty"),
        ({"provider": "openai", "api_key": f"{SECRET} {SECRET}"}, 422, "holds spaces or characters"),
        ({"provider": "openai", "api_key": f"{SECRET}é"}, 422, "holds spaces or characters"),
        ({"provider": "openai", "api_key": SECRET * 200}, 422, "at most 4000 characters"),
        ({"provider": "openai", "api_key": [SECRET]}, 422, "must be text or null"),
        ({"provider": "openai"}, 422, "Nothing to save for openai"),
        ({"provider": SECRET + "!", "api_key": "k"}, 422, "provider"),
        ({"api_key": SECRET}, 422, "provider"),
    ],
)  # fmt: skip
def test_what_cannot_be_saved_is_refused_and_not_repeated(
    ingest: Process, body: dict[str, Any], status: int, says: str
) -> None:
    answer = ingest.ask("PUT", KEYS, body)
    assert (answer.status, says in answer.json["detail"]) == (status, True), answer.body
    assert SECRET.encode() not in answer.body
    assert not (ingest.home / "config.json").exists()


def test_a_key_of_the_environment_is_shown_as_one_and_cannot_be_forgotten_here(home: Path) -> None:
    with Process("ingest", home, OPENAI_API_KEY=SECRET, GEMINI_API_KEY=SECRET) as ingest:
        info = shown(ingest)["openai"]
        assert (info["source"], info["masked_key"], info["configured"]) == ("env", "****wxyz", True)
        answer = ingest.ask("DELETE", f"{KEYS}/google")
        assert answer.status == 400
        assert "Unset GEMINI_API_KEY, and start Beacon again." in answer.json["detail"]
        # one of the file lies behind it: that goes, and the answer says that the provider has a key all the same
        put(ingest, provider="openai", api_key="sk-of-the-file-0123456789")
        assert shown(ingest)["openai"]["source"] == "env"
        assert ingest.ask("DELETE", f"{KEYS}/openai").json == {"provider": "openai", "configured": True}
        assert config(home) == {"providers": {}}
        assert ingest.ask("DELETE", f"{KEYS}/openai").status == 400
        put(ingest, provider="openai", base_url="https://evil.example/v1")
        assert shown(ingest)["openai"]["base_url"] == OPENAI, "nothing saved moves the environment's key"
        assert SECRET not in (home / "config.json").read_text()


def test_a_key_is_saved_for_the_environments_base_url(home: Path) -> None:
    with Process("ingest", home, OPENAI_BASE_URL="https://proxy.example/v1") as ingest:
        assert shown(ingest)["openai"]["base_url"] == "https://proxy.example/v1"
        assert put(ingest, provider="openai", api_key=SECRET).json["configured"]
    with Process("ingest", home) as ingest:
        assert shown(ingest)["openai"]["base_url"] == "https://proxy.example/v1"
    with Process("ingest", home, OPENAI_BASE_URL="https://other.example/v1") as ingest:
        assert not shown(ingest)["openai"]["configured"], "saved for another place"


@pytest.mark.parametrize("content", [b"{", b'{"providers": {"openai": "sk-precious"}}', b"\xff\xfe"])
def test_a_broken_config_is_a_clear_error_and_stays_as_it_is(home: Path, content: bytes) -> None:
    (home / "config.json").write_bytes(content)
    with Process("ingest", home) as ingest:
        for answer in (
            ingest.ask("GET", KEYS),
            put(ingest, provider="openai", api_key=SECRET),
            ingest.ask("DELETE", f"{KEYS}/openai"),
        ):
            assert answer.status == 503
            assert f"{home / 'config.json'} cannot be used" in answer.json["detail"]
            assert b"precious" not in answer.body
        assert (home / "config.json").read_bytes() == content
        (home / "config.json").unlink()
        assert put(ingest, provider="openai", api_key=SECRET).status == 200, "mended, without a restart"


def test_what_beacon_does_not_know_in_the_file_stays(home: Path) -> None:
    (home / "config.json").write_text(
        json.dumps({"theme": "dark", "providers": {"openai": {"note": "mine", "api_key": "old"}, "x": {"base_url": "http://h"}}})
    )  # fmt: skip
    with Process("ingest", home) as ingest:
        assert put(ingest, provider="openai", api_key=SECRET).status == 200
    assert config(home) == {
        "theme": "dark",
        "providers": {
            "openai": {"note": "mine", "base_url": OPENAI, "api_key": SECRET},
            "x": {"base_url": "http://h"},
        },
    }


def test_under_umask_0_nothing_of_it_is_open_to_others(home: Path) -> None:
    home.chmod(0o777)
    previous = os.umask(0)
    try:
        with Process("ingest", home) as ingest:
            assert put(ingest, provider="openai", api_key=SECRET).status == 200
            assert stat.S_IMODE(home.stat().st_mode) == 0o700
            assert stat.S_IMODE((home / "config.json").stat().st_mode) == 0o600
    finally:
        os.umask(previous)


def test_keys_saved_at_once_are_all_there(ingest: Process) -> None:
    def save(number: int) -> None:
        assert put(ingest, provider=f"p{number}", base_url=f"https://h{number}.example", api_key=SECRET).status == 200

    threads = [threading.Thread(target=save, args=(number,)) for number in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(config(ingest.home)["providers"]) == {f"p{number}" for number in range(24)}


def test_killed_while_keys_are_saved_it_leaves_a_whole_file(home: Path) -> None:
    """Eight kills among writes of 4,000 characters; what was acknowledged last is there, or what was being saved."""
    for number in range(8):
        sent = threading.Event()
        with Process("ingest", home) as ingest:

            def kill_soon(
                process: Process = ingest, sent: threading.Event = sent, after: float = number / 4_000
            ) -> None:
                sent.wait(20)
                time.sleep(after)  # at another moment of the write each time
                assert process.child is not None
                process.child.kill()

            killer = threading.Thread(target=kill_soon)
            killer.start()
            acknowledged, asked = "", ""
            try:
                for step in range(10_000):
                    asked = f"{number}-{step}-".ljust(4_000, "k")
                    if step == 3:
                        sent.set()
                    if put(ingest, provider="openai", api_key=asked).status == 200:
                        acknowledged = asked
            except OSError:
                pass
            killer.join()
            wait_for(ingest.ended, "ingest to end")
        key = config(home)["providers"]["openai"]["api_key"]
        assert key in (acknowledged, asked)


def test_a_slow_disk_holds_up_nobody_else(home: Path) -> None:
    """config.json is a pipe nobody writes to: reading it waits for ever, and spans are taken meanwhile."""
    with Process("ingest", home) as ingest:
        os.mkfifo(home / "config.json")
        waiting = threading.Thread(target=lambda: put(ingest, provider="openai", api_key=SECRET))
        waiting.start()
        try:
            for _ in range(20):
                assert ingest.ask("GET", "/internal/ingest/health", timeout=5).status == 200
            assert waiting.is_alive()
        finally:
            with open(home / "config.json", "wb") as pipe:
                pipe.write(b"{}")
            waiting.join(20)
        assert not waiting.is_alive()


def test_no_key_is_left_anywhere_but_in_the_file(home: Path) -> None:
    with Process("ingest", home, BEACON_LOG_LEVEL="DEBUG", ANTHROPIC_API_KEY=SECRET) as ingest:
        answers = [
            put(ingest, provider="openai", api_key=SECRET),
            put(ingest, provider="openai", api_key=f"{SECRET} "),
            put(ingest, provider="nobody", api_key=SECRET),
            put(ingest, provider="openai", api_key={"key": SECRET}),
            ingest.ask("PUT", KEYS, f'{{"provider": "openai", "api_key": "{SECRET}'.encode()),
            ingest.ask("GET", KEYS),
            ingest.ask("DELETE", f"{KEYS}/anthropic"),
        ]
        assert [answer.status for answer in answers] == [200, 200, 400, 422, 422, 200, 400]
        assert SECRET.encode() not in b"".join(answer.body for answer in answers)
        holding = {path.name for path in home.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()}
        assert holding == {"config.json"}
        ingest.ask("DELETE", f"{KEYS}/openai")
    assert not [path for path in home.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
