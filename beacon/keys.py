"""Where a provider's model is called, and with which key: the one place that knows."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Style = Literal["openai", "anthropic", "google"]


class Endpoint(Struct, frozen=True, kw_only=True):
    """A provider's server. `key` goes to `base_url` and nowhere else; it is never shown, not even in a repr."""

    provider: str
    style: Style
    base_url: str
    key: str | None = None
    source: Literal["env", "file"] | None = None
    needs_key: bool = True

    @property
    def configured(self) -> bool:
        """Whether it can be called."""
        return self.key is not None or not self.needs_key

    def __repr__(self) -> str:
        return f"Endpoint({self.provider!r}, {self.base_url!r}, {'with' if self.key else 'without'} a key)"
