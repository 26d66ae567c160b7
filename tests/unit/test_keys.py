"""Where a model is called and with which key: environment before file, and no key anywhere it was not saved for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from beacon.catalog import PROVIDERS
from beacon.contract.llm_records import PutKey
from beacon.errors import BadRequest, Unavailable
from beacon.keys import Endpoint, Saved, endpoint, endpoints, local_endpoint, mask, route

OPENAI = "https://api.openai.com/v1"
PROXY = "https://proxy.example/v1"
FILE_KEY = "sk-of-the-file-0123456789"
ENV_KEY = "sk-of-the-environment-9876543210"


def save(home: Path, **providers: dict[str, Any]) -> None:
    (home / "config.json").write_text(json.dumps({"providers": {n.replace("_", "-"): p for n, p in providers.items()}}))


def found(home: Path, provider: str, **environ: str) -> Endpoint:
    at = endpoint(home, provider, environ)
    assert at is not None
    assert at in endpoints(home, environ) or PROVIDERS[at.provider].local
    return at


# ---------------------------------------------------------------- environment and file


def test_with_nothing_saved_the_three_are_there_and_not_configured(tmp_path: Path) -> None:
    assert [(e.provider, e.configured, e.source) for e in endpoints(tmp_path, {})] == [
        ("openai", False, None),
        ("anthropic", False, None),
        ("google", False, None),
    ]
    assert found(tmp_path, "openai").base_url == OPENAI
    assert found(tmp_path, "anthropic").style == "anthropic"
    assert found(tmp_path, "google").style == "google"


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    save(tmp_path, openai={"base_url": OPENAI, "api_key": FILE_KEY})
    at = found(tmp_path, "openai")
    assert (at.key, at.source) == (FILE_KEY, "file")
    at = found(tmp_path, "openai", OPENAI_API_KEY=f" {ENV_KEY}\n")
    assert (at.key, at.source, at.base_url) == (ENV_KEY, "env", OPENAI)
    at = found(tmp_path, "openai", OPENAI_API_KEY="")
    assert (at.key, at.source) == (FILE_KEY, "file"), "an empty variable counts as unset"


def test_google_has_two_names_for_its_key(tmp_path: Path) -> None:
    assert found(tmp_path, "google", GEMINI_API_KEY=ENV_KEY).key == ENV_KEY
    assert found(tmp_path, "google", GEMINI_API_KEY="other", GOOGLE_API_KEY=ENV_KEY).key == ENV_KEY


@pytest.mark.parametrize("provider", ["openai", "anthropic", "google"])
def test_the_environments_key_goes_to_the_environments_base_url(tmp_path: Path, provider: str) -> None:
    known = PROVIDERS[provider]
    assert known.base_url_name is not None
    at = found(tmp_path, provider, **{known.key_names[0]: ENV_KEY, known.base_url_name: f"{PROXY}/"})
    assert (at.key, at.base_url, at.configured) == (ENV_KEY, PROXY, True)


def test_a_base_url_of_the_file_is_not_given_the_environments_key(tmp_path: Path) -> None:
    save(tmp_path, openai={"base_url": "https://evil.example/v1"})
    at = found(tmp_path, "openai", OPENAI_API_KEY=ENV_KEY)
    assert (at.base_url, at.key) == (OPENAI, ENV_KEY)


def test_a_base_url_of_the_environment_is_not_given_the_files_key(tmp_path: Path) -> None:
    save(tmp_path, openai={"base_url": OPENAI, "api_key": FILE_KEY})
    at = found(tmp_path, "openai", OPENAI_BASE_URL=PROXY)
    assert (at.base_url, at.key, at.configured) == (PROXY, None, False)
    save(tmp_path, openai={"base_url": PROXY, "api_key": FILE_KEY})
    at = found(tmp_path, "openai", OPENAI_BASE_URL=PROXY.upper().replace("/V1", "/v1/"))
    assert (at.base_url, at.key, at.source) == (PROXY, FILE_KEY, "file")


BASES = st.sampled_from([None, OPENAI, PROXY, "https://evil.example", "http://127.0.0.1:1/v1"])


@given(env_key=st.booleans(), env_base=BASES, file_key=st.booleans(), file_base=BASES)
def test_no_key_goes_where_it_was_not_saved_for(
    tmp_path_factory: pytest.TempPathFactory,
    env_key: bool,
    env_base: str | None,
    file_key: bool,
    file_base: str | None,
) -> None:
    home = tmp_path_factory.mktemp("h")
    entry = ({"base_url": file_base} if file_base else {}) | ({"api_key": FILE_KEY} if file_key else {})
    save(home, openai=entry)
    environ = ({"OPENAI_API_KEY": ENV_KEY} if env_key else {}) | ({"OPENAI_BASE_URL": env_base} if env_base else {})
    at = found(home, "openai", **environ)
    goes_to = {ENV_KEY: {env_base or OPENAI}, FILE_KEY: {file_base or OPENAI}, None: {at.base_url}}
    assert at.base_url in goes_to[at.key]
    if env_key:
        assert at.key == ENV_KEY


def test_compatible_servers_are_providers_of_their_own_names(tmp_path: Path) -> None:
    save(
        tmp_path,
        my_server={"base_url": "http://127.0.0.1:9/v1"},
        cloud={"base_url": "https://models.example/v1"},
        ollama={"base_url": "http://host.docker.internal:11434/v1"},
        gateway={"base_url": "http://gateway/v1", "api_key": FILE_KEY},
    )
    assert [e.provider for e in endpoints(tmp_path, {})][3:] == ["cloud", "gateway", "my-server", "ollama"]
    mine = found(tmp_path, "my-server")
    assert (mine.style, mine.needs_key, mine.configured, mine.local) == ("openai", False, True, True)
    cloud = found(tmp_path, "cloud")
    assert (cloud.needs_key, cloud.configured, cloud.local) == (True, False, False)
    assert found(tmp_path, "ollama").local, "a container's Ollama on the host costs nothing either"
    gateway = found(tmp_path, "gateway")
    assert (gateway.key, gateway.needs_key, gateway.local) == (FILE_KEY, False, False)


def test_well_known_local_servers_are_found_without_saving_but_not_listed(tmp_path: Path) -> None:
    at = endpoint(tmp_path, "ollama", {})
    assert at == Endpoint(
        provider="ollama", style="openai", base_url="http://127.0.0.1:11434/v1", needs_key=False, local=True
    )
    assert endpoint(tmp_path, "LM_Studio", {}) is not None
    assert endpoint(tmp_path, "Gemini", {}) == endpoint(tmp_path, "google", {})
    assert endpoint(tmp_path, "nobody", {}) is None
    assert len(endpoints(tmp_path, {})) == 3


# ---------------------------------------------------------------- what a span recorded


@pytest.mark.parametrize(
    "base_url",
    ["http://127.0.0.1:11434/v1/", "https://localhost/v1", "http://[::1]:8000", "http://127.8.8.8:1/openai/v1"],
)
def test_a_recorded_base_url_on_this_machine_is_called_without_a_key(base_url: str) -> None:
    at = local_endpoint(base_url)
    assert at is not None
    assert (at.key, at.needs_key, at.local, at.base_url) == (None, False, True, base_url.rstrip("/"))


@pytest.mark.parametrize(
    "base_url",
    [
        "https://api.openai.com/v1", "https://evil.example/v1", "http://192.168.1.2/v1", "http://ollama:11434/v1",
        "http://host.docker.internal/v1", "http://localhost.evil.example/", "http://127.0.0.1.evil.example/",
        "http://localhost@evil.example/v1", "http://evil.example#@localhost/", "http://evil.example\\@localhost/",
        "http://localhost:80@evil.example/", "http://127.1/", "http://0x7f000001/", "http://0.0.0.0/", "http://[::]/",
        "//localhost/v1", "localhost:8000", "ftp://localhost/", "file://localhost/etc/passwd", "gopher://127.0.0.1/",
        "http://localhost/v1?url=", "http://localhost/%2e%2e/", "http://localhost/../", "http://localhost\n.evil.example",
        "http://user:pass@localhost/", "", " ", None, 5, ["http://localhost"],
    ],
)  # fmt: skip
def test_any_other_recorded_base_url_is_not_called(base_url: object) -> None:
    assert local_endpoint(base_url) is None


@given(st.text(max_size=80))
def test_no_text_gets_a_hostile_span_off_this_machine(text: str) -> None:
    for url in (text, f"http://{text}", f"http://localhost{text}", f"http://127.0.0.1{text}/v1"):
        at = local_endpoint(url)
        if at is not None:
            assert at.key is None
            assert at.base_url.startswith(("http://localhost", "http://127.", "https://localhost", "https://127."))


# ---------------------------------------------------------------- which server has a model


def test_a_models_name_tells_its_provider(tmp_path: Path) -> None:
    environ = {"OPENAI_API_KEY": ENV_KEY, "ANTHROPIC_API_KEY": ENV_KEY, "GEMINI_API_KEY": ENV_KEY}
    for model, provider in {"gpt-4o": "openai", "claude-opus-4-5": "anthropic", "gemini-2.5-pro": "google"}.items():
        at, name = route(tmp_path, environ, model)
        assert (at.provider, name, at.key) == (provider, model, ENV_KEY)


def test_a_prefix_names_the_provider(tmp_path: Path) -> None:
    save(tmp_path, router={"base_url": "https://router.example/v1", "api_key": FILE_KEY})
    assert route(tmp_path, {}, "ollama/llama3.2:3b")[1] == "llama3.2:3b"
    at, name = route(tmp_path, {}, "router/openai/gpt-4o")
    assert (at.provider, name) == ("router", "openai/gpt-4o")
    at, name = route(tmp_path, {}, "meta-llama/Llama-3.3-70B")
    assert (at.provider, name) == ("router", "meta-llama/Llama-3.3-70B"), "the one server that is saved"


def test_a_named_provider_decides(tmp_path: Path) -> None:
    save(tmp_path, router={"base_url": "https://router.example/v1", "api_key": FILE_KEY})
    at, name = route(tmp_path, {"OPENAI_API_KEY": ENV_KEY}, "gpt-4o", "router")
    assert (at.provider, name, at.key) == ("router", "gpt-4o", FILE_KEY)
    with pytest.raises(BadRequest, match="'nobody' is not supported"):
        route(tmp_path, {}, "gpt-4o", "nobody")


def test_what_cannot_be_called_is_a_bad_request_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"no API key for openai at https://api\.openai\.com/v1.*OPENAI_API_KEY"):
        route(tmp_path, {}, "gpt-4o")
    with pytest.raises(BadRequest, match=r"The model llama3\.2 is unknown"):
        route(tmp_path, {}, "llama3.2")
    save(tmp_path, one={"base_url": "http://localhost:1"}, two={"base_url": "http://localhost:2"})
    with pytest.raises(BadRequest, match=r"for example one/llama3\.2; saved are one, two"):
        route(tmp_path, {}, "llama3.2")


# ---------------------------------------------------------------- what is shown of a key


@pytest.mark.parametrize(
    ("key", "shown"),
    [("sk-0123456789abcd", "****abcd"), ("123456789abc", "****9abc"), ("123456789ab", "****"), ("abcd", "****")],
)
def test_a_mask_shows_four_characters_at_most(key: str, shown: str) -> None:
    assert mask(key) == shown


def test_no_repr_shows_a_key() -> None:
    at = Endpoint(provider="openai", style="openai", base_url=OPENAI, key=FILE_KEY)
    asked = PutKey("openai", FILE_KEY, OPENAI)
    for thing in (at, [at], {"at": at}, Saved(OPENAI, FILE_KEY), (Saved(OPENAI, FILE_KEY),), asked, [asked]):
        for text in (repr(thing), str(thing), f"{thing}"):
            assert FILE_KEY not in text
            assert "with a key" in text


# ---------------------------------------------------------------- what cannot be used


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", '"sk-secret-0123456789"', '{"providers": []}',
        '{"providers": {"openai": "sk-secret-0123456789"}}',
        '{"providers": {"openai": {"api_key": ["sk-secret-0123456789"]}}}',
        '{"providers": {"openai": {"api_key": "sk-secret-0123456789\\n"}}}',
        '{"providers": {"openai": {"base_url": "http://user:sk-secret-0123456789@host"}}}',
        '{"providers": {"sk-secret-0123456789 ": {}}}', '{"providers": {"mine": {"api_key": "sk-secret-0123456789"}}}',
        '{"api_key": "sk-secret-0123456789", oops', "[" * 100_000,
    ],
)  # fmt: skip
def test_a_broken_config_is_named_and_its_keys_are_not(tmp_path: Path, content: str) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(Unavailable) as refused:
        endpoints(tmp_path, {})
    assert str(tmp_path / "config.json") in refused.value.detail
    assert "move it away" in refused.value.detail
    assert "secret" not in refused.value.detail
    assert refused.value.__cause__ is None, "a cause would be logged with what it holds"


def test_bytes_that_are_no_text_are_a_broken_config_too(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(b'{"providers": {"openai": {"api_key": "\xff"}}}')
    with pytest.raises(Unavailable, match="cannot be used"):
        endpoints(tmp_path, {})


def test_a_config_that_is_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(Unavailable, match="cannot be read"):
        endpoints(tmp_path, {})


def test_variables_that_cannot_be_used_are_named_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="OPENAI_BASE_URL must begin with http") as refused:
        endpoint(tmp_path, "openai", {"OPENAI_BASE_URL": "secret"})
    assert "secret" not in refused.value.detail
    with pytest.raises(Unavailable, match="OPENAI_API_KEY holds characters") as refused:
        endpoint(tmp_path, "openai", {"OPENAI_API_KEY": "secret secret"})
    assert "secret" not in refused.value.detail
    assert endpoint(tmp_path, "anthropic", {"OPENAI_API_KEY": "secret secret"}) is not None
