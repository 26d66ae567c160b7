"""The conversation of `asked`, as pydantic-ai's agents have it."""

from __future__ import annotations

import asyncio

import asked
import openai
from pydantic_ai import Agent, BinaryContent, ModelHTTPError
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings


async def _converse() -> None:
    async with openai.AsyncOpenAI(max_retries=0) as client:
        model = OpenAIChatModel(asked.MODEL, provider=OpenAIProvider(openai_client=client))
        settings = ModelSettings(temperature=asked.TEMPERATURE, max_tokens=asked.MAX_TOKENS)
        weather = Agent(
            model, name="weather", system_prompt=asked.SYSTEM, tools=[asked.get_weather], model_settings=settings
        )
        plain = Agent(model, name="plain", model_settings=settings)
        await weather.run(asked.QUESTION, conversation_id=asked.SESSION)
        async with plain.run_stream(asked.COUNT, conversation_id=asked.SESSION) as result:
            async for _ in result.stream_text():
                pass
        picture = BinaryContent(asked.PIXEL, media_type="image/png")
        await plain.run([asked.LOOK_AT, picture], conversation_id=asked.SESSION)
        try:
            await plain.run(asked.REFUSED, conversation_id=asked.SESSION)
        except ModelHTTPError:
            pass
        else:
            raise AssertionError("the provider was to refuse this")


def converse() -> None:
    asyncio.run(_converse())
