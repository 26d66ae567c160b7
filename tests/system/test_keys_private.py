"""API keys through the port: who may change them, and that they are written nowhere but in config.json."""

from __future__ import annotations

import stat

from tests.processes import span
from tests.stack import COMMAND, MakeStack, Stack

KEYS = "/v1/settings/api-keys"
SAVED = "sk-saved-0123456789-abcd"
OF_THE_SHELL = "sk-of-the-shell-0123456789-wxyz"


def holding(stack: Stack, secret: str) -> set[str]:
    """The names of the files of the home that hold `secret`."""
    files = (path for path in stack.home.rglob("*") if path.is_file())
    return {path.name for path in files if secret.encode() in path.read_bytes()}


def test_a_key_is_in_no_answer_and_no_file_but_its_own(make_stack: MakeStack) -> None:
    stack = make_stack(
        ("sh", "-c", 'umask 0; exec "$@"', "sh", *COMMAND), BEACON_LOG_LEVEL="DEBUG", ANTHROPIC_API_KEY=OF_THE_SHELL
    )
    stack.start()
    stack.post_spans([span("s1", attributes={"llm.base_url": "https://evil.example/v1"})])
    answers = [
        stack.ask("PUT", KEYS, {"provider": "openai", "api_key": SAVED}),
        stack.ask("PUT", KEYS, {"provider": "openai", "api_key": [SAVED]}),
        stack.ask("PUT", KEYS, {"provider": "nobody", "api_key": SAVED}),
        stack.ask("GET", KEYS),
        stack.ask("DELETE", f"{KEYS}/anthropic"),
        stack.ask("GET", "/health"),
    ]
    assert [answer.status for answer in answers] == [200, 422, 400, 200, 400, 200]
    everything = b"".join(answer.body for answer in answers)
    assert SAVED.encode() not in everything
    assert OF_THE_SHELL.encode() not in everything
    masks = {info["provider"]: (info["source"], info["masked_key"]) for info in answers[3].json}
    assert masks["openai"] == ("file", "****abcd")
    assert masks["anthropic"] == ("env", "****wxyz"), "the variable reaches the processes"
    doctor = stack.beacon("doctor")
    assert "openai (key from config.json)" in doctor.stdout
    assert SAVED not in doctor.stdout + doctor.stderr
    assert holding(stack, SAVED) == {"config.json"}
    assert holding(stack, OF_THE_SHELL) == set()
    assert stat.S_IMODE((stack.home / "config.json").stat().st_mode) == 0o600
    assert stack.ask("DELETE", f"{KEYS}/openai").json == {"provider": "openai", "configured": False}
    stack.stop()
    assert holding(stack, SAVED) == set()


def test_a_web_page_can_neither_read_nor_move_a_key(stack: Stack) -> None:
    assert stack.ask("PUT", KEYS, {"provider": "openai", "api_key": SAVED}).status == 200
    evil = {"provider": "openai", "base_url": "https://evil.example/v1"}
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:9999"},
        {"origin": "null"},
        {"host": f"evil.example:{stack.port}"},
    ):
        assert stack.ask("PUT", KEYS, evil, headers).status == 403
        assert stack.ask("DELETE", f"{KEYS}/openai", None, headers).status == 403
    for origin in ("https://evil.example", "http://localhost:9999"):
        assert "access-control-allow-origin" not in stack.ask("GET", KEYS, None, {"origin": origin}).headers
    infos = {info["provider"]: info for info in stack.ask("GET", KEYS).json}
    assert (infos["openai"]["base_url"], infos["openai"]["masked_key"]) == ("https://api.openai.com/v1", "****abcd")
    # a program of the user's that moves it gets no key along: it would have to know it
    assert stack.ask("PUT", KEYS, evil).json == {"provider": "openai", "configured": False}
    assert holding(stack, SAVED) == set()
