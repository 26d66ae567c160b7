"""GET /v1/sessions: the traces of each session, summed up.

A walk over all traces in slices, as the trends are: 0.3 us a trace. An index by session would have to hold every figure
that is summed to be faster, and each commit would pay for it.
"""

from __future__ import annotations

from msgspec import Struct

from beacon.contract.records import Session, SessionPage, encode
from beacon.contract.requests import ListSessions
from beacon.contract.units import seconds_from_ns, usd_from_pico
from query.walk import Walk

_ROWS = """
SELECT t.session_id, t.cost_pico, t.tokens, t.status = 'error', t.running_count > 0, t.unpriced_count, t.created_ns,
       max(t.seen_ns, t.created_ns)
FROM traces t WHERE t.trace_row > ? AND t.trace_row <= ? AND t.session_id IS NOT NULL
"""


class _Sums(Struct):
    traces: int = 0
    cost_pico: int = 0
    tokens: int = 0
    errors: int = 0
    running: int = 0
    unpriced: int = 0
    first_ns: int = 2**63
    last_ns: int = 0


def list_sessions(walk: Walk, q: ListSessions) -> bytes:
    """The page as JSON."""
    with walk.snapshot() as db:
        top = int(db.execute("SELECT next_trace_row - 1 FROM counters").fetchone()[0])
    sums: dict[str, _Sums] = {}
    for rows in walk.descend(top, lambda db, low, high: db.execute(_ROWS, (low, high)).fetchall()):
        for session_id, cost_pico, tokens, failed, running, unpriced, created_ns, seen_ns in rows:
            one = sums.get(session_id)
            if one is None:
                one = sums[session_id] = _Sums()
            one.traces += 1
            one.cost_pico += cost_pico
            one.tokens += tokens
            one.errors += failed
            one.running += running
            one.unpriced += unpriced
            one.first_ns = min(one.first_ns, created_ns)
            one.last_ns = max(one.last_ns, seen_ns)
    if q.q is not None:
        folded = q.q.casefold()
        sums = {session_id: one for session_id, one in sums.items() if folded in session_id.casefold()}
    order = sorted(sums, key=lambda session_id: (-sums[session_id].last_ns, session_id))
    page = [_record(session_id, sums[session_id]) for session_id in order[q.offset : q.offset + q.limit]]
    return encode(SessionPage(page, len(order), q.limit, q.offset))


def _record(session_id: str, sums: _Sums) -> Session:
    return Session(
        session_id,
        sums.traces,
        usd_from_pico(sums.cost_pico),
        sums.tokens,
        sums.errors,
        sums.running,
        sums.unpriced,
        seconds_from_ns(sums.first_ns),
        seconds_from_ns(sums.last_ns),
    )
