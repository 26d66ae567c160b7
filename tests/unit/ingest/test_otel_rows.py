"""What comes with a span by OpenTelemetry: kept beside it, one origin for all that share it, and the tags it gives."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.interrupted import forget_unclaimed
from ingest.otlp.arrived import Otel
from ingest.traces import delete_trace, put_tags
from tests.unit.ingest.writing import Written, native

OTEL = Otel('{"kind":1}', '{"resource":{}}', '{"scope":{}}')


def arrival(span_id: str, otel: Otel | None = OTEL, **fields: Any) -> Any:
    span = {"trace_id": "t", "span_type": "custom", "name": span_id, "start_time": 1, "end_time": 2, "attributes": {}}
    (found,) = native({**span, "span_id": span_id, **fields})
    return msgspec.structs.replace(found, otel=otel)


def of(service: str | None, **fields: Any) -> Otel:
    return Otel("{}", f'{{"resource":{{"service":"{service}"}}}}', "{}", service=service, **fields)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path)


def kept(written: Written) -> list[Any]:
    return written.rows("SELECT s.span_id, x.otel FROM span_otel x JOIN spans s USING (span_row) ORDER BY s.span_id")


def test_a_native_span_has_no_row(written: Written) -> None:
    written.post({"span_id": "s", "trace_id": "t", "span_type": "custom", "name": "n", "start_time": 1})
    for table in ("span_otel", "origins", "trace_origins", "contents", "content_listeners"):
        assert written.rows(f"SELECT count(*) FROM {table}") == [(0,)]


def test_spans_of_one_resource_and_scope_share_an_origin_also_after_a_restart(written: Written) -> None:
    written.store(arrival("a"), arrival("b"))
    written.kept.clear()
    written.store(arrival("c"), arrival("d", trace_id="u"))
    assert written.rows("SELECT count(*) FROM origins") == [(1,)]
    assert written.rows("SELECT trace_row FROM trace_origins ORDER BY 1") == [(1,), (2,)]


def test_a_later_copy_replaces_it_and_the_same_again_is_no_change(written: Written) -> None:
    written.store(arrival("a"))
    seq = written.seq
    written.store(arrival("a"))
    assert written.seq == seq
    richer = Otel('{"kind":1,"events":[]}', OTEL.resource, OTEL.scope)
    written.store(arrival("a", richer))
    assert kept(written) == [("a", richer.text)]
    assert written.seq > seq  # an ETag must not hide it
    written.post({"span_id": "a", "trace_id": "t", "status": "error"})
    assert kept(written) == [("a", richer.text)]


def test_an_open_copy_never_replaces_what_came_with_the_end(written: Written) -> None:
    early = Otel('{"kind":2}', OTEL.resource, OTEL.scope)
    for order in ((False, True), (True, False)):
        for is_open in order:
            span_id = f"open-first-{order[0]}"
            written.store(arrival(span_id, early, end_time=None) if is_open else arrival(span_id))
    assert [text for _, text in kept(written)] == [OTEL.text, OTEL.text]


def test_an_origin_goes_with_its_last_trace(written: Written) -> None:
    written.store(arrival("a"), arrival("b", trace_id="u"))
    written.run(delete_trace("t"))
    written.run(forget_unclaimed)
    assert written.rows("SELECT count(*) FROM origins") == [(1,)]
    written.run(delete_trace("u"))
    written.run(forget_unclaimed)
    assert written.rows("SELECT count(*) FROM origins") == [(0,)]
    written.store(arrival("c"))
    assert written.rows(
        "SELECT o.resource FROM span_otel x JOIN origins o USING (origin_row) JOIN trace_origins USING (origin_row)"
    ) == [(OTEL.resource,)]


# ---------------------------------------------------------------- tags


@settings(max_examples=60, deadline=None)
@given(
    spans=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c"]),
            st.sampled_from([None, "a"]),
            st.integers(0, 3),
            st.sampled_from(["web", "worker", None, "native"]),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda one: one[0],
    ),
    seed=st.integers(0, 2**32),
)
def test_the_service_of_the_head_is_a_tag_in_any_order(spans: list[Any], seed: int, tmp_path_factory: Any) -> None:
    shuffle = random.Random(seed)
    found = []
    for _ in range(3):
        written = Written(tmp_path_factory.getbasetemp())
        arrivals = [
            arrival(span_id, None if service == "native" else of(service), parent_span_id=parent, start_time=start)
            for span_id, parent, start, service in shuffle.sample(spans, len(spans))
        ]
        while arrivals:
            size = shuffle.randint(1, 3)
            written.store(*arrivals[:size])
            del arrivals[:size]
        found.append(written.tags("t"))
        written.db.close()
    head = min(spans, key=lambda one: (one[1] is not None, one[2], one[0]))
    expected = {} if head[3] in (None, "native") else {"service.name": head[3]}
    assert found == [expected] * 3


def test_tags_that_somebody_edited_stay(written: Written) -> None:
    written.store(arrival("child", of("worker"), parent_span_id="root", start_time=5))
    assert written.tags("t") == {"service.name": "worker"}
    written.run(put_tags("t", {"mine": "x"}))
    written.store(arrival("root", of("web", tags={"env": "prod"})))
    assert written.tags("t") == {"mine": "x"}
    assert [t.tags for t in written.changes.traces_updated] == ['{"mine":"x"}']


def test_tags_of_an_instrumentation_come_at_first_sight(written: Written) -> None:
    written.store(arrival("a", of("web", tags={"env": "prod", "": "no", "long": "x" * 3_000})))
    assert written.tags("t") == {"service.name": "web", "env": "prod", "long": "x" * 2_000}
    written.store(arrival("b", of("web", tags={"env": "test", "more": "y"})))
    assert written.tags("t") == {"service.name": "web", "env": "prod", "long": "x" * 2_000, "more": "y"}


def test_an_export_brings_all_the_tags_its_trace_had(written: Written) -> None:
    written.store(arrival("a", of("web", tags={"env": "prod"}, tags_whole=True)), arrival("b", of("web")))
    assert written.tags("t") == {"env": "prod"}
    written.store(arrival("c", of("web"), start_time=0))
    assert written.tags("t") == {"env": "prod"}
    written.store(arrival("n", Otel("", "", "", tags_whole=True), trace_id="native"))
    assert written.tags("native") == {}
    assert written.rows("SELECT count(*) FROM span_otel") == [(3,)]
