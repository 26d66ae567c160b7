"""Every limit of the contract, with its unit and its reason."""

from __future__ import annotations

BODY_MAX = 64 * 1024 * 1024
"""Bytes of a request body after decompression; before it, a body may not be larger either."""

ATTRIBUTES_DEPTH_MAX = 100
"""Levels of nesting inside attributes. Deeper text makes recursive readers (JSON libraries, the UI) fail."""

ID_CHARS_MAX = 128

ID_PATTERN = r"^[A-Za-z0-9._:-]{1,128}$(?!\n)"
"""A native id. The look-ahead is for Python, whose `$` also matches before a final newline."""

RESERVED_TRACE_IDS = frozenset({"export", "import", "baseline"})
"""Words that stand where a trace id stands in a path."""

TIME_MAX_S = 9_223_372_036.0
"""Seconds: what integer nanoseconds in 64 bits can hold, in the year 2262."""

PAGE_DEFAULT = 50
PAGE_MAX = 200

EVENT_BYTES_MAX = 256 * 1024
"""Bytes of frames in one message on the bus: a commit larger than this goes out as several messages."""

EVENT_SPAN_BYTES_MAX = 512 * 1024
"""A span frame above this goes over the bus without its attributes, with ``"attributes_omitted": true``."""

CHANGES_MAX = 2_000
"""Rows one answer of /internal/changes may carry; above it the live stream resyncs instead of healing."""

COST_MAX_USD = 1_000_000.0
"""A single call above this is an error of units, and its picodollars would leave 64 bits when summed."""

TOKENS_MAX = 10**12
"""Tokens of one call; above it the number is no token count, and sums would leave 64 bits."""
