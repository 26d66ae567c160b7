"""`python -m tests.bench`: measure Beacon as it is started by a user, and print the table.

    python -m tests.bench                     everything, about eight minutes
    python -m tests.bench --quick             a look, two minutes at most
    python -m tests.bench --only ingest,live  some parts of it

Exit status: 0, or 1 when a row could not be measured, 130 after Ctrl-C. A missed target is no
failure: machines differ.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from tests.bench import rows_ingest, rows_latency, rows_live, rows_llm, rows_otlp, rows_start, rows_stored, rows_ui
from tests.bench.plan import FULL, QUICK
from tests.bench.report import busy_percent, markdown, progress, write_json
from tests.bench.rows import Session

BUSY_PERCENT = 10.0
"""Percent of all cores in use by others from which a warning is given."""

Part = Callable[[Session], Awaitable[None]]

PARTS: dict[str, Part] = {
    "start": rows_start.measure,
    "ingest": rows_ingest.measure,
    "latency": rows_latency.measure,
    "live": rows_live.measure,
    "llm": rows_llm.measure,
    "otlp": rows_otlp.measure,
    "stored": rows_stored.measure,
    "ui": rows_ui.measure,
}


def main() -> int:
    arguments = _parser().parse_args()
    session = Session(
        plan=QUICK if arguments.quick else FULL,
        parts=arguments.only,
        work=arguments.work,
        seed=arguments.seed,
        peer=arguments.peer,
        busy_percent=busy_percent(),
    )
    if session.busy_percent > BUSY_PERCENT:
        progress(f"other programs use {session.busy_percent:.0f} % of the cores: the figures will suffer")
    session.work.mkdir(parents=True, exist_ok=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # as Ctrl-C: what was started is ended
    began = time.monotonic()
    status = 1
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            status = runner.run(_measure(session))
    except KeyboardInterrupt:
        progress("interrupted; every process that was started has been ended")
        status = 130
    seconds = time.monotonic() - began
    print(markdown(session, seconds))
    if arguments.out is not None:
        write_json(arguments.out, session, seconds)
    return status


async def _measure(session: Session) -> int:
    """Run the parts; a part that fails leaves its rows unmeasured and the others go on."""
    status = 0
    try:
        async with asyncio.timeout(session.plan.limit_s):
            for name in session.parts:
                try:
                    await PARTS[name](session)
                except Exception:
                    status = 1
                    progress(f"the part {name} failed:")
                    traceback.print_exc()
    except TimeoutError:
        status = 1
        progress(f"stopped after {session.plan.limit_s:.0f} s; what is missing was not measured")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure Beacon: speed, memory, disk.")
    parser.add_argument("--quick", action="store_true", help="one round on less of everything, at most two minutes")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write every figure there, as JSON")
    parser.add_argument("--only", type=_parts, default=tuple(PARTS), metavar="PARTS", help=f"of {','.join(PARTS)}")
    parser.add_argument(
        "--work",
        type=Path,
        default=Path("/tmp"),
        metavar="DIR",
        help="where homes are made and removed; on the disk to be measured, with a short path (default: /tmp)",
    )
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="another workload of this kind (default: 7)")
    parser.add_argument(
        "--peer", type=_peer, metavar="traceview=PATH", help="also measure trace-view's program `tv`, for the ratio"
    )
    return parser


def _parts(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(PARTS)}")
    return names


def _peer(text: str) -> Path:
    name, _, path = text.partition("=")
    if name != "traceview" or not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is not traceview=PATH with the path of its program")
    return Path(path).resolve()


if __name__ == "__main__":
    sys.exit(main())
