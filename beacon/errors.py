"""Every error Beacon raises on purpose, with the HTTP status it becomes and whether trying again can help.

BeaconError
├── RequestError              the client can mend it; trying the same again cannot help
│   ├── BadRequest        400  well-formed, but cannot be done
│   ├── Unauthorized      401  a token is asked for
│   ├── Forbidden         403  Host or Origin is not one of ours
│   ├── NotFound          404
│   ├── MethodNotAllowed  405
│   ├── Conflict          409
│   ├── TooLarge          413
│   ├── UnsupportedMedia  415  content type or encoding
│   └── Invalid           422  names each wrong place in `errors`
├── UpstreamFailed        502  a model's provider failed; its own words, trimmed
├── Unavailable           503  trying again after `retry_after` seconds can help
│   ├── QueueFull
│   ├── StoreBusy              disk full, file locked, I/O error
│   └── PartDown               a process of the stack is away
└── Refused                    a process must not start; exits with REFUSED_EXIT, which supervisord leaves down
"""

from __future__ import annotations

REFUSED_EXIT = 78
"""sysexits.h EX_CONFIG: supervisord.conf lists it under exitcodes, so a refusal is not restarted for ever."""


class BeaconError(Exception):
    """The root; `status` is the HTTP status, `detail` one sentence saying what is wrong and what to do."""

    status = 500
    retryable = False

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class RequestError(BeaconError):
    status = 400


class BadRequest(RequestError):
    status = 400


class Unauthorized(RequestError):
    status = 401


class Forbidden(RequestError):
    status = 403


class NotFound(RequestError):
    status = 404


class MethodNotAllowed(RequestError):
    status = 405

    def __init__(self, detail: str, allow: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.allow = allow


class Conflict(RequestError):
    status = 409


class TooLarge(RequestError):
    status = 413


class UnsupportedMedia(RequestError):
    status = 415


class Invalid(RequestError):
    """422; `errors` is a list of (loc, msg), loc like ``spans[3].start_time``."""

    status = 422

    def __init__(self, detail: str, errors: list[tuple[str, str]] | None = None) -> None:
        super().__init__(detail)
        self.errors = errors or []


class UpstreamFailed(BeaconError):
    """502: the provider of a model failed, or did not answer in time. `upstream_status`: the HTTP status it failed
    with, None when it was none."""

    status = 502

    def __init__(self, detail: str, upstream_status: int | None = None) -> None:
        super().__init__(detail)
        self.upstream_status = upstream_status


class Unavailable(BeaconError):
    """503 with Retry-After: `retry_after` in whole seconds."""

    status = 503
    retryable = True

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class QueueFull(Unavailable):
    pass


class StoreBusy(Unavailable):
    pass


class PartDown(Unavailable):
    pass


class Refused(BeaconError):
    """A process that must not start; the message says why and what to do."""
