"""What a migration did: for the log, and for tests."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct


class MigrationReport(Struct, frozen=True, kw_only=True):
    """`mended` counts, by attribute key (`beacon.legacy.<column>`), the spans whose value did not fit and is kept
    under that key; `beacon.legacy.tags` counts traces. `left_behind` are tables (`t`) and columns (`t.c`) that are not
    of the original layout as known here: only the backup has them."""

    backup: Path
    traces: int
    spans: int
    prompt_versions: int
    replay_runs: int
    traces_without_spans: int
    prompt_versions_without_span: int
    replay_runs_without_span: int
    mended: dict[str, int]
    left_behind: tuple[str, ...]
    seconds: float

    def lines(self) -> list[str]:
        """The report as sentences for a log, the plain result first."""
        out = [
            f"migrated {self.spans:,} spans in {self.traces:,} traces, {self.prompt_versions:,} prompt versions and "
            f"{self.replay_runs:,} replay runs in {self.seconds:.1f} s; the original is kept as {self.backup}"
        ]
        only_in_backup = [
            f"{count:,} {what}"
            for count, what in (
                (self.traces_without_spans, "traces without any span"),
                (self.prompt_versions_without_span, "prompt versions of spans that do not exist"),
                (self.replay_runs_without_span, "replay runs of spans that do not exist"),
            )
            if count
        ]
        only_in_backup += [f"the unknown {name}" for name in self.left_behind]
        if only_in_backup:
            out.append(f"only the backup has: {', '.join(only_in_backup)}")
        if self.mended:
            counted = ", ".join(f"{key} {count:,}" for key, count in sorted(self.mended.items()))
            out.append(f"values that did not fit are kept under these keys: {counted}")
        return out
