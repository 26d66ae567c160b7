"""Where a recorded call is made again, and that no span can choose where a key goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from beacon.errors import BadRequest
from beacon.recorded import merged, recorded_endpoint

ENVIRON = {"OPENAI_API_KEY": "sk-environment-0123456789"}
HERE = "http://127.0.0.1:11434/v1"


def config(home: Path, **providers: dict[str, str]) -> None:
    (home / "config.json").write_text(json.dumps({"providers": providers}))


def where(home: Path, **attributes: Any) -> tuple[str, str | None, str]:
    given = {f"llm.{name}": value for name, value in attributes.items()}
    found, model = recorded_endpoint(home, ENVIRON, given)
    return found.base_url, found.key, model


def test_the_provider_is_asked_at_its_own_base_url_with_its_key(tmp_path: Path) -> None:
    own = ("https://api.openai.com/v1", ENVIRON["OPENAI_API_KEY"], "gpt-4o")
    assert where(tmp_path, model="gpt-4o") == own
    assert where(tmp_path, model="gpt-4o", provider="OpenAI") == own
    assert where(tmp_path, model="gpt-4o-2024-08-06", request_model="gpt-4o") == own


@pytest.mark.parametrize(
    "base_url",
    [
        "https://evil.example/v1",
        "http://evil.example/v1",
        "http://127.0.0.1.evil.example/v1",
        "http://user@127.0.0.1@evil.example/v1",
        "http://10.0.0.7/v1",
        "not a url",
    ],
)
def test_a_server_elsewhere_that_a_span_names_is_not_called_and_none_in_its_place(
    tmp_path: Path, base_url: str
) -> None:
    with pytest.raises(BadRequest, match=r"nothing is saved for that server.*llm\.base_url to null"):
        where(tmp_path, model="gpt-4o", base_url=base_url)
    assert where(tmp_path, model="gpt-4o", base_url=None)[0] == "https://api.openai.com/v1"


def test_a_recorded_server_is_called_where_it_is_the_providers_own_or_saved(tmp_path: Path) -> None:
    own = ("https://api.openai.com/v1", ENVIRON["OPENAI_API_KEY"], "gpt-4o")
    assert where(tmp_path, model="gpt-4o", base_url="https://api.openai.com/v1/") == own
    config(tmp_path, router={"base_url": "https://router.example/api/v1", "api_key": "sk-router-012345"})
    saved = ("https://router.example/api/v1", "sk-router-012345", "gpt-4o")
    assert where(tmp_path, model="gpt-4o", provider="openai", base_url="https://router.example/api/v1") == saved


def test_a_server_on_this_machine_is_called_without_a_key(tmp_path: Path) -> None:
    config(tmp_path, openai={"api_key": "sk-file-0123456789"})
    assert where(tmp_path, model="gpt-4o", provider="openai", base_url=HERE) == (HERE, None, "gpt-4o")
    assert where(tmp_path, model="llama3.2", base_url=HERE + "/") == (HERE, None, "llama3.2")


def test_unless_it_is_the_very_one_a_key_was_saved_for(tmp_path: Path) -> None:
    config(tmp_path, mine={"base_url": HERE, "api_key": "local-key"})
    assert where(tmp_path, model="m", provider="mine", base_url=HERE) == (HERE, "local-key", "m")
    other = "http://127.0.0.1:11435/v1"
    assert where(tmp_path, model="m", provider="mine", base_url=other) == (other, None, "m")


@pytest.mark.parametrize(
    "attributes",
    [{}, {"model": ""}, {"model": 7}, {"model": "what"}, {"model": "claude-x"}, {"model": "m", "provider": "nobody"}],
)
def test_what_nobody_can_be_asked_for_is_refused(tmp_path: Path, attributes: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        where(tmp_path, **attributes)


def test_what_is_modified_takes_what_it_contradicts_with_it() -> None:
    stored = {"llm.model": "a", "llm.request_model": "a-1", "llm.provider": "p", "llm.base_url": HERE, "k": 1}
    assert merged(stored, {}) == stored
    assert merged(stored, {"llm.model": "b"}) == {
        "llm.model": "b",
        "llm.provider": "p",
        "llm.base_url": HERE,
        "k": 1,
    }
    assert merged(stored, {"llm.provider": "q"}) == {
        "llm.model": "a",
        "llm.request_model": "a-1",
        "llm.provider": "q",
        "k": 1,
    }
    both = {"llm.model": "b", "llm.request_model": "b-1", "llm.provider": "q", "llm.base_url": "x"}
    assert merged(stored, both) == {**both, "k": 1}


def test_behind_a_gateway_each_path_is_a_server_of_its_own(tmp_path: Path) -> None:
    config(
        tmp_path,
        one={"base_url": "https://gw.example/openai/v1", "api_key": "sk-one-0123456789"},
        two={"base_url": "https://gw.example/claude", "api_key": "sk-two-0123456789"},
    )
    two = ("https://gw.example/claude", "sk-two-0123456789", "m")
    assert where(tmp_path, model="m", base_url="https://gw.example/claude/v1") == two
    assert where(tmp_path, model="m", base_url="https://gw.example/openai")[1] == "sk-one-0123456789"
    with pytest.raises(BadRequest, match="nothing is saved for that server"):
        where(tmp_path, model="m", base_url="https://gw.example/gemini/v1")
