"""An agent that plans a day: trains, weather, a page on the web, and a sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from replay_worker.demo.page_picture import page_picture
from replay_worker.demo.scenario import Scenario
from replay_worker.demo.tools import Deed, Outcome, Tool, World, text

TRAINS = [
    {"departs": "07:38", "arrives": "09:52", "changes": 0, "price_eur": 22.4},
    {"departs": "08:08", "arrives": "10:04", "changes": 0, "price_eur": 27.9},
    {"departs": "10:08", "arrives": "12:41", "changes": 1, "price_eur": 19.8},
]

BACK = [
    {"departs": "17:52", "arrives": "19:50", "changes": 0, "price_eur": 27.9},
    {"departs": "19:22", "arrives": "21:36", "changes": 0, "price_eur": 22.4},
]

FORECASTS = {
    "annecy": {"morning": "sunny, 19 °C", "afternoon": "showers from 15:00, 22 °C", "rain_probability": 0.6},
    "lyon": {"morning": "sunny, 21 °C", "afternoon": "sunny, 27 °C", "rain_probability": 0.1},
}

PAGES = {
    "https://lake-museum.example/visit": (
        "Visit the lake museum",
        "Open 10:00 to 18:00, closed on Tuesdays. Adults 7.50 euros, students 4 euros. Boats to the far shore leave "
        "the pier beside the museum at 10:30, 12:00 and 14:00; the round trip takes 60 minutes and costs 17.80 euros.",
    ),
}


def search_trains(given: Mapping[str, Any], _: World) -> Outcome:
    way = (given["origin"].strip().lower(), given["destination"].strip().lower())
    trains = {("lyon", "annecy"): TRAINS, ("annecy", "lyon"): BACK}.get(way, [])
    return Outcome(output={"day": given["day"], "trains": trains}, seconds=0.9)


def get_forecast(given: Mapping[str, Any], _: World) -> Outcome:
    forecast = FORECASTS.get(given["city"].strip().lower())
    if forecast is None:
        return Outcome(error=f"There is no weather station in {given['city'][:60]!r}.", seconds=0.4)
    return Outcome(output={"city": given["city"], "day": given["day"], **forecast}, seconds=0.4)


def open_page(given: Mapping[str, Any], _: World) -> Outcome:
    url = given["url"]
    page = PAGES.get(url)
    visit = {"browser.action": "navigate", "browser.url": url}
    if page is None:
        failed = Deed(type="browser_action", name="navigate", given=visit, error="404 Not Found", seconds=0.8)
        return Outcome(error=f"404 Not Found: {url[:120]}", deeds=(failed,))
    title, body = page
    came = {"browser.page_title": title, "browser.value": body, "browser.screenshot": page_picture(body)}
    opened = Deed(type="browser_action", name="navigate", given=visit, came=came, seconds=1.2)
    return Outcome(output={"title": title, "text": body}, deeds=(opened,))


def add_up(given: Mapping[str, Any], _: World) -> Outcome:
    total = round(sum(given["prices_eur"]), 2)
    return Outcome(output={"total_eur": total, "left_eur": round(given["budget_eur"] - total, 2)}, seconds=0.05)


SCENARIO = Scenario(
    instructions="You plan day trips. Look trains and weather up, never guess a timetable or a price, and add the "
    "prices up with add_up before you answer. The lake museum's page is https://lake-museum.example/visit. Answer with "
    "a plan by the hour and its total. You have five turns.",
    tools=(
        Tool(
            name="search_trains",
            description="Direct and connecting trains of a day.",
            parameters={
                "origin": text("City of departure"),
                "destination": text("City of arrival"),
                "day": text("For example Saturday"),
            },
            run=search_trains,
        ),
        Tool(
            name="get_forecast",
            description="The weather of a city on a day of this week.",
            parameters={"city": text("City"), "day": text("For example Saturday")},
            run=get_forecast,
        ),
        Tool(
            name="open_page",
            description="Open a web page and read its text.",
            parameters={"url": text("The page's address")},
            run=open_page,
        ),
        Tool(
            name="add_up",
            description="Add prices and compare the sum with a budget, in euros.",
            parameters={
                "prices_eur": {"type": "array", "description": "Each price", "items": {"type": "number"}},
                "budget_eur": {"type": "number", "description": "What may be spent"},
            },
            run=add_up,
        ),
    ),
)
