"""aiocache's Redis backend with a client of today."""

from typing import Any

from aiocache.backends.redis import RedisCache


class RedisBackend(RedisCache):  # type: ignore[misc]
    """aiocache 0.12 uses what the client has deprecated since, to write and to end connections."""

    async def _set(self, key: str, value: Any, ttl: Any = None, _cas_token: Any = None, _conn: Any = None) -> Any:
        if _cas_token is not None:
            return await super()._set(key, value, ttl=ttl, _cas_token=_cas_token)
        return await self.client.set(key, value, px=None if ttl is None else max(int(ttl * 1000), 1))

    async def _close(self, *args: Any, _conn: Any = None, **kwargs: Any) -> None:
        await self.client.aclose()
