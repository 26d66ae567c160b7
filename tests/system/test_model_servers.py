"""Keys tested by a real call, and models as the configured servers list them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fake_provider import Reply
from tests.system.lab import KEY, Lab, open_lab


@pytest.fixture(scope="module")
def shared_lab() -> Iterator[Lab]:
    with open_lab() as lab:
        yield lab


@pytest.fixture
def lab(shared_lab: Lab) -> Iterator[Lab]:
    shared_lab.fake.requests.clear()
    yield shared_lab
    shared_lab.fake.models_reply = None
    shared_lab.fake.key = KEY


TEST = "/v1/settings/api-keys/lab/test"


def test_a_good_key_is_told_so(lab: Lab) -> None:
    answer = lab.stack.ask("POST", TEST)
    assert answer.status == 200, answer.body
    got = answer.json
    assert got["ok"]
    assert (got["provider"], got["base_url"], got["status"]) == ("lab", lab.fake.base_url(), 200)
    assert got["models"] == ["fake-large", "fake-small"]
    assert lab.fake.requests[0].key == KEY


def test_a_wrong_key_is_told_in_the_providers_words(lab: Lab) -> None:
    lab.fake.models_reply = Reply(status=401, error="That key is revoked.", echo_key=True)
    got = lab.stack.ask("POST", TEST).json
    assert not got["ok"]
    assert got["status"] == 401
    assert "That key is revoked." in got["detail"]
    assert KEY not in got["detail"]


def test_a_server_that_is_not_there_is_told(lab: Lab) -> None:
    lab.fake.refuse()
    try:
        got = lab.stack.ask("POST", TEST).json
    finally:
        lab.fake.listen()
    assert not got["ok"]
    assert got["status"] is None
    assert got["detail"]


def test_the_models_of_a_server_stand_beside_the_known_ones(lab: Lab) -> None:
    got = lab.stack.ask("GET", "/v1/models").json
    own = {model["model"]: model for model in got["models"] if model["provider"] == "lab"}
    assert set(own) == {"fake-large", "fake-small"}
    assert own["fake-large"]["input_usd_per_million"] == 0.0
    assert own["fake-large"]["configured"]
    assert own["fake-large"]["local"]
    assert {"openai", "anthropic", "google"} <= {model["provider"] for model in got["models"]}
    assert got["unlisted"] == []


def test_a_server_that_cannot_be_asked_is_named(lab: Lab) -> None:
    lab.fake.models_reply = Reply(status=500, error="no list today")
    got = lab.stack.ask("GET", "/v1/models").json
    (unlisted,) = got["unlisted"]
    assert unlisted["provider"] == "lab"
    assert "no list today" in unlisted["detail"]
    assert got["models"], "the known ones are there all the same"
