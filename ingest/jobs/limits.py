"""How long a job may wait and run. Seconds."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from beacon.contract.jobs import HINT_AGAIN_S, LEASE_S, JobKind

DEADLINES: Mapping[JobKind, float] = {
    "replay": 540.0,  # with the wait for a worker below the 660 s the hub waits for an answer
    "chat": 540.0,
    "compare": 540.0,
    "compare_prompts": 540.0,
    "demo": 540.0,
    "analysis": 540.0,
    "key_test": 30.0,
    "models": 12.0,  # a server gets 10 to list its own
}
"""What a kind of job may take, from its claim on."""


class Patience(Struct, frozen=True):
    """`no_worker`: a queued job waits this long while there is no worker at all; `queued`: while all are busy. `late`:
    ingest itself stood still when two looks at the board are this far apart. `grace`: what a worker gets beyond the
    deadline to say itself that it has passed."""

    lease: float = LEASE_S
    hint_again: float = HINT_AGAIN_S
    no_worker: float = 10.0
    queued: float = 90.0
    grace: float = 3.0
    tick: float = 0.25
    late: float = 1.5


PATIENCE = Patience()
