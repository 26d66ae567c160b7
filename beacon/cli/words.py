"""Small pieces of wording that several commands share."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path


def size(count: float) -> str:
    """Bytes for people: 512 B, 14.2 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    raise AssertionError


def duration(seconds: float) -> str:
    """Seconds for people, two units at most: 12 s, 5 min 12 s, 3 d 4 h."""
    left = int(seconds)
    parts: list[str] = []
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def count(number: int, what: str) -> str:
    """A number of things: 1 replay worker, 3 replay workers."""
    return f"{number} {what}{'s' * (number != 1)}"


def table(rows: list[list[str]]) -> str:
    """Rows in columns, two spaces apart; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def warn_unknown_names(environ: Mapping[str, str]) -> None:
    """A line on stderr for each BEACON_ variable that means nothing to Beacon."""
    from beacon.environment import unknown_names

    for name, nearest in unknown_names(environ):
        print(
            f"beacon: {unknown_name(name, nearest)}{'' if name in environ else f' It stands in {env_file()}.'}",
            file=sys.stderr,
        )


def unknown_name(name: str, nearest: str | None) -> str:
    meant = f"did you mean {nearest}?" if nearest else "the README lists the settings."
    return f"{name} is not a setting of Beacon; {meant}"


def env_file() -> Path:
    """The .env that settings are read from."""
    from beacon.environment import ENV_FILE

    return Path(ENV_FILE).absolute()
