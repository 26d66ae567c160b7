from __future__ import annotations

import pytest

from beacon.contract.operations import INTERNAL, PUBLIC, owned_by
from beacon.contract.routing import Routes
from beacon.errors import MethodNotAllowed, NotFound

ROUTES = Routes(PUBLIC)


@pytest.mark.parametrize(
    ("method", "path", "name", "params"),
    [
        ("POST", "/v1/spans", "post_spans", {}),
        ("GET", "/v1/spans/a.b:c-1", "get_span", {"span_id": "a.b:c-1"}),
        ("GET", "/v1/traces/export", "export_traces", {}),
        ("GET", "/v1/traces/baseline", "get_baseline", {}),
        ("GET", "/v1/traces/t1", "get_trace", {"trace_id": "t1"}),
        ("HEAD", "/v1/traces/t1", "get_trace", {"trace_id": "t1"}),
        ("DELETE", "/v1/traces/t1", "delete_trace", {"trace_id": "t1"}),
        ("GET", "/v1/traces/t%2F1", "get_trace", {"trace_id": "t/1"}),
        ("GET", "/v1/traces/t1/export", "export_trace", {"trace_id": "t1"}),
        ("POST", "/v1/traces", "otlp_traces", {}),
        ("POST", "/", "otlp_traces", {}),
        ("POST", "/otel/v1/traces", "otlp_traces", {}),
        ("POST", "/v1/otel/v1/traces", "otlp_traces", {}),
        ("POST", "/v1/otel/v1/logs", "otlp_logs", {}),
        ("POST", "/otel/v1/metrics", "otlp_metrics", {}),
        ("POST", "/v1/otlp/traces", "otlp_traces_older", {}),
    ],
)
def test_matches(method: str, path: str, name: str, params: dict[str, str]) -> None:
    operation, found = ROUTES.match(method, path)
    assert (operation.name, found) == (name, params)


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/otlp", "/v1/spans/", "/v1/traces/t1/", "/v1//t1", "/v2/spans", "/v1/traces/a/b/c"]
)
def test_no_such_path(path: str) -> None:
    with pytest.raises(NotFound):
        ROUTES.match("GET", path)


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/v1/spans", ("POST",)),
        ("PUT", "/v1/traces", ("DELETE", "GET", "POST")),
        ("GET", "/v1/logs", ("POST",)),
        ("PUT", "/v1/traces/t", ("DELETE", "GET")),
    ],
)
def test_a_wrong_method_names_the_right_ones(method: str, path: str, allow: tuple[str, ...]) -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        ROUTES.match(method, path)
    assert caught.value.allow == allow


def test_internal_operations_are_not_public() -> None:
    for operation in INTERNAL:
        with pytest.raises(NotFound):
            ROUTES.match(operation.method, operation.path)


def test_every_operation_has_one_owner_and_a_name_of_its_own() -> None:
    names = [op.name for owner in ("ingest", "query", "hub") for op in owned_by(owner)]
    assert sorted(names) == sorted({op.name for op in PUBLIC + INTERNAL})
