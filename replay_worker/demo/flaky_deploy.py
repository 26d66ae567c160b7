"""An agent that deploys, and fails late for what it did early.

The migration times out on a lock. Stamping the database as migrated, which the tool offers, succeeds at once and
changes nothing; the new version then starts, and fails its health check for a column that was never added.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from replay_worker.demo.scenario import Scenario
from replay_worker.demo.tools import Outcome, Tool, World, command, file_read, text

CONFIG = """service: checkout
environment: staging
version: 2.14.0
database: postgresql://checkout@db-staging/orders
migrations:
  directory: migrations
  latest: 0043_add_discount_code
  lock_timeout_s: 5
health:
  path: /healthz
  attempts: 3
"""

LOCKED = (
    "INFO  running upgrade 0042_split_address -> 0043_add_discount_code\n"
    "ERROR canceling statement due to lock timeout: ALTER TABLE orders ADD COLUMN discount_code text\n"
)

STAMPED = (
    "INFO  stamping revision 0043_add_discount_code without running it\n"
    "INFO  alembic_version is now 0043_add_discount_code\n"
)

UNHEALTHY = (
    "attempt 1: 503 Service Unavailable\nattempt 2: 503 Service Unavailable\nattempt 3: 503 Service Unavailable\n"
    'body: {"status":"failing","error":"UndefinedColumn: column orders.discount_code does not exist"}\n'
)

FAULT = (
    "HealthCheckFailed: checkout 2.14.0 answered 503 three times: "
    "UndefinedColumn: column orders.discount_code does not exist"
)


def read_file(given: Mapping[str, Any], _: World) -> Outcome:
    if given["path"] != "deploy/checkout.yaml":
        return Outcome(error=f"FileNotFoundError: {given['path'][:120]}; there is deploy/checkout.yaml.")
    return Outcome(output={"content": CONFIG}, deeds=(file_read(given["path"], CONFIG),))


def run_migrations(given: Mapping[str, Any], world: World) -> Outcome:
    if given["mode"] == "stamp":
        world["stamped"] = True
        stamped = command("alembic stamp head", STAMPED, seconds=0.6)
        return Outcome(output={"returncode": 0, "stdout": STAMPED}, deeds=(stamped,))
    locked = command("alembic upgrade head", "", returncode=1, stderr=LOCKED, seconds=2.5)
    return Outcome(error=f"MigrationFailed: {locked.error}", deeds=(locked,))


def roll_out(given: Mapping[str, Any], world: World) -> Outcome:
    line = f"kubectl set image deployment/checkout checkout=registry.example/checkout:{given['version']}"
    if not world.get("stamped"):
        return Outcome(error="Refused: the database is not at revision 0043_add_discount_code.", seconds=0.2)
    world["rolled_out"] = True
    stdout = "deployment.apps/checkout image updated\n3 of 3 replicas started\n"
    return Outcome(output={"returncode": 0, "stdout": stdout}, deeds=(command(line, stdout, seconds=1.8),))


def check_health(_: Mapping[str, Any], world: World) -> Outcome:
    line = "curl --fail --retry 2 http://checkout.staging.example/healthz"
    if not world.get("rolled_out"):
        return Outcome(output={"status": "ok", "version": "2.13.2"}, deeds=(command(line, "ok 2.13.2\n"),))
    failed = command(line, "", returncode=22, stderr=UNHEALTHY, seconds=2.0)
    return Outcome(error=FAULT, deeds=(failed,), fatal=True)


def not_deployed(_: World) -> str:
    """An answer is no success: the service had to be healthy in its new version, and with that database never is."""
    return "DeploymentFailed: checkout 2.14.0 is not running on staging."


SCENARIO = Scenario(
    instructions="You deploy services. Read the service's file in deploy/, migrate its database, roll the new version "
    "out and check its health, one step a turn. If a step fails, find a way to get past it. You have five turns.",
    tools=(
        Tool(
            name="read_file",
            description="Read a file of the repository.",
            parameters={"path": text("For example deploy/checkout.yaml")},
            run=read_file,
        ),
        Tool(
            name="run_migrations",
            description="Bring the database to the latest revision: upgrade runs the migrations, stamp marks the "
            "database as migrated.",
            parameters={"mode": text("How", "upgrade", "stamp")},
            run=run_migrations,
        ),
        Tool(
            name="roll_out",
            description="Start a version of the service.",
            parameters={"version": text("For example 2.14.0")},
            run=roll_out,
        ),
        Tool(
            name="check_health",
            description="Ask the service whether it is healthy, three times.",
            parameters={"service": text("Name of the service")},
            run=check_health,
        ),
    ),
    fault=not_deployed,
)
