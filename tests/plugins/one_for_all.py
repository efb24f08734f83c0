"""A backend of aiocache that is one for the whole process, as a server is for all pods."""

from typing import Any

from aiocache import SimpleMemoryCache


class OneForAll(SimpleMemoryCache):  # type: ignore[misc]
    kept: dict[str, Any] = {}

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._cache = self.kept
