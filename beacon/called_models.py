"""The models that a trace's calls name, as one text: `{"gpt-4o": 3}`, model and number of calls. Pure.

It moves by one call at a time, whatever the length of the trace, and is a function of the calls alone, in any order. Of
more than KEPT models the first in the alphabet are kept: a model that was pushed out stays out, whatever comes later,
so the numbers of those that are kept are whole.
"""

from __future__ import annotations

import msgspec

KEPT = 16
"""Models a trace remembers. A comparison names 10 at most; a hostile agent may name another one in every call."""

NONE = "{}"

_decode = msgspec.json.Decoder(dict[str, int]).decode
_encode = msgspec.json.Encoder(order="sorted").encode


def with_call(called: str, model: str) -> str:
    """`called` and one call of `model` more."""
    models = _decode(called)
    if model not in models and len(models) == KEPT:
        last = max(models)
        if model > last:
            return called
        del models[last]
    models[model] = models.get(model, 0) + 1
    return _encode(models).decode()


def without_call(called: str, model: str) -> str | None:
    """`called` and one call of `model` less; None when a model that was pushed out may belong in its place: then count
    all calls anew."""
    models = _decode(called)
    calls = models.get(model)
    if calls is None:
        return called
    if calls > 1:
        models[model] = calls - 1
    elif len(models) == KEPT:
        return None
    else:
        del models[model]
    return _encode(models).decode()


def names(called: str) -> list[str]:
    """The models, the most called first, then by name."""
    if called == NONE:
        return []
    models = _decode(called)
    return sorted(models, key=lambda name: (-models[name], name))
