"""Archives taken in: whole or not at all, seen by nobody before they are whole, and as they were exported."""

from __future__ import annotations

import asyncio
import itertools
import json
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from beacon.contract.records import ArchiveImported
from beacon.errors import BeaconError, StoreBusy
from beacon.store.connect import connect_reader
from beacon.store.landing import begin
from beacon.store.lookup import find_span_row
from ingest.archives import landing, staging
from ingest.archives.landing import land_some
from ingest.archives.lines import check_spans, read_line
from ingest.database import Transaction
from ingest.traces import Step, delete_older, put_tags
from query.changes import read_changes
from query.walk import Walk
from tests.unit.ingest.archiving import HEADER, Desk, line
from tests.unit.query.lane import lane

SPAN = {"span_id": "s", "trace_id": "mine", "span_type": "custom", "name": "live", "start_time": 2.0, "end_time": 3.0}


def traces(desk: Desk) -> list[str]:
    return [row for (row,) in desk.rows("SELECT trace_id FROM traces ORDER BY trace_row")]


# ---------------------------------------------------------------- as they were exported

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.", max_size=4), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
attributes = st.dictionaries(
    st.sampled_from(["llm.model", "llm.tokens.total", "llm.cost_usd", "session.id", "text", "ü"]), json_values
)
spans = st.fixed_dictionaries(
    {
        "span_id": st.sampled_from([f"s{n}" for n in range(8)]),
        "trace_id": st.sampled_from(["a", "b", "c"]),
        "span_type": st.sampled_from(["llm_call", "tool_use", "chain", "custom"]),
        "name": st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        "start_time": st.floats(0, 4e9),
        "attributes": attributes,
    },
    optional={
        "parent_span_id": st.sampled_from([f"s{n}" for n in range(8)]),
        "end_time": st.none() | st.floats(0, 4e9),
        "status": st.sampled_from(["ok", "error", "unset"]),
        "error_message": st.none() | st.text(max_size=8),
        "sdk_language": st.none() | st.sampled_from(["python", "go"]),
    },
)


@settings(max_examples=40, deadline=None)
@given(st.lists(spans, min_size=1, max_size=30), st.sampled_from([None, 1, 3]), st.booleans())
def test_what_is_imported_is_exported_the_same(posted: list[Any], spaces: int | None, tagged: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with Desk(Path(folder) / "one.db") as one:
            for span in posted:
                # attributes keep their text, line breaks between values included
                text = json.dumps(span["attributes"], indent=spaces, ensure_ascii=False)
                body = json.dumps({**span, "attributes": "HERE"}).replace('"HERE"', text)
                one.post_text(b'{"spans":[%b]}' % body.encode())
            if tagged:
                one.run(put_tags(posted[0]["trace_id"], {"env": "prod", "ü": '"'}))
            exported = one.export()
            texts = one.rows("SELECT attributes FROM span_attributes ORDER BY 1")
        with Desk(Path(folder) / "two.db") as two:
            done = two.take([HEADER, exported])
            assert done == ArchiveImported(len(exported.splitlines()), len(texts), 0)
            assert two.export() == exported
            assert two.rows("SELECT attributes FROM span_attributes ORDER BY 1") == texts
            assert two.left_over() == {}


def test_a_long_line_may_come_in_parts_cut_anywhere(tmp_path: Path) -> None:
    nested = {"span_type": "llm_call", "attributes": {"llm.tokens.total": 10, "llm.cost_usd": 0.5}}
    whole = json.loads(line("t", *(f"s{n}" for n in range(9)), tags={"k": "v"}, **nested))
    for n, span in enumerate(whole["spans"][1:]):
        span["parent_span_id"] = f"s{n}"
    with Desk(tmp_path / "one.db") as one:
        one.take([HEADER, json.dumps(whole).encode()])
        expected = one.export()
    summary = json.loads(expected)["trace"]
    assert (summary["total_tokens"], summary["span_count"], summary["created_at"]) == (10, 9, 1_700_000_000.25)
    parts = [{**whole, "more": at < 6, "spans": whole["spans"][at : at + 3]} for at in range(0, 9, 3)]
    text = HEADER + b"".join(json.dumps(part).encode() + b"\n" for part in parts) + line("u")
    with Desk(tmp_path / "two.db") as two:
        two.take(text[at : at + 7] for at in range(0, len(text), 7))
        assert two.export().splitlines(keepends=True)[0] == expected
        assert traces(two) == ["t", "u"]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"not json\n", "Line 1: this is no archive"),
        (line("t"), "Line 1: this is no archive that `beacon export` wrote. It is one trace"),
        (
            b'{"format":"beacon-archive","version":2,"beacon":"9.0"}\n',
            r"Line 1: this archive has format version 2 \(Beacon 9.0 wrote it\), and this Beacon, .*reads up to 1",
        ),
        (HEADER + line("t") + b"{oops\n", "Line 3: this is not valid JSON"),
        (HEADER + line("t") + line("u")[:-9], "Line 3: this is not valid JSON"),
        (HEADER + line("t").replace(b'"1"', b'"2"'), "Line 2: this is not a trace of format"),
        (HEADER + line("t", "a", "b", "a"), r"Line 2: spans\[2\].span_id: a stands in this export twice"),
        (HEADER + line("t", start_time=-1), r"Line 2: .*start_time"),
        (HEADER + line("t") + line("u") + line("t"), "Line 4: trace t stands in this archive twice"),
        (HEADER + line("t") + line("mine"), "Line 3: trace mine is stored already; nothing was imported.*--skip-ex"),
        (HEADER + line("t").replace(b'"spans"', b'"more":true,"spans"'), "Line 2: the archive ends in the middle"),
        (HEADER + line("t", otel={"resource": 1, "scope": {}, "span": {}}), "Line 2: .*otel"),
        (HEADER + line("t", attributes={"a": 1}).replace(b': 1}', b': 1e999}'), "Line 2: .*64-bit"),
    ],
)  # fmt: skip
def test_a_bad_archive_is_refused_with_its_line_and_leaves_nothing(tmp_path: Path, body: bytes, said: str) -> None:
    with Desk(tmp_path / "t.db") as desk:
        desk.post(SPAN)
        before = desk.export()
        with pytest.raises(BeaconError, match=said) as refused:
            desk.take([body])
        assert refused.value.status in (400, 409, 422)
        desk.swept()
        assert desk.export() == before
        assert desk.left_over() == {}


def test_an_imported_trace_is_as_old_as_it_was(tmp_path: Path) -> None:
    with Desk(tmp_path / "t.db") as desk:
        desk.post(SPAN)  # younger, and stored before
        desk.take([HEADER, line("old")])
        assert desk.run(delete_older(1_750_000_000 * 10**9)) == Step(1, None)
        assert traces(desk) == ["mine"]


def test_existing_traces_are_skipped_where_that_is_asked_for(tmp_path: Path) -> None:
    with Desk(tmp_path / "t.db") as desk:
        desk.post(SPAN)
        body = [HEADER, line("t", "a", "b"), line("mine", "x"), line("u")]
        assert desk.take(body, skip_existing=True) == ArchiveImported(2, 3, 1)
        assert desk.take(body, skip_existing=True) == ArchiveImported(0, 0, 3)
        assert traces(desk) == ["mine", "t", "u"]
        assert desk.rows("SELECT name FROM spans WHERE trace_row = 1") == [("live",)]
        desk.swept()
        assert desk.left_over() == {}


@pytest.mark.parametrize("skip", [False, True])
def test_a_trace_that_agents_send_meanwhile_stays_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skip: bool
) -> None:
    monkeypatch.setattr("ingest.archives.handlers.STEP_SPANS", 1)
    with Desk(tmp_path / "t.db") as desk:
        chunks = [HEADER, line("t", "a"), line("u"), b"", line("v")]

        async def send(count: int) -> None:
            if count == 4:
                assert desk.rows("SELECT count(*) FROM spans") == [(2,)]  # t and u are staged
                assert traces(desk) == []
                await desk.submit(body_of({**SPAN, "trace_id": "t"}))

        if skip:
            assert desk.take(chunks, skip_existing=True, between=send) == ArchiveImported(2, 2, 1)
            assert traces(desk) == ["u", "v", "t"]
        else:
            with pytest.raises(BeaconError, match="trace t is stored already"):
                desk.take(chunks, between=send)
            desk.swept()
            assert traces(desk) == ["t"]
        assert desk.rows("SELECT s.name FROM spans s JOIN traces USING (trace_row) WHERE trace_id = 't'") == [("live",)]
        assert desk.left_over() == {}


def body_of(*given: dict[str, Any]) -> bytes:
    return json.dumps({"spans": given}).encode()


# ---------------------------------------------------------------- seen by nobody before they are whole


def stage(desk: Desk, *trace_ids: str) -> staging.Staging:
    """An import on its way with these traces."""
    one = staging.Staging(skip_existing=False)
    desk.run(staging.begin(one, set()))
    parts = []
    for trace_id in trace_ids:
        read = read_line(line(trace_id, "staged", "b"))
        trace = staging.OpenTrace(2, read.trace)
        one.trace_rows[hash(trace_id)] = 0
        parts.append(staging.part_of(trace, list(check_spans(read, trace.seen, 0)), last=True))
    desk.run(staging.stage(one, parts), staged=True)
    return one


def seen(desk: Desk) -> list[str]:
    with closing(connect_reader(desk.path)) as db:
        begin(db)
        found = [row for (row,) in db.execute("SELECT trace_id FROM traces t ORDER BY trace_row")]
        assert find_span_row(db, "staged") is None or "t0" in found
        epoch_seq = db.execute("SELECT seq FROM counters").fetchone()[0]
        read_changes(db, epoch_seq)
        return found


def land_step(tx: Transaction) -> bool:
    return land_some(tx.db, tx.counters)


def test_staged_spans_are_found_by_no_read_and_swept(tmp_path: Path) -> None:
    with Desk(tmp_path / "t.db") as desk:
        desk.post(SPAN)
        before = desk.export()
        (seq,) = desk.rows("SELECT seq FROM counters")[0]
        stage(desk, *(f"t{n}" for n in range(5)))
        assert seen(desk) == ["mine"]
        assert desk.export() == before
        desk.post({**SPAN, "span_id": "s1"})
        stage(desk, "t5")  # after a change that is asked for below
        desk.post({**SPAN, "span_id": "s2"})
        with closing(connect_reader(desk.path)) as db:
            begin(db)
            told = read_changes(db, seq)
        assert b"s1" in told
        assert b"s2" in told
        assert b"staged" not in told
        desk.swept()
        assert desk.left_over() == {}
        assert desk.rows("SELECT count(*) FROM spans") == [(3,)]


def test_traces_that_land_are_seen_all_at_once_also_after_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "LAND_TRACES", 2)
    expected = [f"t{n}" for n in range(5)]
    with Desk(tmp_path / "t.db") as desk:
        one = stage(desk, *expected)
        with closing(connect_reader(desk.path)) as reader:
            assert begin(reader) == 0
            reader.execute("COMMIT")
            assert desk.run(staging.decide(one)) == []
            assert not desk.run(land_step)
            assert len(traces(desk)) == 2  # in the file; but
            assert seen(desk) == []
            assert desk.export() == b""
            begin(reader)  # a connection that was open before hides them, too
            assert reader.execute("SELECT count(*) FROM traces").fetchone() == (0,)
            reader.execute("COMMIT")
            assert desk.rows("SELECT trace_count, span_count FROM counters") == [(0, 0)]
            desk.close()
            with Desk(desk.path) as again:
                assert seen(again) == expected
                assert begin(reader) == 1
                assert reader.execute("SELECT count(*) FROM traces").fetchone() == (5,)
                assert again.rows("SELECT trace_count, span_count FROM counters") == [(5, 10)]
                assert again.left_over() == {}
                (seq, floor) = again.rows("SELECT seq, tombstone_floor FROM counters")[0]
                assert floor == seq  # who follows asks anew


def test_commands_wait_while_an_import_lands_and_its_traces_take_no_spans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(landing, "LAND_TRACES", 1)
    with Desk(tmp_path / "t.db") as desk:
        one = stage(desk, "t0", "t1", "t2")
        steps = itertools.count()
        answers: list[Any] = []

        async def both() -> None:
            loop = asyncio.get_running_loop()

            def slow(db: Any, counters: Any) -> bool:
                if next(steps) == 1:  # t0 is in
                    asyncio.run_coroutine_threadsafe(meanwhile(), loop).result(10)
                return land_some(db, counters)

            async def meanwhile() -> None:
                answers.append(asyncio.ensure_future(desk.submit(body_of({**SPAN, "trace_id": "t0"}))))
                answers.append(asyncio.ensure_future(desk.submit(body_of(SPAN))))
                answers.append(asyncio.ensure_future(desk.writer.run(delete_older(2**62))))
                await asyncio.sleep(0)
                await asyncio.sleep(0)

            monkeypatch.setattr("ingest.writer.land_some", slow)
            await desk.writer.land(staging.decide(one), one.trace_rows.keys())

        desk.runner.run(both())

        async def told() -> list[Any]:
            return await asyncio.gather(*answers, return_exceptions=True)

        refused, stored, deleted = desk.runner.run(told())
        assert isinstance(refused, StoreBusy)
        assert stored.accepted == 1
        assert deleted == Step(4, None)  # it waited, and found all of the import
        assert traces(desk) == []
        assert desk.left_over() == {}


def test_what_came_by_opentelemetry_and_a_walk_over_a_landing(tmp_path: Path) -> None:
    said = {
        "resource": {"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}},
        "scope": {"scope": {"name": "lib", "version": "1"}},
        "span": {
            "kind": 3,
            "events": [{"timeUnixNano": "1500000000000000001", "name": "e", "attributes": []}],
            "links": [{"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331"}],
        },
        "start_ns": "1500000000",
    }
    with Desk(tmp_path / "one.db") as one:
        one.take([HEADER, line("t", "a", "b", tags={"service.name": "shop"}, otel=said), line("u")])
        exported = one.export()
        assert json.loads(exported.splitlines()[0])["spans"][0]["otel"]["span"] == said["span"]
    with Desk(tmp_path / "two.db") as two:
        two.take([HEADER, exported])
        assert two.export() == exported
        assert two.rows("SELECT count(*) FROM origins") == [(1,)]
        seen_parts: list[int] = []
        waiting = stage(two, "t8", "t9")

        def walked(walk: Walk) -> list[int]:
            counts = []
            for _ in range(2):
                with walk.snapshot() as db:
                    counts.append(db.execute("SELECT count(*) FROM traces").fetchone()[0])
                if not seen_parts:
                    two.run(staging.decide(waiting))
                    two.run(land_step)
                seen_parts.append(counts[-1])
            return counts

        with lane(two.path) as reads:
            assert reads.walk(walked) == [4, 4]  # and not [2, 4]
