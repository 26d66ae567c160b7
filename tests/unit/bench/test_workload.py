"""The workload is what figures are compared by: the same bytes on every machine, of the size that is said."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from itertools import pairwise
from statistics import mean

import msgspec
import pytest

from beacon.contract.requests import SpanInput
from tests.bench.workload import LARGE_TRACE, SMALL_TRACE, Workload, encode, make_trace, trace_id
from tests.processes import REPOSITORY

SEED = 7


PRINT_DIGEST = """
from hashlib import sha256
from tests.processes import REPOSITORY
from tests.bench.workload import Workload
print(sha256(b"".join(batch.body for batch in Workload(7).batches(500, 100))).hexdigest())
"""


def digest_in_a_new_process(hash_seed: str) -> str:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(REPOSITORY)}
    ran = subprocess.run([sys.executable, "-c", PRINT_DIGEST], env=env, capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def test_the_same_seed_gives_the_same_bytes_in_every_process() -> None:
    here = hashlib.sha256(b"".join(batch.body for batch in Workload(SEED).batches(500, 100))).hexdigest()
    assert {digest_in_a_new_process("0"), digest_in_a_new_process("1")} == {here}


def test_another_seed_gives_other_spans() -> None:
    assert {s.span_id for s in Workload(1).spans(300)}.isdisjoint(s.span_id for s in Workload(2).spans(300))


def test_spans_are_two_point_eight_kilobytes_on_average() -> None:
    sizes = [len(encode(span)) for span in Workload(SEED).spans(5_000)]
    assert 2_600 <= mean(sizes) <= 3_000
    assert max(sizes) < 20_000


def test_traces_have_two_to_five_hundred_spans_and_the_ones_that_are_read_twelve_and_five_hundred() -> None:
    lengths = [len(make_trace(SEED, index)) for index in range(200)]
    assert min(lengths) >= 2
    assert max(lengths) <= 500
    assert lengths[SMALL_TRACE] == 12
    assert lengths[LARGE_TRACE] == 500
    assert 8 <= mean(lengths) <= 16


@pytest.mark.parametrize("index", [0, SMALL_TRACE, LARGE_TRACE, 150])
def test_a_trace_is_whole_and_its_id_can_be_told_without_making_it(index: int) -> None:
    spans = make_trace(SEED, index)
    ids = [span.span_id for span in spans]
    assert {span.trace_id for span in spans} == {trace_id(SEED, index)}
    assert len(set(ids)) == len(ids)
    assert spans[0].parent_span_id is None
    for number, span in enumerate(spans[1:], 1):
        assert span.parent_span_id in ids[:number]
    assert all(earlier.start_time < later.start_time for earlier, later in pairwise(spans))
    assert all(span.start_time <= span.end_time for span in spans)


def test_batches_cut_the_stream_without_loss_or_repetition() -> None:
    workload = Workload(SEED)
    batches = workload.batches(250, 100) + workload.batches(60, 100)
    assert [len(batch.span_ids) for batch in batches] == [100, 100, 50, 60]
    in_bodies = [span["span_id"] for batch in batches for span in json.loads(batch.body)["spans"]]
    assert in_bodies == [span_id for batch in batches for span_id in batch.span_ids]
    assert in_bodies == [span.span_id for span in Workload(SEED).spans(310)]


def test_spans_are_what_the_contract_takes_and_of_every_type_the_generator_knows() -> None:
    spans = Workload(SEED).spans(2_000)
    for span in msgspec.json.decode(encode(spans), type=list[SpanInput]):
        assert span.span_id
    assert {span.span_type for span in spans} == {
        "agent_step",
        "llm_call",
        "tool_use",
        "chain",
        "file_operation",
        "shell_command",
    }
    calls = [span.attributes for span in spans if span.span_type == "llm_call"]
    for attributes in calls[:50]:
        assert json.loads(attributes["llm.prompt"])[0]["role"] == "system"
        assert attributes["llm.tokens.total"] == attributes["llm.tokens.input"] + attributes["llm.tokens.output"]
