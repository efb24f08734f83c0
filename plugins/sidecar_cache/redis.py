"""aiocache's Redis backend with a client of today."""

import re
from typing import Any, Final

from aiocache.backends.redis import RedisCache

#: Keys that are looked at for one answer: a fraction of a millisecond of the server's time.
_LOOKED_AT: Final = 500
#: What stands for something else in a pattern.
_SPECIAL: Final = re.compile(r"[\\*?\[\]]")


class RedisBackend(RedisCache):  # type: ignore[misc]
    """aiocache 0.12 uses what the client has deprecated since, to write and to end connections."""

    async def _set(self, key: str, value: Any, ttl: Any = None, _cas_token: Any = None, _conn: Any = None) -> Any:
        if _cas_token is not None:
            return await super()._set(key, value, ttl=ttl, _cas_token=_cas_token)
        return await self.client.set(key, value, px=None if ttl is None else max(int(ttl * 1000), 1))

    async def listed(self, prefix: str, cursor: int) -> tuple[int, list[str]]:
        """Some of the keys that begin with *prefix*, and where to go on; 0 is where to begin, and the end."""
        pattern = _SPECIAL.sub(r"\\\g<0>", prefix) + "*"
        cursor, keys = await self.client.scan(cursor, match=pattern, count=_LOOKED_AT)
        return int(cursor), [key.decode("utf-8", "surrogateescape") for key in keys]

    async def _close(self, *args: Any, _conn: Any = None, **kwargs: Any) -> None:
        await self.client.aclose()
