"""Which operation a method and path name: one lookup, used by the hub to find the owner and by the owner to find
the handler. Pure; built once from the table."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from beacon.contract.operation import Operation
from beacon.errors import MethodNotAllowed, NotFound


class Routes:
    """`match` gives the operation and its path parameters, percent-decoded. A fixed segment wins over a parameter."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._fixed: dict[str, dict[str, Operation]] = {}
        self._patterns: dict[int, list[tuple[tuple[str, ...], dict[str, Operation]]]] = {}
        for op in operations:
            if "{" not in op.path:
                for path in (op.path, *op.aliases):
                    self._fixed.setdefault(path, {})[op.method] = op
                continue
            segments = tuple(op.path.split("/"))
            for known, methods in self._patterns.setdefault(len(segments), []):
                if known == segments:
                    methods[op.method] = op
                    break
            else:
                self._patterns[len(segments)].append((segments, {op.method: op}))
        for patterns in self._patterns.values():
            patterns.sort(key=lambda p: [s.startswith("{") for s in p[0]])

    def match(self, method: str, raw_path: str) -> tuple[Operation, dict[str, str]]:
        """Raises `NotFound` for a path no operation has, `MethodNotAllowed` (with those it has) for a wrong method.

        `raw_path` is the path as sent, still percent-encoded and without its query, so that an encoded slash
        stays inside its segment.
        """
        methods = self._fixed.get(raw_path)
        params: dict[str, str] = {}
        if methods is None:
            methods, params = self._match_pattern(raw_path)
        if methods is None:
            raise NotFound(f"There is nothing at {raw_path[:200]}. The routes are listed at /docs.")
        op = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
        if op is None:
            allow = tuple(sorted(methods))
            raise MethodNotAllowed(f"{raw_path[:200]} takes {', '.join(allow)}, not {method}.", allow)
        return op, params

    def _match_pattern(self, raw_path: str) -> tuple[dict[str, Operation] | None, dict[str, str]]:
        parts = raw_path.split("/")
        for segments, methods in self._patterns.get(len(parts), ()):
            params = {}
            for want, got in zip(segments, parts, strict=True):
                if want.startswith("{") and got:
                    params[want[1:-1]] = unquote(got)
                elif want != got:
                    break
            else:
                return methods, params
        return None, {}
