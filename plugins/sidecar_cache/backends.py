"""aiocache's backends: Redis and Valkey by their address, any other by the name of its class.

Imported only where one is configured: aiocache brings whatever clients are installed with it.
"""

import importlib
import math
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer
from msgspec import Struct

from sidecar import Secret
from sidecar_cache.memory import Memory

_SCHEMES: Final = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
"""And whether they mean TLS."""
_CONNECTIONS: Final = 24
_TLS_FIELDS: Final = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_VALUE_BYTES: Final = 120


class Unusable(ValueError):
    """No backend can be made of what was said: what is wrong, and what to do."""


def redis_backend(url: str, password: Secret | None = None, connect_seconds: float = 1.0) -> BaseCache:
    """Redis or Valkey at *url*: ``redis://user@host:port/database``; ``rediss`` for TLS, ``?ssl_ca_certs=`` for its CA.

    Nothing is connected yet. What is read from it are bytes.

    Raises:
        Unusable: *url* is no such address, or the client is not installed.
    """
    parts = urlsplit(url)
    fields = dict(parse_qsl(parts.query))
    database = parts.path.strip("/") or "0"
    try:
        port = parts.port or 6379
    except ValueError:
        raise Unusable("has a port that is none") from None
    if parts.scheme not in _SCHEMES or not parts.hostname or not database.isdigit():
        raise Unusable("is not an address of Redis or Valkey", "write redis://host:6379/0, or rediss:// for TLS")
    if unknown := fields.keys() - {*_TLS_FIELDS}:
        raise Unusable(f"has an unknown field {sorted(unknown)[0]}", f"known are {', '.join(_TLS_FIELDS)}")
    try:
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        from sidecar_cache.redis import RedisBackend
    except ImportError:
        raise Unusable("needs a client that is not installed", "pip install 'agent-sidecar[redis]'") from None
    said = password.reveal if password is not None else unquote(parts.password or "")
    return RedisBackend(
        endpoint=parts.hostname,
        port=port,
        db=int(database),
        password=said or None,
        pool_max_size=_CONNECTIONS,
        create_connection_timeout=connect_seconds,
        ssl=_SCHEMES[parts.scheme],
        serializer=NullSerializer(encoding=None),
        timeout=None,
        connection_pool_kwargs={
            "username": unquote(parts.username or "") or None,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,  # both servers speak it without being asked first
            **fields,
        },
    )


def named_backend(path: str, arguments: Mapping[str, Any]) -> BaseCache:
    """The aiocache backend of class *path* (``package.module:Class``), made with *arguments*.

    Raises:
        Unusable: there is none, or it does not take the arguments.
    """
    module_name, _, class_name = path.rpartition(":" if ":" in path else ".")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise Unusable(f"cannot be imported: {error}", "write package.module:Class") from None
    if not (isinstance(found, type) and issubclass(found, BaseCache)):
        raise Unusable("is no backend of aiocache", "name a class that inherits aiocache.base.BaseCache")
    try:
        return found(**{"serializer": NullSerializer(encoding=None), "timeout": None, **arguments})
    except Exception as error:
        raise Unusable(f"cannot be made with these arguments: {type(error).__name__}: {error}") from None


class _Value(Struct, frozen=True, gc=False):
    value: Any
    until: float
    held_bytes: int


class MemoryBackend(BaseCache):  # type: ignore[misc]
    """``Memory`` as a backend like any other: bounded in bytes, where aiocache's own one grows for ever.

    Args:
        max_bytes: what all values may hold together.
        clock: monotonic.
        settings: those of ``aiocache.base.BaseCache``.
    """

    NAME = "bounded-memory"

    def __init__(self, max_bytes: int, clock: Callable[[], float] = time.monotonic, **settings: Any) -> None:
        super().__init__(**{"serializer": NullSerializer(encoding=None), "timeout": None, **settings})
        self.memory: Memory[_Value] = Memory(max_bytes)
        self._clock = clock

    async def _get(self, key: str, encoding: str | None = None, _conn: Any = None) -> Any:
        held = self.memory.recall(key)
        if held is None:
            return None
        if held.until <= self._clock():
            self.memory.forget(key)
            return None
        return held.value

    async def _multi_get(self, keys: list[str], encoding: str | None = None, _conn: Any = None) -> list[Any]:
        return [await self._get(key) for key in keys]

    async def _set(
        self, key: str, value: Any, ttl: float | None = None, _cas_token: Any = None, _conn: Any = None
    ) -> bool:
        until = math.inf if ttl is None else self._clock() + ttl
        size = len(value) if isinstance(value, bytes | str) else 0
        return self.memory.keep(key, _Value(value, until, size + _VALUE_BYTES))

    async def _multi_set(self, pairs: list[tuple[str, Any]], ttl: float | None = None, _conn: Any = None) -> bool:
        return all([await self._set(key, value, ttl) for key, value in pairs])

    async def _add(self, key: str, value: Any, ttl: float | None = None, _conn: Any = None) -> bool:
        if await self._get(key) is not None:
            raise ValueError(f"Key {key} already exists, use .set to update the value")
        return await self._set(key, value, ttl)

    async def _exists(self, key: str, _conn: Any = None) -> bool:
        return await self._get(key) is not None

    async def _delete(self, key: str, _conn: Any = None) -> int:
        return int(self.memory.forget(key))

    async def _clear(self, namespace: str | None = None, _conn: Any = None) -> bool:
        for held in list(self.memory.items()):
            if namespace is None or held.key.startswith(namespace):
                self.memory.forget(held.key)
        return True
