from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from beacon.config import Settings
from beacon.contract import otlp
from hub.guard import Policy, Verdict, host_allowed, is_own, judge

POLICY = Policy(
    frozenset({"beacon.lan", "box:8080", "[fd00::1]"}),
    frozenset({"http://localhost:5173", "https://ui.example"}),
    None,
)
SECRET = POLICY._replace(token=b"s3cret")


def ask(
    method: str = "GET",
    path: bytes = b"/v1/traces",
    *,
    policy: Policy = POLICY,
    host: str = "localhost:7474",
    websocket: bool = False,
    **fields: str,
) -> Verdict:
    headers = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in fields.items()]
    return judge(policy, method, path, [(b"host", host.encode()), *headers], websocket=websocket)


def status(verdict: Verdict) -> int:
    return verdict.refusal.status if verdict.refusal else 200


def allowed_origin(verdict: Verdict) -> bytes | None:
    return dict(verdict.preflight or verdict.headers).get(b"access-control-allow-origin")


# ---------------------------------------------------------------- Host


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "localhost:7474", "LocalHost:1", "127.0.0.1", "127.0.0.1:7474", "127.8.9.1:80", "[::1]",
        "[::1]:7474", "[0:0:0:0:0:0:0:1]:7474", "beacon.lan", "Beacon.LAN:9", "box:8080", "[fd00::1]:7474",
    ],
)  # fmt: skip
def test_names_of_this_machine_and_allowed_ones_are_answered(host: str) -> None:
    assert status(ask(host=host)) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example", "evil.example:7474", "localhost.evil.example", "evil.localhost", "127.0.0.1.evil.example",
        "127.0.0.1.nip.io", "localhost.", "box", "box:9090", "192.168.1.2", "0.0.0.0", "128.0.0.1", "127.1",
        "0x7f000001", "2130706433", "0177.0.0.1", "[::]", "[fe80::1]", "::1", "localhost:", "localhost:7474:7474",
        "user@localhost", "localhost/", "localhost#", "[::1", "[::ffff:127.0.0.1]", "localhost:123456", "a b",
    ],
)  # fmt: skip
def test_other_names_are_refused_whatever_they_resolve_to(host: str) -> None:
    verdict = ask(host=host)
    assert status(verdict) == 403
    assert verdict.refusal is not None
    assert "BEACON_ALLOWED_HOSTS" in verdict.refusal.detail


def test_a_request_names_its_host_exactly_once() -> None:
    assert status(judge(POLICY, "GET", b"/", [])) == 400
    assert status(ask(host="")) == 400
    twice = [(b"host", b"localhost"), (b"host", b"localhost")]
    assert status(judge(POLICY, "GET", b"/", twice)) == 400


def test_the_address_the_user_bound_is_allowed_but_not_the_wildcard() -> None:
    def policy(host: str) -> Policy:
        folder = Path("/h")
        return Policy.of(
            Settings(home=folder, db_path=folder, run_dir=folder, host=host, token="t", allowed_hosts=("Mine.Lan",))
        )

    assert host_allowed(policy("192.168.1.2"), "192.168.1.2:7474")
    assert host_allowed(policy("fd00::2"), "[fd00::2]:7474")
    assert host_allowed(policy("0.0.0.0"), "mine.lan:1")
    assert not host_allowed(policy("0.0.0.0"), "0.0.0.0:7474")


# ---------------------------------------------------------------- Origin

CHANGES: list[dict[str, Any]] = [
    {"method": "POST", "path": b"/v1/traces/import"},
    {"method": "PUT", "path": b"/v1/traces/t/tags"},
    {"method": "DELETE"},
    {"method": "PATCH"},
    {"websocket": True, "path": b"/ws/live"},
]


@pytest.mark.parametrize("change", CHANGES)
def test_changes_and_the_websocket_are_for_beacons_own_pages_and_listed_ones(change: dict[str, Any]) -> None:
    assert status(ask(**change)) == 200  # no browser
    assert status(ask(**change, origin="http://localhost:7474")) == 200
    assert status(ask(**change, origin="http://localhost:5173")) == 200
    assert status(ask(**change, origin="https://ui.example")) == 200
    for foreign in (
        "null", "http://evil.example", "http://localhost", "http://localhost:3000", "http://127.0.0.1:7474", "https://ui.example:8443",
        "http://ui.example", "file://", "", "chrome-extension://abc", "http://localhost:7474.evil.example",
    ):  # fmt: skip
        verdict = ask(**change, origin=foreign)
        assert status(verdict) == 403, foreign
        assert allowed_origin(verdict) is None


def test_any_page_of_this_machine_may_post_spans_and_nothing_else() -> None:
    for origin in ("http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080", "http://127.9.9.9:1"):
        verdict = ask("POST", b"/v1/spans", origin=origin)
        assert status(verdict) == 200
        assert allowed_origin(verdict) == origin.encode()
        assert status(ask("POST", b"/v1/traces/import", origin=origin)) == 403
        assert status(ask("PUT", b"/v1/spans", origin=origin)) == 403
    for origin in ("null", "http://evil.example", "http://localhost.evil.example", "ftp://localhost"):
        assert status(ask("POST", b"/v1/spans", origin=origin)) == 403


def test_a_foreign_page_gets_no_leave_to_read() -> None:
    for origin in ("http://evil.example", "null", "http://localhost:3000"):
        verdict = ask(origin=origin)
        assert status(verdict) == 200  # its browser keeps the answer from it
        assert allowed_origin(verdict) is None


OTHER_SITE: dict[str, Any] = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors", "sec_fetch_dest": "image"}
LINK: dict[str, Any] = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}


@pytest.mark.parametrize("path", [b"/v1/models", b"/v1/traces", b"/health", b"/docs", b"/", b"/assets/a/b.js"])
def test_another_sites_page_cannot_even_ask(path: bytes) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        for fields in (OTHER_SITE, OTHER_SITE | {"origin": "http://evil.example"}, OTHER_SITE | {"origin": "null"}):
            verdict = ask(method, path, **fields)
            assert status(verdict) == 403
            assert allowed_origin(verdict) is None
            assert verdict.refusal is not None
            assert "BEACON_CORS_ORIGINS" in verdict.refusal.detail
    for site in ("same-origin", "same-site", "none"):
        assert status(ask(path=path, **OTHER_SITE | {"sec_fetch_site": site})) == 200


def test_a_link_leads_to_a_page_and_not_to_the_api() -> None:
    for path in (b"/", b"/docs", b"/traces/t1"):
        assert status(ask(path=path, **LINK)) == 200
        assert status(ask(path=path, **LINK | {"sec_fetch_dest": "iframe"})) == 403
        assert status(ask(path=path, **LINK | {"sec_fetch_mode": "cors"})) == 403
        assert status(ask("POST", path, **LINK)) == 403
    for path in (b"/v1/models", b"/v1/traces/t1/export"):
        assert status(ask(path=path, **LINK)) == 403
        assert status(ask(path=path, **LINK | {"sec_fetch_site": "none"})) == 200


def test_a_listed_page_of_another_site_may_ask_and_a_local_one_may_post_spans() -> None:
    cors = OTHER_SITE | {"sec_fetch_mode": "cors", "sec_fetch_dest": "empty"}
    assert status(ask(**cors, origin="https://ui.example")) == 200
    assert status(ask("DELETE", **cors, origin="https://ui.example")) == 200
    assert status(ask(**cors, origin="http://localhost:3000")) == 403
    for path in (b"/v1/spans", b"/v1/traces"):
        assert status(ask("POST", path, **cors, origin="http://localhost:3000")) == 200
        preflight = ask("OPTIONS", path, **cors, origin="http://localhost:3000", access_control_request_method="POST")
        assert preflight.preflight is not None
        assert status(ask("POST", path, **cors)) == 403
    socket: dict[str, Any] = {
        "websocket": True,
        "path": b"/ws/live",
        "sec_fetch_site": "cross-site",
        "sec_fetch_mode": "websocket",
    }
    assert status(ask(**socket, origin="https://ui.example")) == 200
    assert status(ask(**socket)) == 403


def test_a_listed_page_may_read_and_the_answer_says_it_depends_on_the_origin() -> None:
    verdict = ask(origin="http://localhost:5173")
    assert allowed_origin(verdict) == b"http://localhost:5173"
    for other in (ask(), ask(origin="http://evil.example"), verdict, ask(host="evil.example")):
        assert (b"vary", b"Origin") in other.headers
        assert (b"x-content-type-options", b"nosniff") in other.headers
        assert b"*" not in dict(other.headers).values()


def test_errors_can_be_read_by_a_listed_page_too() -> None:
    verdict = ask(policy=SECRET, origin="http://localhost:5173")
    assert status(verdict) == 401
    assert allowed_origin(verdict) == b"http://localhost:5173"


def test_own_means_the_very_host_and_port_that_is_asked() -> None:
    assert is_own("http://localhost:7474", "localhost:7474")
    assert is_own("http://localhost", "localhost:80")
    assert is_own("https://beacon.lan", "beacon.lan")
    assert is_own("http://[::1]:7474", "[::1]:7474")
    assert not is_own("http://localhost:7475", "localhost:7474")
    assert not is_own("http://localhost", "localhost:7474")
    assert not is_own("null", "localhost:7474")


# ---------------------------------------------------------------- preflight


def test_a_preflight_is_answered_for_listed_pages_and_for_spans_of_local_ones() -> None:
    listed = ask("OPTIONS", origin="http://localhost:5173", access_control_request_method="DELETE")
    assert listed.preflight is not None
    answered = dict(listed.preflight)
    assert answered[b"access-control-allow-origin"] == b"http://localhost:5173"
    assert b"DELETE" in answered[b"access-control-allow-methods"]
    assert b"authorization" in answered[b"access-control-allow-headers"]
    spans = ask("OPTIONS", b"/v1/spans", origin="http://localhost:3000", access_control_request_method="POST")
    assert dict(spans.preflight or ())[b"access-control-allow-methods"] == b"POST"
    for path in otlp.PATHS:
        spans = ask("OPTIONS", path, origin="http://localhost:3000", access_control_request_method="POST")
        assert dict(spans.preflight or ())[b"access-control-allow-methods"] == b"POST", path
    for path, method, origin in [
        (b"/v1/spans", "PUT", "http://localhost:3000"),
        (b"/v1/traces", "DELETE", "http://localhost:3000"),
        (b"/v1/traces", "POST", "http://evil.example"),
        (b"/v1/replay", "POST", "http://localhost:3000"),
        (b"/v1/spans", "POST", "http://evil.example"),
        (b"/v1/traces", "GET", "http://evil.example"),
        (b"/v1/traces", "GET", "null"),
    ]:
        refused = ask("OPTIONS", path, origin=origin, access_control_request_method=method)
        assert (status(refused), refused.preflight, allowed_origin(refused)) == (403, None, None)


def test_a_preflight_carries_no_token() -> None:
    verdict = ask("OPTIONS", policy=SECRET, origin="http://localhost:5173", access_control_request_method="GET")
    assert verdict.preflight is not None


# ---------------------------------------------------------------- the token


def test_with_a_token_everything_needs_it() -> None:
    for request in (*CHANGES, {"path": b"/health"}, {"path": b"/docs"}, {"method": "OPTIONS"}):
        assert status(ask(policy=SECRET, **request)) == 401
        assert status(ask(policy=SECRET, **request, authorization="Bearer s3cret")) == 200
        assert status(ask(policy=SECRET, **request, authorization="bearer  s3cret")) == 200
        for wrong in ("Bearer s3cre", "Bearer s3cret2", "Bearer", "Basic s3cret", "s3cret", "Bearer S3CRET"):
            assert status(ask(policy=SECRET, **request, authorization=wrong)) == 401, wrong
    twice = [(b"host", b"localhost"), (b"authorization", b"Bearer x"), (b"authorization", b"Bearer s3cret")]
    assert status(judge(SECRET, "GET", b"/", twice)) == 400


def test_the_page_that_asks_for_the_token_needs_none() -> None:
    """A browser that goes to an address sends no token; the page and its files hold no data."""
    for path in (b"/", b"/traces/t1", b"/traces/a%3Ab", b"/assets/0123/app.js"):
        assert status(ask(path=path, policy=SECRET)) == 200
        assert status(ask("HEAD", path, policy=SECRET)) == 200
        assert status(ask("POST", path, policy=SECRET)) == 401
        assert status(ask(path=path, policy=SECRET, websocket=True)) == 401
        assert status(ask(path=path, policy=SECRET, host="evil.example")) == 403
    for path in (
        b"/v1/traces", b"/v1/traces/t1", b"//v1/traces", b"/traces", b"/traces/", b"/traces/t1/export", b"/traces//v1",
        b"/traces/..%2fv1%2ftraces", b"/assets/../v1/traces", b"/assets/%2e%2e/v1/traces", b"/assets", b"/docs",
        b"/openapi.json", b"/health", b"/metrics", b"/ws/live", b"/assetsx/a", b"/traces/\\..\\v1",
    ):  # fmt: skip
        assert status(ask(path=path, policy=SECRET)) == 401, path


def test_a_browsers_websocket_may_carry_the_token_as_a_subprotocol() -> None:
    def offer(value: str, websocket: bool = True) -> int:
        return status(ask(policy=SECRET, websocket=websocket, path=b"/ws/live", sec_websocket_protocol=value))

    assert offer("beacon.bearer.s3cret") == 200
    assert offer("beacon.live, beacon.bearer.s3cret") == 200
    assert offer("beacon.bearer.wrong") == 401
    assert offer("beacon.live") == 401
    assert offer("beacon.bearer.s3cret", websocket=False) == 401


def test_the_host_comes_before_the_token() -> None:
    assert status(ask(policy=SECRET, host="evil.example", authorization="Bearer s3cret")) == 403
