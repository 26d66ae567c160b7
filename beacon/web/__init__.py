"""The web seam: binds operations to handlers, turns errors into answers, serves over uvicorn."""

from beacon.web.application import Application, Call, Handler
from beacon.web.reply import Reply, error_reply, json_reply
from beacon.web.server import serve_port, serve_unix

__all__ = [
    "Application",
    "Call",
    "Handler",
    "Reply",
    "error_reply",
    "json_reply",
    "serve_port",
    "serve_unix",
]
