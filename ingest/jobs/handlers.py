"""What a replay worker asks of the board: the group WORKER. And cancelling, the group JOBS."""

from __future__ import annotations

from msgspec import UNSET

from beacon.contract.jobs import Claim, Complete, Renew
from beacon.contract.llm_records import JobCancelled
from beacon.errors import Invalid
from beacon.web import Call, Reply, json_reply
from ingest.jobs.dispatch import Dispatch


class WorkerHandlers:
    """Claiming, renewing, completing: each says 404 for a job that is gone, 409 for one that is another's."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    async def claim_job(self, call: Call) -> Reply:
        body: Claim = call.body
        return json_reply(await self._dispatch.claim(body.job_id, body.worker_id))

    async def renew_job(self, call: Call) -> Reply:
        body: Renew = call.body
        return json_reply(await self._dispatch.renew(call.path["job_id"], body.token))

    async def complete_job(self, call: Call) -> Reply:
        body: Complete = call.body
        if body.error is not UNSET:
            await self._dispatch.complete(call.path["job_id"], body.token, body.error)
        elif body.result is not UNSET:
            await self._dispatch.complete(call.path["job_id"], body.token, bytes(body.result))
        else:
            raise Invalid("A job is completed with a result or an error.", [("body", "neither result nor error")])
        return json_reply({})


class JobHandlers:
    """Ending a job from outside."""

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch

    async def cancel_job(self, call: Call) -> Reply:
        job = await self._dispatch.cancel(call.path["job_id"])
        return json_reply(JobCancelled(job.job_id, job.state))
