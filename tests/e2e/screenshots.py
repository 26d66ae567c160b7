"""`make screenshots`: pictures of every page and state, in both themes and three widths, from a whole Beacon.

    python -m tests.e2e.screenshots                       into build/screenshots
    python -m tests.e2e.screenshots --readme docs/images  the three of the README, too

The data are the recorded demos and a run of a support agent, so that two runs of this show the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from tests.chromium import ARGUMENTS, MISSING, program
from tests.e2e.runs import Span, refund_agent, span
from tests.processes import wait_for
from tests.stack import Stack

THEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
WIDTHS = {1440: 900, 1024: 768, 375: 720}
README = ("list", "trace", "call")
"""The pictures that the README shows."""


class State(NamedTuple):
    """A page at `address`, once `shown` is on it and `do` is done."""

    name: str
    address: str
    shown: str
    do: Callable[[Page], None] | None = None


def keys(*names: str) -> Callable[[Page], None]:
    def press(page: Page) -> None:
        for name in names:
            page.keyboard.press(name)

    return press


def searching(page: Page) -> None:
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search and commands").fill("refund")
    page.locator(".palette li.hit").first.wait_for()


def states(demo: str) -> list[State]:
    """What there is to see; `demo` is the trace of a demo with calls of a model."""
    row = ".rows-seen [role=row]"
    tab = "[role=tabpanel]"
    return [
        State("list", "/", row),
        State("no-match", "/?filter=status:error+nothing-has-this-name", ".drops"),
        State("wrong-filter", "/?filter=stats:error", "[role=alert]"),
        State("trace", "/traces/refund", tab),
        State("call", f"/traces/{demo}", tab, keys("l", "l")),
        State("attributes", "/traces/refund?span=refund-gpt-4o&tab=attributes", tab),
        State("long-names", "/traces/long", tab),
        State("replay", "/traces/refund?span=refund-gpt-4o&replay=1", "[aria-label='What is sent']"),
        State("search", "/", row, searching),
        State("keys", "/", row, keys("?")),
        State("unknown-trace", "/traces/nobody", "main h1, main h2"),
    ]


def prepare(stack: Stack) -> str:
    """Store what is shown; returns the trace of a demo."""
    name = "a name that somebody's framework made of a whole question: " + "why does it take so long? " * 8
    stack.post_spans(
        [
            {**span("long", "root", lasts=9, span_type="agent_step"), "name": name},
            {
                **span("long", "tool", parent="root", at=2, lasts=None, span_type="tool_use", status="unset"),
                "name": name,
            },
        ]
    )
    for n in range(40):
        stack.post_spans(earlier(n))
        tags = {"env": ("prod", "staging")[n % 3 == 0]} | ({"release": f"1.{n // 10}"} if n % 4 == 0 else {})
        stack.ask("PUT", f"/v1/traces/run-{n:02}/tags", {"tags": tags})
    made = [
        stack.ask("POST", "/v1/demo/run", {"scenario": key}).json["trace_id"]
        for key in ("research_assistant", "code_reviewer", "trip_planner")
    ]
    stack.post_spans(refund_agent("refund"))
    for trace_id in made:
        wait_for(lambda trace_id=trace_id: _ended(stack, trace_id), f"the demo {trace_id}", 60)  # type: ignore[misc]
    return str(made[0])


def earlier(n: int) -> list[Span]:
    """One of the runs of the last days."""
    name = ("support_agent", "nightly report", "triage inbox", "release notes", "invoice reader")[n % 5]
    at = -3_000.0 * (40 - n) ** 1.3
    trouble: Span = {"status": "error", "error_message": "TimeoutError: no answer after 30 s"} if n % 7 == 3 else {}
    model = ("gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-flash")[n % 3]
    tokens = 400 + 731 * n % 9_000
    call = {"llm.model": model, "llm.tokens.total": tokens, "llm.cost_usd": tokens * 2.1e-6}
    trace_id = f"run-{n:02}"
    return [
        span(trace_id, name, at=at, lasts=3 + 1.7 * (n * 13 % 17), span_type="agent_step", **trouble),
        span(trace_id, f"chat {model}", parent=name, at=at + 1, span_type="llm_call", attributes=call),
        *(span(trace_id, f"step {i}", parent=name, at=at + 2, span_type="tool_use") for i in range(n * 7 % 12)),
    ]


def _ended(stack: Stack, trace_id: str) -> bool:
    answer = stack.ask("GET", f"/v1/traces/{trace_id}")
    return answer.status == 200 and answer.json["running_count"] == 0 and answer.json["span_count"] > 3


def main() -> int:
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=Path("build/screenshots"), help="folder of the pictures")
    parser.add_argument("--readme", type=Path, help="folder of the three that the README shows")
    parser.add_argument("--only", help="names of states, with commas")
    asked = parser.parse_args()
    path = program()
    if path is None:
        parser.error(MISSING)
    asked.out.mkdir(parents=True, exist_ok=True)
    full, empty, guarded = Stack(BEACON_DEMO_PACE="0.2"), Stack(), Stack(BEACON_TOKEN="a-word-of-twelve")
    try:
        for stack in (full, empty, guarded):
            stack.start()
        places = [
            (empty.url, State("empty", "/", ".ways")),
            (guarded.url, State("token", "/", "input[type=password]")),
            *((full.url, state) for state in states(prepare(full))),
        ]
        if asked.only:
            places = [place for place in places if place[1].name in asked.only.split(",")]
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
            take(chromium, places, asked.out, asked.readme)
            chromium.close()
    finally:
        for stack in (full, empty, guarded):
            stack.destroy()
    sys.stderr.write(f"in {asked.out}\n")
    return 0


def take(chromium: Browser, places: list[tuple[str, State]], folder: Path, readme: Path | None) -> None:
    """Every place in every theme and width."""
    done = 0
    for theme in THEMES:
        for width, height in WIDTHS.items():
            context = chromium.new_context(
                viewport={"width": width, "height": height}, color_scheme=theme, reduced_motion="reduce"
            )
            page = context.new_page()
            for origin, state in places:
                shoot(page, origin, state, folder / f"{state.name}-{theme}-{width}.png")
                if readme and theme == "dark" and width == 1440 and state.name in README:
                    readme.mkdir(parents=True, exist_ok=True)
                    page.screenshot(path=readme / f"{state.name}.png")
                done += 1
                sys.stderr.write(f"\r{done} of {len(places) * len(THEMES) * len(WIDTHS)} pictures ")
            context.close()


def shoot(page: Page, origin: str, state: State, path: Path) -> None:
    page.goto(origin + state.address)
    page.locator(state.shown).first.wait_for()
    if state.do is not None:
        state.do(page)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path)


if __name__ == "__main__":
    sys.exit(main())
