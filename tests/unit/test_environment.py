"""Settings from BEACON_ names: what is refused, and which name a misspelt one is taken for."""

from __future__ import annotations

from pathlib import Path

import pytest

from beacon.environment import read_environment, unknown_names
from beacon.errors import Refused
from beacon.resolved import load_settings, resolved_environment


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


def test_what_llm_work_runs_with() -> None:
    plain = read_environment({})
    assert (plain.analysis_model, plain.spend_cap_usd, plain.demo_pace) == (None, 1.0, 1.0)
    given = read_environment(
        {"BEACON_ANALYSIS_MODEL": "ollama/llama3.2", "BEACON_SPEND_CAP_USD": "0.25", "BEACON_DEMO_PACE": "0"}
    )
    assert (given.analysis_model, given.spend_cap_usd, given.demo_pace) == ("ollama/llama3.2", 0.25, 0.0)
    assert load_settings(resolved_environment(given)) == given, "and every process gets it as it was read"


@pytest.mark.parametrize("cap", ["0", "-1", "nan", "inf", "a lot", "1,5"])
def test_a_cap_that_is_none_is_refused(cap: str) -> None:
    with pytest.raises(Refused, match=f"BEACON_SPEND_CAP_USD='{cap}'"):
        read_environment({"BEACON_SPEND_CAP_USD": cap})


@pytest.mark.parametrize("pace", ["-1", "11", "nan", "fast"])
def test_a_pace_that_is_none_is_refused(pace: str) -> None:
    with pytest.raises(Refused, match=f"BEACON_DEMO_PACE='{pace}'"):
        read_environment({"BEACON_DEMO_PACE": pace})


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
        ("BEACON_SPEND_CAP", "BEACON_SPEND_CAP_USD"),
        ("BEACON_ANALYSIS", "BEACON_ANALYSIS_MODEL"),
        ("BEACON_FOO", None),
        ("BEACON_X", None),
        ("BEACON_", None),
    ],
)
def test_the_nearest_name(name: str, meant: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no .env
    assert unknown_names({name: "1"}) == [(name, meant)]
