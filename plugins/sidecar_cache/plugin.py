"""The cache plugin: answers what it knows, keeps what flows by."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from sidecar import (
    AroundExchange,
    Exchange,
    ExchangeHandler,
    Lifespan,
    Response,
    Runtime,
    Sample,
    Samples,
    hookimpl,
    tap,
)
from sidecar_cache.config import CacheConfig
from sidecar_cache.entry import entry_of, objection
from sidecar_cache.key import Spellings, Unsuitable, cache_key, opening_of, read_head
from sidecar_cache.store import BoundedMemory

logger = logging.getLogger(__name__)


class Cache(AroundExchange, Lifespan, Samples):
    """An exact cache in memory. The agent never waits for an answer to be stored."""

    Config = CacheConfig

    def __init__(self, config: CacheConfig) -> None:
        self._config = config
        self._name = "cache"
        self._loop: asyncio.AbstractEventLoop  # that of its life
        self._store = BoundedMemory(config.max_memory, config.ttl)
        self._spellings = Spellings()
        self._secret = secrets.token_bytes(32)
        self._counts = dict.fromkeys(("hit", "miss", "skip", "stored", "refused"), 0)

    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Runtime) -> AsyncIterator[None]:
        self._name, self._loop = runtime.name, asyncio.get_running_loop()
        yield

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        body = exchange.request.body
        if body.data is None and body.length is not None:  # an upload without a length may last as long as it likes
            exchange = await exchange.loaded(self._config.max_request)
        head, data = read_head(exchange.request.headers), exchange.request.body.data
        try:
            opening = opening_of(exchange, head, self._secret)
            if data is None:
                raise Unsuitable("the request's body streams past")
            spelled = self._spellings.recall(opening, head, data)
            key = cache_key(opening, head, data) if spelled is None else spelled
        except Unsuitable as reason:
            self._note(exchange, "skip", str(reason))
            return await call_next(exchange)
        if head.no_store:
            self._note(exchange, "skip", "the agent forbids it", key=key[:12])
            return await call_next(exchange)
        entry = None if head.no_cache else self._store.recall(key)
        if entry is not None:
            if spelled is None:
                self._spellings.keep(opening, head, data, key)
            now = time.monotonic()
            self._note(exchange, "hit", "", key=key[:12], age_seconds=round(now - entry.stored, 3))
            return entry.replayed(self._name, now, self._config.ttl)
        self._note(exchange, "miss", "nothing kept under this key", key=key[:12])
        response = await call_next(exchange)
        return self._kept(exchange, response, key)

    def _kept(self, exchange: Exchange, response: Response, key: str) -> Response:
        """*response*, being kept while it flows, if it ends well."""
        if response.status != 200 or response.tunnel is not None:
            return response
        if (whole := response.body.data) is not None and len(whole) <= self._config.max_entry:
            self._loop.call_soon(self._keep, exchange, response, key, whole)
            return response
        chunks: list[bytes] = []
        held = 0

        def on_chunk(chunk: bytes) -> None:
            nonlocal held
            held += len(chunk)
            if held <= self._config.max_entry:
                chunks.append(chunk)
            else:
                chunks.clear()

        def on_end(error: BaseException | None) -> None:
            if error is not None or held > self._config.max_entry:
                self._counts["refused"] += 1
                return
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self._loop.call_soon(self._keep, exchange, response, key, data)

        return response.with_body(tap(response.body, on_chunk, on_end))

    def _keep(self, exchange: Exchange, response: Response, key: str, data: bytes) -> None:
        try:
            fit = objection(exchange, response, data) is None
            kept = fit and self._store.keep(key, entry_of(response, data), self._config.ttl)
        except Exception as error:
            kept = False
            logger.warning("plugin %s cannot keep an answer: %s: %s", self._name, type(error).__name__, error)
        self._counts["stored" if kept else "refused"] += 1

    def _note(self, exchange: Exchange, outcome: str, reason: str, **detail: str | float) -> None:
        self._counts[outcome] += 1
        exchange.note(self._name, outcome, reason, **detail)

    @hookimpl
    def samples(self) -> Iterable[Sample]:
        for outcome in ("hit", "miss", "skip"):
            labels = (("outcome", outcome),)
            yield Sample("cache_requests_total", self._counts[outcome], "Calls looked up.", "counter", labels)
        yield Sample("cache_stored_total", self._counts["stored"], "Answers kept.", "counter")
        yield Sample("cache_refused_total", self._counts["refused"], "Answers not fit to be kept.", "counter")
        yield Sample("cache_evicted_total", self._store.evicted, "Answers that made room.", "counter")
        yield Sample("cache_entries", len(self._store), "Answers kept at present.")
        yield Sample("cache_bytes", self._store.held_bytes, "What they hold.")
