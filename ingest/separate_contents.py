"""Content that travels apart from its span, laid over the span's attributes: whichever comes first, and whatever comes
later, the span has it.

A content for `span:ID` is that span's. One for another address is that span's which listens to the address and started
last before the content's time.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET

from ingest.columns import derive_columns
from ingest.database import Transaction
from ingest.decode import Arrival
from ingest.merge import SpanState
from ingest.otlp.arrived import Content
from ingest.otlp.contents import with_contents
from ingest.otlp.values import json_text

Key = tuple[str, str]
"""(trace_id, span_id)"""

Address = tuple[str, str]
"""(trace_id, address)"""

MARK = "beacon.from_logs"
"""The attribute that names those that came apart from the span."""

CONTENTS_MAX = 500
CONTENT_CHARACTERS_MAX = 8 * 1024 * 1024
"""Contents of one address, and their characters where they are more than one. All that a span has are laid over it
whenever another comes: 2,000 log records that came one by one for one span took 48 s, 60 of 1 MB took 29 s. No call has
as many messages."""

OWN = "span:"
"""What the address of a content for one certain span begins with."""

INSERT_CONTENT = "INSERT INTO contents (trace_id, address, digest, time_ns, text, created_ns) VALUES (?, ?, ?, ?, ?, ?)"
PUT_LISTENER = (
    "INSERT INTO content_listeners (trace_id, span_id, address, start_ns) VALUES (?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET start_ns = excluded.start_ns WHERE excluded.start_ns < start_ns"
)
_EACH = "FROM json_each(?) j CROSS JOIN"
_ON = "ON x.trace_id = json_extract(j.value, '$[0]') AND x.{} = json_extract(j.value, '$[1]')"
SELECT_CONTENTS = (
    "SELECT x.content_row, x.trace_id, x.address, x.time_ns, x.text, x.claimed "
    f"{_EACH} contents x {_ON.format('address')}"
)
SELECT_DIGESTS = f"SELECT x.trace_id, x.address, x.digest, length(x.text) {_EACH} contents x {_ON.format('address')}"
SELECT_LISTENED = (
    f"SELECT x.trace_id, x.address, x.span_id, x.start_ns {_EACH} content_listeners x {_ON.format('span_id')}"
)
SELECT_LISTENERS = (
    f"SELECT x.trace_id, x.address, x.span_id, x.start_ns {_EACH} content_listeners x {_ON.format('address')}"
)
HAS_CONTENTS = "SELECT 1 FROM json_each(?) j CROSS JOIN contents c ON c.trace_id = j.value LIMIT 1"
CLAIM = "UPDATE contents SET claimed = 1 WHERE content_row IN (SELECT value FROM json_each(?))"
FORGET = tuple(
    f"DELETE FROM {table} WHERE trace_id IN (SELECT value FROM json_each(?))"
    for table in ("contents", "content_listeners")
)


class _Row(NamedTuple):
    content_row: int
    content: Content
    claimed: bool


def contents_for(
    tx: Transaction, batch: Sequence[list[Arrival]], contents: Sequence[Sequence[Content]]
) -> ContentRows | None:
    """What has to be laid over the spans of this transaction, `contents` of each of its requests among it; None while
    there are no contents at all, at no cost, and where none are of these traces (0.1 us a span; to ask for each span
    would be 4)."""
    if tx.kept.has_contents is None:
        (tx.kept.has_contents,) = map(bool, tx.db.execute("SELECT EXISTS (SELECT 1 FROM contents)").fetchone())
    listening = [a for arrivals in batch for a in arrivals if a.otel is not None and a.otel.listens]
    rows = ContentRows(tx.db)
    rows.listen(listening)
    if any(contents):
        rows.insert(contents, tx.now_ns)
        tx.kept.has_contents = True
    elif not tx.kept.has_contents:
        return None
    elif not listening:
        traces = {a.span.trace_id for arrivals in batch for a in arrivals}
        if tx.db.execute(HAS_CONTENTS, (msgspec.json.encode(list(traces)).decode(),)).fetchone() is None:
            return None
    return rows


class ContentRows:
    """The contents that matter to one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._new: set[Address] = set()
        self._of: dict[Key, list[_Row]] = {}
        self.refused: Counter[int] = Counter()
        """By number of the request how many of its contents are not kept: their addresses have as many already."""

    def listen(self, arrivals: Iterable[Arrival]) -> None:
        """Keep what the spans listen to."""
        rows = []
        for arrival in arrivals:
            span, otel = arrival.span, arrival.otel
            if otel is not None and arrival.start_ns is not UNSET:
                rows += [(span.trace_id, span.span_id, address, arrival.start_ns) for address in otel.listens]
        if rows:
            self._db.executemany(PUT_LISTENER, rows)
            self._new.update((trace_id, address) for trace_id, _, address, _ in rows)

    def insert(self, contents: Sequence[Sequence[Content]], now_ns: int) -> None:
        """Keep the contents of each request; one that is kept already is the same."""
        stored: dict[Address, set[str]] = {(c.trace_id, c.address): set() for those in contents for c in those}
        characters: Counter[Address] = Counter()
        for trace_id, address, digest, length in self._each(SELECT_DIGESTS, set(stored)):
            stored[trace_id, address].add(digest)
            characters[trace_id, address] += length
        rows = []
        for request, those in enumerate(contents):
            for c in those:
                address = (c.trace_id, c.address)
                digest, digests = _digest(c), stored[address]
                if digest not in digests:
                    more = characters[address] + len(c.text)
                    if len(digests) >= CONTENTS_MAX or (digests and more > CONTENT_CHARACTERS_MAX):
                        self.refused[request] += 1
                        continue
                    digests.add(digest)
                    characters[address] = more
                    rows.append((c.trace_id, c.address, digest, c.time_ns, c.text, now_ns))
        self._db.executemany(INSERT_CONTENT, rows)
        self._new.update((row[0], row[1]) for row in rows)

    def load(self, batch: Sequence[list[Arrival]]) -> set[Key]:
        """Read whatever the spans of `batch`, and those that new contents or listeners concern, have; returns the keys
        of all that have any, or might have had."""
        concerned = {(a.span.trace_id, a.span.span_id) for arrivals in batch for a in arrivals}
        concerned |= {(trace_id, address[len(OWN) :]) for trace_id, address in self._new if address.startswith(OWN)}
        shared = {address for address in self._new if not address[1].startswith(OWN)}
        concerned |= {(trace_id, span_id) for trace_id, _, span_id, _ in self._each(SELECT_LISTENERS, shared)}
        # all that each of them has, not only what is new: content is laid over as a whole
        listened = self._each(SELECT_LISTENED, concerned)
        addresses = {(trace_id, address) for trace_id, address, _, _ in listened}
        listeners: dict[Address, list[tuple[int, str]]] = {}
        for trace_id, address, span_id, start_ns in self._each(SELECT_LISTENERS, addresses):
            listeners.setdefault((trace_id, address), []).append((start_ns, span_id))
        for found in listeners.values():
            found.sort()
        addresses |= {(trace_id, OWN + span_id) for trace_id, span_id in concerned}
        for content_row, trace_id, address, time_ns, text, claimed in self._each(SELECT_CONTENTS, addresses):
            heard_by = (
                address[len(OWN) :]
                if address.startswith(OWN)
                else _listener(listeners.get((trace_id, address), []), time_ns)
            )
            if heard_by is not None and (trace_id, heard_by) in concerned:
                row = _Row(content_row, Content(trace_id, address, time_ns, text), bool(claimed))
                self._of.setdefault((trace_id, heard_by), []).append(row)
        return {(trace_id, span_id) for trace_id, _, span_id, _ in listened} | set(self._of)

    def over_sent(self, key: Key, attributes: str, start_ns: int | None) -> str:
        """`attributes` as a span sends them, with what came apart from it."""
        rows = self._of.get(key)
        return attributes if rows is None else _laid(msgspec.json.decode(attributes), rows, start_ns)

    def over_stored(self, key: Key, span: SpanState) -> SpanState:
        """`span` as it is stored, with the contents it has now; itself when nothing changes. What it had before and has
        no more, because another has started to listen since, goes."""
        rows = self._of.get(key, [])
        if not rows and MARK not in span.attributes:
            return span
        text = _laid(msgspec.json.decode(span.attributes), rows, span.start_ns)
        if text == span.attributes:
            return span
        columns = derive_columns(span.span_type, msgspec.json.decode(text))
        return msgspec.structs.replace(span, attributes=text, **columns._asdict())

    def claim(self, key: Key) -> None:
        """The span is stored: what it has is not dropped before it."""
        rows = [row.content_row for row in self._of.get(key, ()) if not row.claimed]
        if rows:
            self._db.execute(CLAIM, (msgspec.json.encode(rows).decode(),))

    def _each(self, sql: str, pairs: set[tuple[str, str]]) -> list[tuple[Any, ...]]:
        return self._db.execute(sql, (msgspec.json.encode(list(pairs)).decode(),)).fetchall() if pairs else []


def with_laid(arrival: Arrival, contents: ContentRows) -> Arrival:
    """`arrival` with what came apart from its span, so that the same arrival again is the same as what is stored."""
    if arrival.attributes is UNSET:
        return arrival
    span = arrival.span
    start_ns = None if arrival.start_ns is UNSET else arrival.start_ns
    text = contents.over_sent((span.trace_id, span.span_id), arrival.attributes, start_ns)
    if text is arrival.attributes:
        return arrival
    columns = UNSET if span.span_type is UNSET else derive_columns(span.span_type, msgspec.json.decode(text))
    return msgspec.structs.replace(arrival, attributes=text, columns=columns)


def _laid(attributes: dict[str, Any], rows: list[_Row], start_ns: int | None) -> str:
    for name in [*_names(attributes.get(MARK)), MARK]:
        attributes.pop(name, None)
    if rows:
        attributes = with_contents(attributes, [row.content for row in rows], start_ns)
    return json_text(attributes)


def _names(mark: Any) -> list[str]:
    return [name for name in mark if isinstance(name, str)] if isinstance(mark, list) else []


def _listener(listeners: list[tuple[int, str]], time_ns: int) -> str | None:
    """Of (start_ns, span_id), ascending, the last that had started by `time_ns`."""
    last = None
    for start_ns, span_id in listeners:
        if start_ns > time_ns:
            break
        last = span_id
    return last


def _digest(content: Content) -> str:
    return hashlib.sha256(f"{content.time_ns}\0{content.text}".encode()).hexdigest()[:32]


def forget(db: sqlite3.Connection, trace_ids: Sequence[str]) -> None:
    """Delete what belongs to these traces."""
    for sql in FORGET:
        db.execute(sql, (msgspec.json.encode(trace_ids).decode(),))
