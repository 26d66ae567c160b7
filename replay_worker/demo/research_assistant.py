"""An agent that answers from a small library."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from replay_worker.demo.scenario import Scenario
from replay_worker.demo.tools import Outcome, Tool, World, file_read, text

LIBRARY: dict[str, tuple[str, str]] = {
    "pv-yield-cities": (
        "What a kilowatt-peak of roof yields in ten cities",
        "Yield of a roof that faces south at 30°, in kWh per kWp and year: Lille 980, Paris 1,060, Lyon 1,230, "
        "Toulouse 1,290, Marseille 1,460. In Lyon the months differ widely: July brings 152 kWh per kWp, December 42. "
        "November to February together bring 19 % of the year.",
    ),
    "heat-pump-load": (
        "When a heat pump draws its electricity",
        "A well insulated house of 120 m² with an air-to-water heat pump (seasonal performance 3.4) drew 4,100 kWh a "
        "year: 2,950 kWh for heating and 1,150 kWh for hot water. 71 % of it fell in November to February, most of it "
        "between 17:00 and 8:00.",
    ),
    "self-consumption": (
        "Self-consumption without a battery: three winters of measurements",
        "Houses with a heat pump and 5 to 7 kWp covered 27 to 33 % of the heat pump's demand directly from the roof. "
        "Moving hot water to noon added 6 percentage points; a battery of 10 kWh added 14. The limit is the season: "
        "what the roof yields in summer cannot heat in January.",
    ),
    "battery-prices": (
        "Prices of home batteries, by capacity",
        "A home battery cost 520 to 740 euros a kWh, installed. Below 8 kWh the inverter dominates the price.",
    ),
}


def search_library(given: Mapping[str, Any], _: World) -> Outcome:
    """The articles that share the most words with the query, best first."""
    wanted = _words(given["query"])
    found = [(len(wanted & _words(f"{key} {title} {body}")), key) for key, (title, body) in LIBRARY.items()]
    best = sorted((hit for hit in found if hit[0]), key=lambda hit: (-hit[0], hit[1]))[:3]
    results = [{"id": key, "title": LIBRARY[key][0], "words_found": score} for score, key in best]
    return Outcome(output={"results": results}, seconds=0.5)


def read_article(given: Mapping[str, Any], _: World) -> Outcome:
    article = LIBRARY.get(given["article_id"])
    if article is None:
        return Outcome(error=f"There is no article {given['article_id'][:80]!r}; use an id that a search gave.")
    title, body = article
    read = file_read(f"library/{given['article_id']}.md", f"# {title}\n\n{body}\n")
    return Outcome(output={"title": title, "text": body}, deeds=(read,))


def calculate(given: Mapping[str, Any], _: World) -> Outcome:
    try:
        value = _value(ast.parse(given["expression"][:200], mode="eval").body)
    except (ValueError, SyntaxError, ZeroDivisionError, OverflowError, RecursionError, MemoryError) as e:
        return Outcome(error=f"This cannot be calculated: {e}.", seconds=0.0)
    return Outcome(output={"value": round(value, 6)}, seconds=0.05)


_OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def _value(node: ast.expr) -> float:
    """The four operations on numbers, and nothing else: the expression was written by a model."""
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left), _value(right))
    raise ValueError("only numbers and + - * / ( ) are known")


def _words(said: str) -> set[str]:
    return {word for word in re.findall(r"[a-z0-9]+", said.lower()) if len(word) > 2}


SCENARIO = Scenario(
    instructions="You are a research assistant with a small library. Search it, read what matters, calculate rather "
    "than guess, and answer in one paragraph that names the ids of the articles it rests on. You have five turns.",
    tools=(
        Tool(
            name="search_library",
            description="Find articles by words. Gives ids and titles, best first.",
            parameters={"query": text("Words to look for")},
            run=search_library,
        ),
        Tool(
            name="read_article",
            description="Read one article.",
            parameters={"article_id": text("The id that a search gave")},
            run=read_article,
        ),
        Tool(
            name="calculate",
            description="Calculate with + - * / and parentheses.",
            parameters={"expression": text("For example 6 * 1230 / 4100")},
            run=calculate,
        ),
    ),
)
