"""What of a trace goes into a prompt: bounded, the telling parts first, and marked as data. Pure.

What agents, tools and web pages said is hostile text: it may try to end the data and to give orders. So every value
stands as a JSON string on a line of its own (no line break, quote or control character gets out of one), all of it
between two marks that hold a random word nobody could have written into the trace, and the prompt says that what stands
between them is data.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence

from replay_worker.analysis.trace import Step, Trace

CHARS_MAX = 48_000
"""Characters of all traces in one prompt, about 12,000 tokens: what small models still read with care."""

SPAN_CHARS_MAX = 1_600
ERROR_CHARS_MAX = 4_000
"""Characters of one span's values; of one that failed more, since the cause tends to stand at the end of its output."""

VALUE_CHARS_MIN = 80
"""A longer value that has less room than this is left out."""

LAST_STEPS = 8
"""How many of the last steps come before the ones in the middle."""

_TELLING = (
    "agent.input", "agent.thought", "agent.output", "chain.input", "chain.output", "llm.model", "llm.prompt",
    "llm.completion", "llm.tool_calls", "llm.finish_reason", "tool.name", "tool.input", "tool.output", "shell.command",
    "shell.returncode", "shell.stdout", "shell.stderr", "file.operation", "file.path", "file.content", "browser.action",
    "browser.url", "browser.selector", "browser.value", "browser.page_title",
)  # fmt: skip
"""Attributes that tell what a span did; pictures and what else clients add would only fill the prompt."""


def excerpt(traces: Sequence[Trace], chars_max: int = CHARS_MAX) -> str:
    """`traces` in at most about `chars_max` characters, an equal share each. To be put between marks (`fenced`)."""
    share = chars_max // max(1, len(traces))
    return "\n\n".join(_trace_lines(trace, share) for trace in traces)


def fenced(body: str, nonce: str) -> str:
    """`body` between the marks of data; none is left inside. (The word is random: by chance it never is.)"""
    return f"<<<DATA {nonce}\n{body.replace(nonce, '')}\nDATA {nonce}>>>"


def quoted(value: object, chars_max: int) -> str:
    """A value as a JSON string of at most `chars_max` characters (30 at least): its beginning and its end, one line."""
    text = _text(value)
    whole = _json(_visible(text)) if len(text) <= chars_max else ""
    if whole and len(whole) <= chars_max:
        return whole
    room = max(0, chars_max - len(_LEFT_OUT) - 2)
    head = _fitted(_visible(text[: room * 2 // 3]), room * 2 // 3, keep_end=False)
    tail = _fitted(_visible(text[max(0, len(text) - room // 3) :]), room // 3, keep_end=True)
    return _json(head + _LEFT_OUT + tail)


_LEFT_OUT = " …(left out)… "


def _fitted(text: str, room: int, *, keep_end: bool) -> str:
    """As much of `text` as its JSON has room for: an escape takes two characters and more."""
    while text and (size := len(_json(text)) - 2) > room:
        kept = min(len(text) - 1, len(text) * room // size)
        text = text[len(text) - kept :] if keep_end else text[:kept]
    return text


def _trace_lines(trace: Trace, chars_max: int) -> str:
    head = (
        f"trace {trace.trace_id} {quoted(trace.name, 200)} status={trace.status} spans={len(trace.steps)} "
        f"duration={_duration(trace.duration_ms)} cost=${trace.total_cost_usd:.6f} tokens={trace.total_tokens}"
    )
    left = chars_max - len(head)
    walk = list(trace.walk())
    lines: dict[str, str] = {}
    for step, depth in _by_weight(trace, walk):
        bare = _line(step, depth)
        if len(bare) + 1 > left:
            break
        line = bare + _values(step, min(left - len(bare) - 1, ERROR_CHARS_MAX if _failed(step) else SPAN_CHARS_MAX))
        lines[step.span_id] = line
        left -= len(line) + 1
    told = [lines[step.span_id] for step, _ in walk if step.span_id in lines]
    if len(told) < len(walk):
        told.append(f"({len(walk) - len(told)} more spans are not shown)")
    return "\n".join([head, *told])


def _by_weight(trace: Trace, walk: Sequence[tuple[Step, int]]) -> Iterable[tuple[Step, int]]:
    """Failed spans first, the innermost of them, where errors begin, before those they went up through; then what holds
    them, the roots, the last steps, and the rest in order."""
    by_id = trace.by_id
    above: set[str] = set()
    for step, _ in walk:
        if _failed(step):
            parent = by_id.get(step.parent_id or "")
            while parent is not None and parent.span_id not in above:
                above.add(parent.span_id)
                parent = by_id.get(parent.parent_id or "")
    last = {step.span_id for step in trace.steps[-LAST_STEPS:]}

    def weight(at: int) -> tuple[int, int]:
        step, depth = walk[at]
        if _failed(step):
            return 0, -depth
        for rank, member in enumerate((step.span_id in above, depth == 0, step.span_id in last), start=1):
            if member:
                return rank, at
        return 4, at

    return [walk[at] for at in sorted(range(len(walk)), key=weight)]


def _line(step: Step, depth: int) -> str:
    parts = [f"{'  ' * min(depth, 12)}span {step.span_id} {step.type} {quoted(step.name, 120)} status={step.status}"]
    parts.append(f"duration={_duration(step.duration_ms)}")
    if step.tokens is not None:
        parts.append(f"tokens={step.tokens_input or 0}+{step.tokens_output or 0}")
    if step.cost_usd is not None:
        parts.append(f"cost=${step.cost_usd:.6f}")
    return " ".join(parts)


def _values(step: Step, chars_max: int) -> str:
    found: list[tuple[str, object]] = [("error", step.error)] if step.error else []
    found += [(name, step.attributes[name]) for name in _TELLING if step.attributes.get(name) not in (None, "")]
    text = ""
    for at, (name, value) in enumerate(found):
        # what a short value leaves over goes to those after it
        room = (chars_max - len(text)) // (len(found) - at) - len(name) - 2
        if room >= min(VALUE_CHARS_MIN, len(_text(value)) + 2):
            text += f" {name}={quoted(value, room)}"
    return text


def _failed(step: Step) -> bool:
    return step.status == "error"


def _visible(text: str) -> str:
    """`text` without what the eye does not see: control, format and unassigned characters may hide orders (Unicode's
    tag letters, U+E0020 to U+E007E, spell them out) or turn a line around."""
    return _INVISIBLE.sub(lambda found: found[0] if _harmless(found[0]) else "", text)


_INVISIBLE = re.compile(r"[^\x20-\x7e]")


def _harmless(char: str) -> bool:
    return char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _duration(milliseconds: float | None) -> str:
    return "running" if milliseconds is None else f"{milliseconds:.0f}ms"
