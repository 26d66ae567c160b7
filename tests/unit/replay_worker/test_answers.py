"""What a call may cost before it is made: the limit it is reckoned with, and the refusal."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from beacon.answer_tokens import OUTPUT_TOKENS, REASONING_TOKENS
from beacon.catalog import Style
from beacon.config import Settings
from beacon.contract.jobs import KeyTestPayload
from beacon.keys import Endpoint
from beacon.pricing import AboveCap
from replay_worker.answers import limit_of, require_affordable
from replay_worker.providers.anthropic import MAX_TOKENS, MAX_TOKENS_BEFORE
from replay_worker.providers.calls import ModelCall
from replay_worker.work import Work


def at(style: Style) -> Endpoint:
    return Endpoint(provider=style, style=style, base_url="https://api.example", key="k")


def asked(model: str, **params: Any) -> ModelCall:
    return ModelCall(model=model, messages=[{"role": "user", "content": "Hi"}], params=params)


@pytest.mark.parametrize(
    ("style", "call", "tokens"),
    [
        ("openai", asked("gpt-4o"), OUTPUT_TOKENS),
        ("openai", asked("gpt-5"), REASONING_TOKENS),
        ("openai", asked("gpt-5", reasoning_effort="none"), OUTPUT_TOKENS),
        ("openai", asked("gpt-5", max_completion_tokens=100), 100),
        ("google", asked("gemini-2.5-flash"), REASONING_TOKENS),
        ("google", asked("gemini-2.5-flash", max_tokens=99.5), 100),
        ("anthropic", asked("claude-haiku-4-5"), MAX_TOKENS),
        ("anthropic", asked("claude-3-haiku-20240307"), MAX_TOKENS_BEFORE),
        ("anthropic", asked("claude-haiku-4-5", max_tokens=20_000), 20_000),
    ],
)
def test_the_limit_of_a_call_is_what_it_may_take_at_most(style: Style, call: ModelCall, tokens: int) -> None:
    assert limit_of(at(style), call) == tokens


def test_runs_of_a_model_that_reasons_are_refused_where_their_reasoning_may_cost_too_much(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, db_path=tmp_path / "t", run_dir=tmp_path, spend_cap_usd=1.0)
    work = Work("j", KeyTestPayload("x"), settings, {}, cast("Any", None), cast("Any", None), lambda run, text: None)

    def require(call: ModelCall) -> None:
        asyncio.run(require_affordable(work, [(at("openai"), call)], 10, "10 runs"))

    require(asked("gpt-4o"))
    require(asked("gpt-5", max_tokens=4_096))
    with pytest.raises(AboveCap, match=r"10 runs may cost up to \$2\.50\d\d, more than the \$1\.00"):
        require(asked("gpt-5"))
