"""Base URLs: what may be one, in which spelling, and which of them stay on this machine."""

from __future__ import annotations

import pytest

from beacon.base_url import parse_base_url
from beacon.errors import BadRequest


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        (" HTTPS://API.OpenAI.com:443/v1// ", "https://api.openai.com/v1"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:443", "http://localhost:443"),
        ("http://[0:0:0:0:0:0:0:1]:8000/v1", "http://[::1]:8000/v1"),
        (
            "https://x.openai.azure.com/openai/deployments/gpt-4o",
            "https://x.openai.azure.com/openai/deployments/gpt-4o",
        ),
        ("http://my_container:8000/v1", "http://my_container:8000/v1"),
    ],
)
def test_one_place_has_one_spelling(text: str, normal: str) -> None:
    assert parse_base_url(text).text == normal
    assert parse_base_url(normal).text == normal


@pytest.mark.parametrize(
    "text",
    [
        "", "api.openai.com/v1", "ftp://host", "file:///etc/passwd", "javascript:alert(1)", "http://", "http:///v1",
        "http://user@host/v1", "http://user:secret@host/v1", "http://@host", "http://host/v1?key=secret",
        "http://host/v1#secret", "http://host/v1?", "http://host:0", "http://host:99999", "http://host:port",
        "http://ho st/v1", "http://host/v 1", "http://host\\@evil.example/v1", "http://höst/v1", "http://host/\nv1",
        "http://[::1", "http://[host]/", "http://[::1%25eth0]/", "http://127.1/", "http://0x7f000001/", "http://2130706433/",
        "http://-host/", "http://a..b/", "http://host/v1/../admin", "http://host/./v1", "http://" + "a" * 2_000,
        "http://host//v1",
    ],
)  # fmt: skip
def test_what_cannot_be_one_is_a_bad_request_that_does_not_repeat_it(text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_base_url(text, "OPENAI_BASE_URL")
    assert refused.value.detail.startswith("OPENAI_BASE_URL ")
    assert "secret" not in refused.value.detail
    assert refused.value.detail.endswith(".")


@pytest.mark.parametrize(
    ("text", "loopback", "own_network"),
    [
        ("http://localhost:11434/v1", True, True),
        ("http://127.0.0.1/v1", True, True),
        ("http://127.255.255.254/v1", True, True),
        ("http://[::1]:1/v1", True, True),
        ("http://192.168.1.20:8000", False, True),
        ("http://10.0.0.1", False, True),
        ("http://[fd00::1]", False, True),
        ("http://host.docker.internal:11434/v1", False, True),
        ("http://ollama:11434/v1", False, True),
        ("http://nas.local/v1", False, True),
        ("http://0.0.0.0/v1", False, False),
        ("http://8.8.8.8/v1", False, False),
        ("https://api.openai.com/v1", False, False),
        ("http://localhost.evil.example/v1", False, False),
        ("http://127.0.0.1.evil.example/v1", False, False),
        ("http://evil.example/localhost", False, False),
        ("http://localhost./v1", False, False),
    ],
)
def test_where_it_leads(text: str, loopback: bool, own_network: bool) -> None:
    parsed = parse_base_url(text)
    assert (parsed.loopback, parsed.own_network) == (loopback, own_network)


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("", True),
        ("/v1", True),
        ("/openai/v1beta-2", True),
        ("/%2e%2e/admin", False),
        ("/v1;x", False),
        ("/.git", False),
    ],
)
def test_a_plain_path_is_read_alike_by_every_server(path: str, plain: bool) -> None:
    assert parse_base_url(f"http://localhost{path}").plain is plain
