"""Everything behind the guard: finds the operation and its owner, and answers, forwards or streams."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from beacon.contract.operations import PUBLIC
from beacon.contract.routing import Routes
from beacon.errors import BadRequest, MethodNotAllowed, NotFound
from beacon.web import Application, error_reply
from beacon.web.otlp import answer_error
from beacon.web.reply import Reply, send_reply
from hub.answers import no_content, refuse_websocket
from hub.assets import UI
from hub.intake import ClientGone
from hub.live.socket import LIVE_PATH, LiveSocket
from hub.proxy import Proxy


class Edge:
    """ASGI. `own` answers the operations of the hub, `proxy` forwards the others, `live` has the websocket. `nowhere`
    is the page for a person who opens an address that is none."""

    def __init__(self, own: Application, proxy: Proxy, live: LiveSocket, nowhere: Callable[[], Reply]) -> None:
        self._routes = Routes(PUBLIC + UI)
        self._own = own
        self._proxy = proxy
        self._live = live
        self._nowhere = nowhere

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
            return
        try:
            operation, _ = self._routes.match(scope["method"], scope["raw_path"].decode("ascii"))
            if operation.owner == "hub":
                await self._own(scope, receive, send)
            else:
                await self._proxy.forward(operation, scope, receive, send)
        except ClientGone:
            return
        except MethodNotAllowed as e:
            if scope["method"] == "OPTIONS":
                await no_content([(b"allow", ", ".join(e.allow).encode())], send)
            else:
                await send_reply(error_reply(e), send)
        except NotFound as e:
            if scope["raw_path"] == LIVE_PATH:
                await send_reply(error_reply(_websocket_only()), send)
            elif _is_opened(scope):
                await send_reply(self._nowhere(), send)
            else:
                await send_reply(error_reply(e), send)
        except Exception as e:
            await send_reply(answer_error(e, scope), send)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["raw_path"] == LIVE_PATH:
            await self._live(scope, receive, send)
        else:
            path = scope["raw_path"][:200].decode("latin-1")
            await refuse_websocket(NotFound(f"There is no websocket at {path}; live events are at /ws/live."), send)


def _is_opened(scope: Scope) -> bool:
    """Whether a browser goes there for a person, and not a program, which reads JSON: only browsers say where an answer
    will be shown (https://www.w3.org/TR/fetch-metadata/#sec-fetch-dest-header)."""
    return scope["method"] == "GET" and (b"sec-fetch-dest", b"document") in scope["headers"]


def _websocket_only() -> BadRequest:
    return BadRequest("/ws/live is a websocket: connect to it with ws:// and a websocket client.")
