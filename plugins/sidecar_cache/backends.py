"""aiocache's backends: Redis and Valkey by their address, any other by the name of its class.

Imported only where one is configured: aiocache brings whatever clients are installed with it.
"""

import importlib
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from aiocache.base import BaseCache
from aiocache.serializers import NullSerializer

from sidecar import Secret

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
