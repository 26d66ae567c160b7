from __future__ import annotations

import pytest

from replay_worker.providers.errors import MESSAGE_MAX, message_in
from tests.unit.replay_worker.providers.reading import answer


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (answer("openai_chat_error"), "Rate limit reached for gpt-4o on tokens per min."),
        (answer("anthropic_error"), "Overloaded"),
        (answer("google_error"), "The model is overloaded. Please try again later."),
        (b'[{"error": {"message": "in a list"}}]', "in a list"),
        (b'{"error": "model \'x\' not found"}', "model 'x' not found"),
        (b'{"detail": [{"loc": ["body"], "msg": "field required"}]}', "field required"),
        (b'{"object": "error", "message": "too long", "code": 400}', "too long"),
        (b"<html><head><style>a{}</style></head>\n<h1>502 Bad Gateway</h1></html>", "502 Bad Gateway"),
        (b"", "it said nothing more"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"error": {"message": "two\\nlines\\u0000"}}', "two lines"),
    ],
)
def test_a_providers_own_words(body: bytes, said: str) -> None:
    assert message_in(body) == said


def test_words_are_trimmed() -> None:
    assert len(message_in(b"x" * 100_000)) == MESSAGE_MAX
