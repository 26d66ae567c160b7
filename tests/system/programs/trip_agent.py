"""A small agent instrumented with beacon-sdk, as its README shows: nested functions, an exception, an async function,
a shell command. It waits for a line on stdin before its second half, and says on stdout what it has done."""

# mypy: disable-error-code="untyped-decorator"

import asyncio
import subprocess
import sys

import beacon_sdk
from beacon_sdk import SpanStatus, SpanType, get_tracer, observe

CITIES = 120


@observe(name="plan trip", span_type="agent_step")
def plan_trip(city: str) -> str:
    weather = look_up_weather(city)
    ask_model(city, weather)
    try:
        book_hotel(city)
    except ValueError as e:
        return f"no hotel: {e}"
    return "booked"


@observe(name="look up weather", span_type="tool_use")
def look_up_weather(city: str) -> str:
    span = beacon_sdk.get_current_span()
    assert span is not None
    span.set_attribute("tool.name", "weather")
    span.set_attribute("tool.input", city)
    span.set_attribute("tool.output", "sunny, 21 °C ☀")
    return "sunny"


@observe
def book_hotel(city: str) -> None:
    raise ValueError(f"every hotel in {city} is full")


def ask_model(city: str, weather: str) -> None:
    """What an instrumented model client records."""
    tracer = get_tracer()
    assert tracer is not None
    attributes = {
        "llm.provider": "openai",
        "llm.model": "gpt-4o",
        "llm.prompt": f'[{{"role": "user", "content": "What to do in {city} when it is {weather}?"}}]',
        "llm.completion": "Take the ferry\nacross the lake.",
        "llm.tokens.input": 21,
        "llm.tokens.output": 9,
        "llm.tokens.total": 30,
        "llm.cost_usd": 0.0001425,
    }
    span, token = tracer.start_span("chat", span_type=SpanType.LLM_CALL, attributes=attributes)
    tracer.end_span(span, token, status=SpanStatus.OK)


@observe(name="compare cities", span_type="chain")
async def compare_cities() -> None:
    await asyncio.gather(*(rate_city(number) for number in range(CITIES)))


@observe(name="rate city")
async def rate_city(number: int) -> int:
    await asyncio.sleep(0)
    return number


@observe(name="list files", span_type="agent_step")
def list_files() -> None:
    subprocess.run([sys.executable, "-c", "print('two files')"], capture_output=True, text=True, check=True)
    subprocess.run([sys.executable, "-c", "import sys; sys.exit(3)"], check=False)


def main() -> None:
    beacon_sdk.init()
    print(plan_trip("Annecy"), flush=True)  # noqa: T201
    sys.stdin.readline()
    asyncio.run(compare_cities())
    list_files()
    # no flush and no shutdown: a program that just ends must lose nothing


if __name__ == "__main__":
    main()
