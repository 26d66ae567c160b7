"""The group KEY_TEST: does a key work, and which models are there. A worker asks the providers; ingest calls nobody."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Mapping

import msgspec

from beacon import keys
from beacon.config import Settings
from beacon.contract.jobs import KeyTestPayload, ModelsPayload
from beacon.contract.llm_records import Model, Models, Unlisted
from beacon.errors import BadRequest, PartDown, Unavailable
from beacon.web import Call, Reply, json_reply
from ingest.jobs.board import NewJob
from ingest.jobs.limits import DEADLINES
from ingest.jobs.requests import JobFailed, JobRequests
from ingest.workers import Workers

log = logging.getLogger("beacon.jobs")

CATALOG_S = 20.0
"""Seconds the known models may take to be read: 0.5 as a rule."""


class KeyTestHandlers:
    """`environ` may hold provider keys; they are looked for, and go nowhere from here."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], jobs: JobRequests, workers: Workers) -> None:
        self._settings = settings
        self._environ = environ
        self._jobs = jobs
        self._workers = workers
        self._reading = asyncio.Lock()

    async def test_key(self, call: Call) -> Reply:
        name = call.path["provider"]
        found = keys.endpoint(self._settings.home, name, self._environ)
        if found is None:
            saved = keys.saved_providers(keys.read_config(self._settings.home))
            raise BadRequest(keys.unsupported(name, saved))
        if not found.configured:
            raise BadRequest(keys.no_key(found))
        provider = found.provider
        job = NewJob(
            kind="key_test",
            label=f"Test of the key for {provider}",
            payload=KeyTestPayload(provider),
            deadline_s=DEADLINES["key_test"],
        )
        return await self._jobs.answer(call, lambda tx: job)

    async def list_models(self, call: Call) -> Reply:
        """The known models and what servers list; where no worker can ask those, the known ones, and why not more."""
        endpoints = keys.endpoints(self._settings.home, self._environ)
        servers = [e.provider for e in endpoints if e.configured and not e.needs_key]
        job = NewJob(
            kind="models",
            label="List of models",
            payload=ModelsPayload(servers),
            deadline_s=DEADLINES["models"],
        )
        if self._workers.count() == 0:
            return await self._known(servers, "no replay worker is there to ask it; see `beacon status`")
        try:
            return await self._jobs.answer(call, lambda tx: job)
        except (JobFailed, Unavailable) as e:
            return await self._known(servers, e.detail)

    async def _known(self, servers: list[str], why: str) -> Reply:
        async with self._reading:
            models = await known_models()
        return json_reply(Models(models, [Unlisted(provider, why) for provider in servers]))


async def known_models() -> list[Model]:
    """The known models, read by a program of its own: the price list takes 31 MB for as long as a process lives, and
    this one needs it only while there are no workers. Raises `PartDown` when they cannot be read."""
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ingest.jobs.known_models",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(CATALOG_S):
            out, err = await program.communicate()
    except TimeoutError as e:
        raise PartDown("The list of models took too long to read; send this again in a moment.", 5) from e
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    if program.returncode != 0:
        log.error("the known models cannot be read: %s", err.decode("utf-8", "replace")[-2000:])
        raise PartDown("The list of models cannot be read; Beacon's log says why.", 5)
    return msgspec.json.decode(out, type=list[Model])
