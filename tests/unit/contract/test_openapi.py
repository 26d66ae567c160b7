from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from beacon.contract.examples import BODIES
from beacon.contract.openapi import openapi, openapi_json
from beacon.contract.operations import PUBLIC

COMMITTED = Path(__file__).parents[3] / "openapi.json"


def test_the_committed_document_is_the_one_the_code_makes() -> None:
    assert COMMITTED.read_bytes() == openapi_json(), (
        "openapi.json has drifted: run `python -m beacon.contract.openapi > openapi.json` and look at the difference"
    )


def test_every_operation_stands_in_it_with_its_errors() -> None:
    document = openapi()
    stated = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(stated) == {(op.method, op.path) for op in PUBLIC}
    for op in PUBLIC:
        operation = stated[op.method, op.path]
        assert operation["operationId"] == op.name
        assert {str(s) for s in op.errors} | {str(op.success), "default"} <= set(operation["responses"])
        assert ("requestBody" in operation) == (op.body is not None)
        in_path = {p["name"] for p in operation.get("parameters", ()) if p["in"] == "path"}
        assert all(f"{{{name}}}" in op.path for name in in_path)
        assert op.path.count("{") == len(in_path)
        if op.query is not None:
            named = {p["name"] for p in operation["parameters"] if p["in"] == "query"}
            assert named == {f.encode_name for f in msgspec.structs.fields(op.query)}


def test_every_query_parameter_says_what_it_means_and_has_an_example_where_it_is_required() -> None:
    for path, methods in openapi()["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query":
                    assert parameter.get("description"), (path, parameter["name"])
                    assert "examples" in parameter["schema"] or not parameter["required"], (path, parameter["name"])


def test_the_document_has_no_word_of_the_inside() -> None:
    assert b"UNSET" not in openapi_json()


def test_an_export_lists_its_formats() -> None:
    paths = openapi()["paths"]
    for path, formats in (("/v1/traces/{trace_id}/export", ["json", "otel", "csv"]), ("/v1/traces/export", ["json"])):
        (parameter,) = (p for p in paths[path]["get"]["parameters"] if p["name"] == "format")
        assert parameter["schema"]["enum"] == formats


def test_every_reference_leads_somewhere() -> None:
    document = openapi()

    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "$ref":
                    yield value
                else:
                    yield from references(value)
        elif isinstance(node, list):
            for item in node:
                yield from references(item)

    found = set(references(document))
    assert found
    for reference in found:
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
        assert node


def test_operation_ids_are_unique_and_the_document_is_plain_json() -> None:
    names = [op.name for op in PUBLIC]
    assert len(set(names)) == len(names)
    assert json.loads(openapi_json())["openapi"] == "3.1.0"
    assert openapi_json() == openapi_json()


@pytest.mark.parametrize("operation", [op for op in PUBLIC if op.body is not None], ids=lambda op: op.name)
def test_every_body_has_an_example_that_decodes(operation: Any) -> None:
    decoded = msgspec.json.decode(msgspec.json.encode(BODIES[operation.name]), type=operation.body)
    assert isinstance(decoded, operation.body)


def test_there_is_no_example_of_nothing() -> None:
    assert set(BODIES) == {op.name for op in PUBLIC if op.body is not None}
