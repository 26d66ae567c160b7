"""`beacon`, the command: parses the command line and hands on to the module of the subcommand, imported only then."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from beacon.cli import run_help
from beacon.errors import Refused
from beacon.version import VERSION

ABOUT = """\
Beacon records what an AI agent did - every LLM call, tool call and step - in one
SQLite file on this machine, and shows it while it happens.

  beacon up             start Beacon; Ctrl-C stops it
  beacon run -- CMD     run a program that sends to Beacon
  beacon send-example   store one small example trace
  beacon open           look at it in the browser
"""

EPILOG = """\
Settings are BEACON_* variables, from the environment or a .env file in the current folder;
the README lists them. "beacon COMMAND -h" explains a command.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status. 0 is good, 1 a problem that was printed, 2 a wrong command line."""
    arguments = _parse(_as_flags(sys.argv[1:] if argv is None else list(argv)))
    if arguments.command is None:
        _parser().print_help()
        return 2
    module = importlib.import_module(f"beacon.cli.{arguments.module}")
    try:
        status: int = module.run(arguments)
        sys.stdout.flush()
    except Refused as e:
        print(f"beacon: {e.detail}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `beacon logs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _as_flags(argv: list[str]) -> list[str]:
    """`beacon help`, `beacon help up` and `beacon version`, as the flags they stand for."""
    if argv[:1] == ["help"]:
        return [*argv[1:2], "--help"]
    return ["--version", *argv[1:]] if argv[:1] == ["version"] else argv


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    arguments, unknown = _parser().parse_known_args(argv)
    if unknown:
        # argparse would show the general usage, not that of the command
        arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="beacon",
        description=ABOUT,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"beacon {VERSION}")
    parser.set_defaults(command=None, parser=parser)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")

    def add(name: str, summary: str, more: str = "", module: str | None = None) -> argparse.ArgumentParser:
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}. {more}".strip(),
        )
        command.set_defaults(module=module or name, parser=command)
        command.add_argument(
            "--home",
            type=Path,
            metavar="DIR",
            help="Beacon's folder: database, logs, sockets (default: BEACON_HOME, else ~/.beacon)",
        )
        return command

    up = add(
        "up",
        "start Beacon and stay in the foreground until Ctrl-C",
        "Starts four processes under a supervisor that restarts what fails. If Beacon is up in this home already, "
        "says where and does nothing.",
    )
    up.add_argument(
        "--port", type=_port, metavar="N", help="TCP port of the API (default: BEACON_BACKEND_PORT, else 7474)"
    )
    up.add_argument(
        "--detach", action="store_true", help="return as soon as Beacon answers, and leave it running in the background"
    )
    up.add_argument(
        "--replay-workers",
        type=_workers,
        metavar="N",
        help="processes that call LLMs for replays (default: BEACON_REPLAY_WORKERS, else 1)",
    )
    add("down", "stop the Beacon of this home and wait until every process has ended")
    add(
        "status",
        "show each process: state, pid, uptime, memory",
        "Exit status: 0 all well, 1 a process is not running or Beacon is not healthy, 3 nothing is up.",
    )
    logs = add("logs", "show what the processes logged")
    logs.add_argument("process", nargs="?", help="only this one: ingest, query, replay_worker, hub or supervisord")
    logs.add_argument("-n", "--lines", type=_lines, default=50, metavar="N", help="the last N lines (default: 50)")
    logs.add_argument("-f", "--follow", action="store_true", help="go on showing new lines until Ctrl-C")
    doctor = add(
        "doctor",
        "check port, folders, file modes, disk, database, sockets and processes, and say what to do",
        "Changes nothing. Exit status: 0, or 1 when there is a problem.",
    )
    doctor.add_argument("--json", action="store_true", help="the findings as JSON, for programs")
    scale = add(
        "scale",
        "change the number of replay workers of a running Beacon",
        "Workers that stay are not touched; one that goes finishes its calls first.",
    )
    scale.add_argument("workers", type=_workers, metavar="N", help="how many there should be, 0 to 64")
    program = add("run", "run a program whose OpenTelemetry spans come to Beacon")
    program.usage = "beacon run [-h] [--home DIR] [-q] [--] PROGRAM ..."
    program.formatter_class = argparse.RawDescriptionHelpFormatter
    program.description, program.epilog = run_help.ABOUT, run_help.EPILOG
    program.add_argument("-q", "--quiet", action="store_true", help="do not say at the end where the trace is")
    program.add_argument(
        "program", nargs=argparse.REMAINDER, metavar="PROGRAM ...", help="the program and its arguments"
    )
    backup = add(
        "backup",
        "copy the database to a file, while Beacon goes on",
        "The copy is the database at one moment, with everything acknowledged before it; one file, for you alone.",
    )
    backup.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a new file (default: beacon-TIME.db here)")
    restore = add(
        "restore",
        "put a backup in the place of the database",
        "Beacon must be down. The present database is kept beside it under another name. An interrupted restore leaves "
        "the old database or the new one, whole.",
    )
    restore.add_argument("file", type=Path, metavar="FILE", help="what `beacon backup` wrote")
    restore.add_argument("-y", "--yes", action="store_true", help="do not ask")
    add("open", "open Beacon in the browser", module="browse")
    add(
        "send-example",
        "store one small example trace through the API, to have something to look at",
        module="example",
    )
    return parser


def _port(text: str) -> int:
    return _number(text, 1, 65535)


def _workers(text: str) -> int:
    return _number(text, 0, 64)


def _lines(text: str) -> int:
    return _number(text, 0, 1_000_000)


def _number(text: str, low: int, high: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = low - 1
    if not low <= number <= high:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low} to {high}")
    return number
