"""The jobs as they stand: a page of them, newest first, or one."""

from __future__ import annotations

import sqlite3

from beacon.contract.jobs import JobPage
from beacon.contract.llm_records import ListJobs
from beacon.contract.records import encode
from beacon.errors import NotFound
from beacon.store.rows import JOB_COLUMNS, job_of


def list_jobs(db: sqlite3.Connection, asked: ListJobs) -> bytes:
    """A page of jobs as JSON. At most BOARD_MAX and FINISHED_KEPT are kept: a state is looked for among all of them."""
    where, values = ("WHERE j.state = ?", (asked.state,)) if asked.state is not None else ("", ())
    (total,) = db.execute(f"SELECT count(*) FROM jobs j {where}", values).fetchone()
    rows = db.execute(
        f"SELECT {JOB_COLUMNS} FROM jobs j {where} ORDER BY j.job_row DESC LIMIT ? OFFSET ?",
        (*values, asked.limit, asked.offset),
    )
    return encode(JobPage([job_of(row) for row in rows], asked.limit, asked.offset, total))


def read_job(db: sqlite3.Connection, job_id: str) -> bytes:
    """One job as JSON. Raises `NotFound`."""
    row = db.execute(f"SELECT {JOB_COLUMNS} FROM jobs j WHERE j.job_id = ?", (job_id,)).fetchone()
    if row is None:
        raise NotFound("Job not found")
    return encode(job_of(row))
