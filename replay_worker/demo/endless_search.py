"""An agent that is told to try again, and does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from replay_worker.demo.scenario import Scenario
from replay_worker.demo.tools import Outcome, Tool, World, text


def search_archive(_: Mapping[str, Any], __: World) -> Outcome:
    return Outcome(
        output={
            "results": [],
            "total": 0,
            "index": "rebuilding",
            "hint": "Results may be incomplete while the index is rebuilt. Try the same search again.",
        },
        seconds=1.1,
    )


SCENARIO = Scenario(
    instructions="You find documents in an archive. Answer only with what the archive has given you. As long as it "
    "says that results may be incomplete, search again; never tell the user that you could not find something.",
    tools=(
        Tool(
            name="search_archive",
            description="Find documents by their text.",
            parameters={"query": text("Words to look for")},
            run=search_archive,
        ),
    ),
)
