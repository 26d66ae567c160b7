"""Settings from BEACON_ names: what is refused, and which name a misspelt one is taken for."""

from __future__ import annotations

from pathlib import Path

import pytest

from beacon.environment import read_environment, unknown_names
from beacon.errors import Refused


@pytest.mark.parametrize("token", ["schlüssel", "a=b", "YWJj/ZGVm", "two words", "a,b", "a\nb", "abc\n", "٣", '"a"'])
def test_a_token_that_clients_could_not_send_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(Refused) as refused:
        read_environment({"BEACON_TOKEN": token})
    assert "BEACON_TOKEN may only hold" in refused.value.detail
    assert "openssl rand -hex 32" in refused.value.detail
    assert token not in refused.value.detail


@pytest.mark.parametrize("token", ["0123456789abcdef" * 4, "AZaz09._~-"])
def test_a_token_of_plain_characters_is_taken_as_it_is(token: str) -> None:
    assert read_environment({"BEACON_TOKEN": token}).token == token


def test_an_empty_token_is_none() -> None:
    assert read_environment({"BEACON_TOKEN": ""}).token is None


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("BEACON_PRT", "BEACON_BACKEND_PORT"),
        ("BEACON_PORT", "BEACON_BACKEND_PORT"),
        ("beacon_prot", "BEACON_BACKEND_PORT"),
        ("BEACON_OTLP_PRT", "BEACON_OTLP_PORT"),
        ("BEACON_BACKEND_PROT", "BEACON_BACKEND_PORT"),
        ("BEACON_LOGLEVEL", "BEACON_LOG_LEVEL"),
        ("BEACON_WORKERS", "BEACON_REPLAY_WORKERS"),
        ("BEACON_DB", "BEACON_DB_PATH"),
        ("BEACON_FOO", None),
        ("BEACON_X", None),
        ("BEACON_", None),
    ],
)
def test_the_nearest_name(name: str, meant: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no .env
    assert unknown_names({name: "1"}) == [(name, meant)]
