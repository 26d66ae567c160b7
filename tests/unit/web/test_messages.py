"""What a 422 says: the place, what is wrong, and what it may be."""

from __future__ import annotations

import msgspec
import pytest

from beacon.contract.requests import ListTraces, PutTags, SpanInput
from beacon.web.application import split_location


@pytest.mark.parametrize(
    ("text", "model", "loc", "says"),
    [
        (b'{"span_id":"a/b"}', SpanInput, "span_id", "an id is 1 to 128 characters of A-Z a-z 0-9 . _ : -"),
        (b'{"span_id":"a","trace_id":"t","status":"x"}', SpanInput, "status", "it may be ok, error, unset"),
        (b'{"cursor":"x"}', ListTraces, "cursor", "next_cursor"),
        (b'{"tag":["x"]}', ListTraces, "tag[0]", "key:value"),
        (b'{"tags":{"":"x"}}', PutTags, "tags", "a key of it"),
        (b'{"tags":{"a":1}}', PutTags, "tags[...]", "must be text, not a whole number"),
        (b"{}", PutTags, "", "tags is missing"),
        (b'{"limit":201}', ListTraces, "limit", "must be at most 200"),
        (b'{"q":""}', ListTraces, "q", "may not be empty"),
        (b'{"since":"x"}', ListTraces, "since", "must be a number or null, not text"),
    ],
)
def test_a_wrong_value(text: bytes, model: type[msgspec.Struct], loc: str, says: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(text, type=model)
    message, place = split_location(str(caught.value))
    assert place == loc
    assert says in message
    assert "(?!" not in message
