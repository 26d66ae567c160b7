"""Logfire's SDK with nothing sent to Logfire: OpenAI's client, instrumented."""

from __future__ import annotations

import asked
import logfire

logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)
logfire.instrument_openai()

from with_openai import converse  # noqa: E402 - openai is patched first

# not session.id: Logfire's scrubbing takes values whose name has "session" in it
with logfire.span("weather agent", **{"gen_ai.conversation.id": asked.SESSION, "user.id": asked.USER}):
    converse()
logfire.shutdown()
