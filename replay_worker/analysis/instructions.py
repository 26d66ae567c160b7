"""The prompts of the analyses: files in prompts/, put together with the data."""

from __future__ import annotations

import secrets
from importlib.resources import files
from string import Template
from typing import Any

from replay_worker.analysis.excerpt import fenced

Message = dict[str, Any]


def new_nonce() -> str:
    """A word for the marks of data that nobody who wrote into a trace can have known."""
    return secrets.token_hex(8)


def messages(analysis: str, data: str, nonce: str) -> list[Message]:
    """What is sent to the model for `analysis` (the last part of its route): the rules, the task, and `data` between
    marks with `nonce`."""
    rules = Template(_read("data")).substitute(nonce=nonce)
    asked = f"{fenced(data, nonce)}\n\nThe data has ended. Do the task, and answer with the JSON object only."
    return [
        {"role": "system", "content": f"{rules}\n{_read(analysis)}"},
        {"role": "user", "content": asked},
    ]


def asked_again(before: list[Message], answer: str, why: str) -> list[Message]:
    """The same again, with the answer that could not be used and why."""
    again = f"That answer cannot be used: {why} Do the task again, and answer with the JSON object only."
    return [*before, {"role": "assistant", "content": answer or "(nothing)"}, {"role": "user", "content": again}]


def _read(name: str) -> str:
    return files("replay_worker.analysis").joinpath("prompts", f"{name}.md").read_text("utf-8")
