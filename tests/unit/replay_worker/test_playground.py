"""The spans and results of playground calls: with a store that keeps spans, and models that answer as told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from beacon.config import Settings
from beacon.contract.jobs import ChatPayload, ComparePayload, ComparePromptsPayload
from beacon.errors import BadRequest, UpstreamFailed
from beacon.keys import Endpoint
from replay_worker.answers import asked_attributes
from replay_worker.playground import run_chat, run_compare, run_compare_prompts
from replay_worker.providers.calls import Completion, ModelCall
from replay_worker.stack import SpansRefused
from replay_worker.work import Work

Span = dict[str, Any]
Said = Completion | Exception | Callable[[], Any]


class Kept:
    """Keeps spans as ingest would: later fields replace earlier ones. `posts` has what each request brought."""

    def __init__(self) -> None:
        self.posts: list[list[Span]] = []
        self.spans: dict[str, Span] = {}
        self.gone = False

    async def post_spans(self, spans: list[Span]) -> None:
        if self.gone:
            raise SpansRefused("Span x is not known, and lacks span_type, name and start_time.")
        self.posts.append(spans)
        for span in spans:
            self.spans[span["span_id"]] = {**self.spans.get(span["span_id"], {}), **span}

    async def get_trace(self, trace_id: str, *, light: bool = False) -> dict[str, Any]:
        raise BadRequest(trace_id)

    async def get_span(self, span_id: str, trace_id: str | None = None) -> dict[str, Any]:
        raise BadRequest(span_id)

    async def list_traces(self, **query: str | int) -> list[dict[str, Any]]:
        return []

    def of_type(self, span_type: str) -> list[Span]:
        return [span for span in self.spans.values() if span["span_type"] == span_type]


class Models:
    """Answers each model as `says` tells, in what it was asked last."""

    def __init__(self, says: Mapping[str, Said], store: Kept) -> None:
        self._says = says
        self._store = store
        self.asked: list[ModelCall] = []
        self.running_before: list[set[str]] = []
        self.before: Callable[[], Any] | None = None

    async def call(
        self, endpoint: Endpoint, call: ModelCall, on_text: Callable[[str], None] | None = None
    ) -> Completion:
        self.asked.append(call)
        self.running_before.append({s["span_type"] for s in self._store.spans.values() if "end_time" not in s})
        if self.before is not None:
            await self.before()
        said = self._says[call.model]
        if isinstance(said, Exception):
            raise said
        if not isinstance(said, Completion):
            await said()
            raise AssertionError
        if on_text is not None:
            on_text(said.text)
        return said

    async def list_models(self, endpoint: Endpoint) -> list[str]:
        return list(self._says)


ANSWER = Completion(
    text="18C",
    finish_reason="stop",
    tokens_input=12,
    tokens_output=3,
    tokens_cached=2,
    model="m1-2026",
    latency_ms=40.0,
    first_text_ms=20.0,
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text('{"providers": {"lab": {"base_url": "http://127.0.0.1:1/v1"}}}')
    return tmp_path


def work(
    home: Path, payload: Struct, says: Mapping[str, Said], said: list[tuple[int, str]] | None = None
) -> tuple[Work, Kept, Models]:
    store = Kept()
    models = Models(says, store)
    settings = Settings(home=home, db_path=home / "traces.db", run_dir=home / "run")
    say = (lambda run, text: said.append((run, text))) if said is not None else (lambda run, text: None)
    return Work("job-1", payload, settings, {}, models, store, say), store, models


def chat(**more: Any) -> ChatPayload:
    return ChatPayload("c1", "t1", "lab/m1", [{"role": "user", "content": "Weather?"}], **more)


def test_a_chat_is_a_step_with_a_call_first_running_then_ended(home: Path) -> None:
    job, store, models = work(home, chat(system_prompt="Be terse.", params={"temperature": 0.1}), {"m1": ANSWER})
    result = asyncio.run(run_chat(job))
    assert models.running_before == [{"agent_step", "llm_call"}], "both are stored before the call"
    assert models.asked[0].messages == [
        {"role": "system", "content": "Be terse."},
        {"role": "user", "content": "Weather?"},
    ]
    first, *later = store.posts
    assert [span["span_type"] for span in first] == ["agent_step", "llm_call"]
    assert all(span["status"] == "unset" and "end_time" not in span for span in first)
    # an update must not bring a deleted trace back
    assert all("span_type" not in span and "start_time" not in span for post in later for span in post)
    (step,), (call,) = store.of_type("agent_step"), store.of_type("llm_call")
    assert call["parent_span_id"] == step["span_id"]
    assert {step["trace_id"], call["trace_id"]} == {"t1"}
    assert all(span["attributes"]["beacon.job_id"] == "job-1" for post in store.posts for span in post)
    assert step["status"] == call["status"] == "ok"
    assert step["start_time"] <= call["start_time"] <= call["end_time"] <= step["end_time"]
    expected = {
        "llm.provider": "lab",
        "llm.model": "m1",
        "llm.base_url": "http://127.0.0.1:1/v1",
        "llm.prompt": '[{"role":"system","content":"Be terse."},{"role":"user","content":"Weather?"}]',
        "llm.temperature": 0.1,
        "llm.completion": "18C",
        "llm.finish_reason": "stop",
        "llm.tokens.input": 12,
        "llm.tokens.output": 3,
        "llm.tokens.total": 15,
        "llm.tokens.cache_read": 2,
        "llm.cost_usd": 0.0,
        "playground.conversation_id": "c1",
    }
    assert expected.items() <= call["attributes"].items()
    assert step["attributes"]["agent.input"] == "Weather?"
    assert step["attributes"]["agent.output"] == "18C"
    assert result.message == {"role": "assistant", "content": "18C"}
    assert (result.metrics.input_tokens, result.metrics.cost_usd, result.metrics.latency_ms) == (12, 0.0, 40.0)


def test_a_chat_says_its_text_only_when_it_is_asked_to_stream(home: Path) -> None:
    said: list[tuple[int, str]] = []
    asyncio.run(run_chat(work(home, chat(), {"m1": ANSWER}, said)[0]))
    assert said == []
    asyncio.run(run_chat(work(home, chat(stream=True), {"m1": ANSWER}, said)[0]))
    assert said == [(0, "18C")]


def test_tool_calls_come_with_the_message_and_in_the_span(home: Path) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    answer = Completion(text="", tool_calls=[call], finish_reason="tool_calls")
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    job, store, _ = work(home, chat(tools=[tool]), {"m1": answer})
    result = asyncio.run(run_chat(job))
    assert result.message["tool_calls"] == [call]
    attributes = store.of_type("llm_call")[0]["attributes"]
    assert attributes["llm.tool_calls"] == '[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]'
    assert '"name":"f"' in attributes["llm.tools"]
    assert "llm.tokens.total" not in attributes, "what the provider did not say is not 0"


def test_a_chat_that_fails_leaves_its_spans_in_error(home: Path) -> None:
    job, store, _ = work(home, chat(), {"m1": UpstreamFailed("lab: out of order")})
    with pytest.raises(UpstreamFailed, match="out of order"):
        asyncio.run(run_chat(job))
    for span in store.spans.values():
        assert span["status"] == "error"
        assert span["error_message"] == "lab: out of order"
        assert span["end_time"] >= span["start_time"]
    assert "llm.prompt" in store.of_type("llm_call")[0]["attributes"], "what was asked stays"


def test_a_chat_that_is_cancelled_ends_its_spans(home: Path) -> None:
    async def cancel() -> Kept:
        entered = asyncio.Event()

        async def hang() -> None:
            entered.set()
            await asyncio.Event().wait()

        job, store, _ = work(home, chat(), {"m1": hang})
        task = asyncio.create_task(run_chat(job))
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return store

    store = asyncio.run(cancel())
    assert {span["error_message"] for span in store.spans.values()} == {"Cancelled before the answer was there."}


def test_a_chat_whose_trace_is_deleted_still_answers(home: Path) -> None:
    job, store, models = work(home, chat(), {"m1": ANSWER})

    async def delete() -> None:
        store.gone = True

    models.before = delete
    assert asyncio.run(run_chat(job)).message["content"] == "18C"


def test_messages_that_cannot_be_sent_are_refused_before_anything_is_stored(home: Path) -> None:
    payload = ChatPayload("c", "t", "lab/m1", [{"role": "tool", "tool_call_id": "x", "content": ""}])
    job, store, models = work(home, payload, {"m1": ANSWER})
    with pytest.raises(BadRequest, match=r"messages\[0\]"):
        asyncio.run(run_chat(job))
    assert not store.posts
    assert not models.asked


def test_one_failed_model_does_not_sink_a_comparison(home: Path) -> None:
    payload = ComparePayload("t1", [{"role": "user", "content": "Hi"}], ["lab/m1", "lab/m2", "claude-x"])
    job, store, _ = work(home, payload, {"m1": ANSWER, "m2": UpstreamFailed("no")})
    result = asyncio.run(run_compare(job))
    good, failed, unknown = result.results
    assert (good.model, good.provider, good.completion, good.error) == ("lab/m1", "lab", "18C", None)
    assert good.metrics is not None
    assert (failed.completion, failed.metrics, failed.error) == (None, None, "no")
    assert unknown.error is not None
    assert "API key" in unknown.error
    (step,) = store.of_type("agent_step")
    assert step["status"] == "ok"
    assert [span["status"] for span in store.of_type("llm_call")] == ["ok", "error"]
    assert {span["parent_span_id"] for span in store.of_type("llm_call")} == {step["span_id"]}


def test_a_comparison_in_which_all_fail_is_a_failure(home: Path) -> None:
    payload = ComparePayload("t1", [{"role": "user", "content": "Hi"}], ["lab/m1", "lab/m2"])
    job, store, _ = work(home, payload, {"m1": UpstreamFailed("no"), "m2": UpstreamFailed("nor here")})
    with pytest.raises(UpstreamFailed, match=r"Every model failed.*no"):
        asyncio.run(run_compare(job))
    assert {span["status"] for span in store.spans.values()} == {"error"}


def test_the_calls_of_a_comparison_are_made_side_by_side(home: Path) -> None:
    both = asyncio.Barrier(2)

    async def meet() -> None:
        async with asyncio.timeout(5):
            await both.wait()
        raise UpstreamFailed("met")

    payload = ComparePayload("t1", [{"role": "user", "content": "Hi"}], ["lab/m1", "lab/m2"])
    job, _, _ = work(home, payload, {"m1": meet, "m2": meet})
    with pytest.raises(UpstreamFailed, match="met"):
        asyncio.run(run_compare(job))


def test_prompts_are_compared_in_their_order(home: Path) -> None:
    payload = ComparePromptsPayload("t1", "test-1", "lab/m1", ["one", "two"], "Be terse.")
    job, store, models = work(home, payload, {"m1": ANSWER})
    result = asyncio.run(run_compare_prompts(job))
    assert [run.prompt for run in result.results] == ["one", "two"]
    assert (result.test_id, result.trace_id) == ("test-1", "t1")
    assert [call.messages[-1]["content"] for call in models.asked] == ["one", "two"]
    assert [span["name"] for span in store.of_type("llm_call")] == ["prompt 1", "prompt 2"]
    assert store.of_type("agent_step")[0]["attributes"]["playground.test_id"] == "test-1"


PRICES = '{"lab/m1": {"input_usd_per_million": 1000, "output_usd_per_million": 2000}}'


def test_the_users_own_price_of_the_model_asked_counts(home: Path) -> None:
    (home / "prices.json").write_text(PRICES)
    result = asyncio.run(run_chat(work(home, chat(), {"m1": ANSWER})[0]))
    assert result.metrics.cost_usd == pytest.approx(12 * 0.001 + 3 * 0.002)


def test_a_comparison_above_the_spend_cap_is_refused_before_any_call(home: Path) -> None:
    (home / "prices.json").write_text(PRICES)
    payload = ComparePromptsPayload("t1", "test-1", "lab/m1", ["one", "two"], None, {"max_tokens": 100_000})
    job, store, models = work(home, payload, {"m1": ANSWER})
    with pytest.raises(BadRequest, match="BEACON_SPEND_CAP_USD"):
        asyncio.run(run_compare_prompts(job))
    assert not models.asked
    assert not store.posts


def test_a_parameter_is_no_fact_of_the_span() -> None:
    endpoint = Endpoint(provider="p", style="openai", base_url="https://p.example/v1", key="k")
    params = {"temperature": 0.5, "prompt": "forged", "base_url": "http://127.0.0.1:1", "cost_usd": 99, "api_key": "s3"}
    found = asked_attributes(
        endpoint, ModelCall(model="m", messages=[{"role": "user", "content": "hi"}], params=params)
    )
    assert found["llm.temperature"] == 0.5
    assert found["llm.prompt"] == '[{"role":"user","content":"hi"}]'
    assert not {"llm.base_url", "llm.cost_usd"} & found.keys()
    assert "s3" not in str(found)
    assert "forged" in found["llm.params"]
