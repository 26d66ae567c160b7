"""The client that calls models, made at the first job that needs it: with its HTTP library it costs 20 MB."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from replay_worker.providers.client import Providers


class LazyModels:
    def __init__(self) -> None:
        self._providers: Providers | None = None

    def get(self) -> Providers:
        """The client; the same one every time, so that its connections are used again."""
        if self._providers is None:
            from replay_worker.providers.client import Providers

            self._providers = Providers()
        return self._providers

    async def close(self) -> None:
        if self._providers is not None:
            await self._providers.aclose()
