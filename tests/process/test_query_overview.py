"""Lists, figures and long traces of a query process, while a writer changes the file."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.processes import Process, short_home
from tests.store_fixture import SECOND, START_NS, Store, stored_span


def get(query: Process, path: str) -> Any:
    answer = query.ask("GET", path)
    assert answer.status == 200, (answer.status, answer.body[:200])
    return answer.json


def test_every_answer_knows_what_was_committed_before_it_was_asked() -> None:
    with short_home() as home, Store(home / "traces.db") as store, Process("query", home) as query:
        for i in range(200):
            failed = i % 3 == 0
            store.put(
                stored_span("s", f"t{i}", span_type="llm_call", cost_pico=(i % 50) * 10**9, session_id=f"n{i % 7}"),
                stored_span("e", f"t{i}", status="error" if failed else "ok"),
            )
            if i % 10 == 9:
                store.delete(f"t{i - 5}")
            if i % 10 == 8:
                store.tag(f"t{i}", env="prod")
            gone = (i + 1) // 10
            assert get(query, "/v1/traces?sort=-total_cost_usd&limit=1")["total"] == i + 1 - gone
            page = get(query, f"/v1/traces?status={'error' if failed else 'ok'}&sort=-start_time&limit=200")
            assert page["traces"][0]["trace_id"] == f"t{i}"
            tagged = get(query, f"/v1/traces?tag={quote('env:prod')}")
            assert [t["trace_id"] for t in tagged["traces"]][:1] == ([f"t{(i - 8) // 10 * 10 + 8}"] if i >= 8 else [])
        assert get(query, "/v1/sessions")["total"] == 7
        assert get(query, "/v1/stats/top-costs?limit=1")["prompts"][0]["cost"] == 0.049


def test_a_long_trace_comes_whole_and_in_order() -> None:
    with short_home() as home, Store(home / "traces.db") as store:
        # sent in another order than that of their times
        store.put(
            *(stored_span(f"s{i}", "long", start_ns=START_NS + (i * 7 % 2_500) * SECOND, attributes={"i": i})
              for i in range(2_500))
        )  # fmt: skip
        with Process("query", home) as query:
            for light in ("", "?fields=light"):
                trace = get(query, f"/v1/traces/long{light}")
                assert trace["span_count"] == len(trace["spans"]) == 2_500
                starts = [span["start_time"] for span in trace["spans"]]
                assert starts == sorted(starts)
                assert {span["span_id"] for span in trace["spans"]} == {f"s{i}" for i in range(2_500)}
                if not light:
                    assert all(span["attributes"] == {"i": int(span["span_id"][1:])} for span in trace["spans"])
