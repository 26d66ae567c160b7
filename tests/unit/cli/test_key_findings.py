"""What doctor finds in config.json, prices.json and the environment's keys."""

from __future__ import annotations

from pathlib import Path

from beacon.cli.invocation import Invocation
from beacon.cli.key_findings import check_keys, check_prices
from beacon.cli.mode_findings import check_modes
from beacon.config import Settings, prepare_directories
from tests.processes import short_home

SECRET = "sk-secret-0123456789"


def test_who_can_be_called(tmp_path: Path) -> None:
    (nothing,) = check_keys(tmp_path, {})
    assert (nothing.level, "no API key" in nothing.what) == ("ok", True)
    (tmp_path / "config.json").write_text(
        f'{{"providers": {{"google": {{"api_key": "{SECRET}"}}, "ollama": {{"base_url": "http://127.0.0.1:11434/v1"}}}}}}'
    )
    (found,) = check_keys(tmp_path, {"OPENAI_API_KEY": SECRET})
    assert found.what == (
        "models can be called at openai (key from the environment), google (key from config.json), "
        "ollama (no key needed)"
    )


def test_what_cannot_be_used_is_a_problem_with_its_mending(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(f'{{"providers": {{"openai": ["{SECRET}"]}}}}')
    (file,) = check_keys(tmp_path, {})
    assert (file.level, file.check) == ("problem", "keys")
    assert (
        file.what == f"{tmp_path / 'config.json'} cannot be used: the entry of openai: Expected `object`, got `array`"
    )
    assert file.advice == "Mend it, or move it away and enter the API keys again."
    (tmp_path / "config.json").unlink()
    (variable,) = check_keys(tmp_path, {"ANTHROPIC_BASE_URL": "nowhere"})
    assert variable.what.startswith("ANTHROPIC_BASE_URL must begin with http://")
    assert variable.advice == "Correct or unset the variable, and start Beacon again."


def test_prices(tmp_path: Path) -> None:
    assert check_prices(tmp_path) == []
    (tmp_path / "prices.json").write_text('{"gpt-4o": {"input": 1}}')
    (broken,) = check_prices(tmp_path)
    assert (broken.level, broken.check) == ("problem", "prices")
    assert "the price of gpt-4o" in broken.what
    assert broken.advice.startswith("Correct it, or move it away")


def test_a_config_that_others_can_read_is_a_problem() -> None:
    with short_home() as home:
        settings = Settings(home=home / "h", db_path=home / "h" / "traces.db", run_dir=home / "h" / "run")
        prepare_directories(settings)
        config = settings.home / "config.json"
        config.write_text("{}")
        config.chmod(0o640)
        (found,) = check_modes(settings, Invocation("beacon"))
        assert (found.level, found.advice) == ("problem", f"chmod 600 {config}")
        config.chmod(0o600)
        assert [finding.level for finding in check_modes(settings, Invocation("beacon"))] == ["ok"]
