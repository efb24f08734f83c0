"""Speech fetched in the background before it is asked for, within a budget, and out of the way of agents' calls."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import asdict

from sidecar import Calls, Exchange, Provider, Response
from sidecar_cache.behind import PURPOSE
from sidecar_cache.budget import Budget
from sidecar_cache.config import CacheConfig
from sidecar_cache.entry import Entry, age_seconds
from sidecar_cache.holdings import Holdings
from sidecar_cache.identity import Head, Identity, Terms, Unsuitable, identity_of, opening_of, read_head
from sidecar_cache.keeping import Purpose
from sidecar_cache.phrases import Unspeakable, lines_of, request_of
from sidecar_cache.storage import MEMORY
from sidecar_cache.tenants import terms_of
from sidecar_cache.ways import Way, Ways

logger = logging.getLogger(__name__)

#: Plugins that come after this one are in service by then, and the first calls have had their turn.
_AFTER_START_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 60.0
#: What is on a disk may take so long to be there.
_LOADING_SECONDS: Final = 30.0
#: How long it may take until an answer that is here is judged.
_JUDGED_SECONDS: Final = 5.0
_LARGEST_FILE_BYTES: Final = 4 * 1024 * 1024
_TRIES: Final = 3
_PASSING: Final = frozenset((408, 409, 425, 429))
"""Statuses below 500 that say nothing against asking again."""
_TROUBLES: Final = 20


class Busy(Exception):
    """It is being done already."""


class Progress(Struct, kw_only=True):
    """How far it is, in phrases."""

    wanted: int = 0
    there: int = 0
    """Kept and fresh already."""
    fetched: int = 0
    unfit: int = 0
    """Answered, but not fit to be kept, or without room."""
    calls: int = 0
    failed_calls: int = 0
    troubles: list[str] = []


class Warming:
    """
    Args:
        calls: of the plugin's runtime.
        name: of the plugin, for messages.
    """

    def __init__(
        self, config: CacheConfig, calls: Calls, providers: Mapping[str, Provider], held: Holdings, name: str
    ) -> None:
        self._config = config
        self._calls = calls
        self._providers = providers
        self._held = held
        self._name = name
        self._task: asyncio.Task[None] | None = None
        self._progress = Progress()
        self._refused: set[str] = set()
        self._budget = self._new_budget()
        self._own_terms = terms_of(config)
        self._keys: set[str] = set()
        self._ways = Ways(config.warm, providers)
        self._later: list[Way] = []
        self.terms = Terms(pod=True, stateless=self._own_terms.stateless)
        """Those of speech that is for all agents of the pod."""
        self.for_all = frozenset() if self._own_terms.pod else self._ways.with_credential
        """Providers of such speech, where agents have keys of their own besides."""
        self.awaited = self._ways.awaited
        """Providers of whom an agent's call is to be seen."""

    def begin(self) -> None:
        """What is configured, in the background, soon."""
        if self._config.warm.speech and self._config.warm.calls:
            self._start(None, _AFTER_START_SECONDS)

    def start(self, texts: list[str] | None) -> None:
        """The same now, or *texts* in each of the ways that are configured.

        Raises:
            Busy: the last one has not come to its end.
        """
        if self._is_running:
            raise Busy("speech is being fetched already; wait for its end")
        self._start(texts, 0.0)

    def told(self) -> dict[str, Any]:
        """How far it is."""
        return {"running": self._is_running, **asdict(self._progress), "waiting": self._ways.waiting}

    async def over(self) -> None:
        """Wait for its end."""
        if self._task is not None:
            await asyncio.wait((self._task,))

    async def stop(self) -> None:
        """End it, and forget what agents have sent."""
        self._ways.forget()
        self._later.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def _is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    # -- calls of agents -----------------------------------------------------------------------------------------------

    async def recall(self, exchange: Exchange, head: Head, data: bytes) -> tuple[Identity, Entry, str] | None:
        """Speech for all agents of the pod that answers *exchange*, and where it was; None if none of it does."""
        try:
            opening = opening_of(exchange, head, self._held.secret, self.terms)
            identity = identity_of(opening, head, data, by_samples=self._config.by_samples)
        except Unsuitable:
            return None
        if identity.key not in self._keys:
            return None
        storage = self._held.storage
        entry, where = storage.memory.recall(identity.key), MEMORY
        if entry is None:
            entry, where = await storage.recall_behind(identity.key)
        if entry is None or age_seconds(entry) > entry.fresh_seconds:
            return None
        identity.for_all = True
        return identity, entry, where

    def see(self, exchange: Exchange, response: Response) -> None:
        """*exchange* of an agent was answered by one of `awaited`: what it has sent may be what is waited for."""
        if found := self._ways.see(exchange, response):
            self._later += found
            if not self._is_running:
                self._task = asyncio.get_running_loop().create_task(self._run([], None))

    # -- what is fetched -----------------------------------------------------------------------------------------------

    def _new_budget(self) -> Budget:
        return Budget(self._config.warm, lambda: len(self._held.flights))

    def _start(self, texts: list[str] | None, delay_seconds: float) -> None:
        self._progress = Progress()
        self._refused.clear()
        self._later.clear()
        self._budget = self._new_budget()
        for trouble in self._ways.troubles:
            self._trouble(trouble)
        self._task = asyncio.get_running_loop().create_task(self._run(self._ways.now(), texts, delay_seconds))

    async def _run(self, ways: list[Way], texts: list[str] | None, delay_seconds: float = 0.0) -> None:
        await asyncio.sleep(delay_seconds)
        await self._held.storage.loaded(_LOADING_SECONDS)
        try:
            while ways or self._later:
                async with asyncio.TaskGroup() as under_way:
                    for way in ways:
                        await self._speak(way, texts, under_way)
                ways, self._later, texts = self._later, [], None
        except Exception as error:
            logger.exception("plugin %s cannot fetch speech before it is asked for", self._name)
            self._trouble(f"{type(error).__name__}: {error}")
        done = self._progress
        logger.info(
            "plugin %s: %d phrases wanted: %d were there, %d fetched, %d not%s",
            *(self._name, done.wanted, done.there, done.fetched, done.wanted - done.there - done.fetched),
            "".join(f"; {each}" for each in self._ways.waiting),
        )

    async def _speak(self, way: Way, texts: list[str] | None, under_way: asyncio.TaskGroup) -> None:
        """Everything that is to be spoken in one way."""
        try:
            for text in dict.fromkeys(await self._texts(way) if texts is None else texts):
                self._progress.wanted += 1
                if await self._is_there(self._asked(way, text)[1]):
                    self._progress.there += 1
                    continue
                await self._budget.at_once.acquire()
                fetching = under_way.create_task(self._fetch(way, text))
                fetching.add_done_callback(lambda _: self._budget.at_once.release())
        except (Unspeakable, Unsuitable) as obstacle:
            self._trouble(f"{way.place}: {obstacle}")

    async def _texts(self, way: Way) -> list[str]:
        texts, file = way.phrase.phrases, way.phrase.file
        if file is None:
            return texts
        try:
            return [*texts, *lines_of(await asyncio.to_thread(_read, Path(file)))]
        except (OSError, ValueError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or str(error)
            self._trouble(f"{way.place}.file: {file}: {reason.lower()}")
            return texts

    def _asked(self, way: Way, text: str) -> tuple[Exchange, str]:
        """The call, and its key.

        Raises:
            Unspeakable, Unsuitable: there is no such call, or it has no key.
        """
        request = request_of(way.phrase, way.provider, text, way.agent)
        exchange = self._calls.exchange(way.provider, request, patience_seconds=_PATIENCE_SECONDS)
        head, data = read_head(request.headers), request.body.data or b""
        opening = opening_of(exchange, head, self._held.secret, self.terms if way.agent is None else self._own_terms)
        key = identity_of(opening, head, data, by_samples=self._config.by_samples).key
        if way.agent is None:
            self._keys.add(key)
        return exchange, key

    async def _is_there(self, key: str) -> bool:
        """Whether a fresh answer is in memory, to which one of another pod's is taken."""
        storage = self._held.storage
        entry = storage.memory.peek(key) or await storage.recall_from_afar(key)
        await asyncio.sleep(0)  # there may be thousands to look for
        return entry is not None and entry.fresh_seconds > age_seconds(entry)

    async def _fetch(self, way: Way, text: str) -> None:
        """Have it kept, in a few tries."""
        name = way.provider.name
        for _ in range(_TRIES):
            if way.place in self._refused or not await self._budget.turn(name):
                if self._budget.left <= 0:
                    self._trouble(f"warm.calls: all {self._config.warm.calls} are spent; the rest is left")
                return
            if await self._tried(way, text):
                return

    async def _tried(self, way: Way, text: str) -> bool:
        """Whether that is it, for good or ill."""
        exchange, _ = self._asked(way, text)
        progress, name, asked_seconds = self._progress, way.provider.name, 0.0
        kept = asyncio.get_running_loop().create_future()
        exchange.notes.put(PURPOSE, Purpose("warm", for_all=way.agent is None, told=_once(kept)))
        progress.calls += 1
        try:
            response = await self._calls.call(exchange, self._config.max_entry)
        except Exception as error:
            failure = f"{type(error).__name__}: {error}"
        else:
            if response.status == 200:
                self._budget.succeeded(name)
                self._answered(way, await _in_time(kept))
                return True
            failure, asked_seconds = f"status {response.status}", _retry_after_seconds(response)
            if response.status < 500 and response.status not in _PASSING:
                progress.failed_calls += 1
                self._refused.add(way.place)
                self._trouble(f"{way.place}: {name} refuses it: {failure}; the rest of it is left")
                return True
        progress.failed_calls += 1
        if self._budget.failed(name, asked_seconds):
            self._trouble(f"{name} fails: {failure}; it is left alone until the next start")
        return False

    def _answered(self, way: Way, kept: bool) -> None:
        if kept:
            self._progress.fetched += 1
            return
        self._progress.unfit += 1
        self._trouble(f"{way.place}: an answer is not fit to be kept, or there is no room for it")

    def _trouble(self, trouble: str) -> None:
        """Say it, once."""
        troubles = self._progress.troubles
        if trouble not in troubles and len(troubles) < _TROUBLES:
            troubles.append(trouble)
            logger.warning("plugin %s cannot fetch all speech before it is asked for: %s", self._name, trouble)


def _once(future: asyncio.Future[bool]) -> Callable[[bool], None]:
    def told(kept: bool) -> None:
        if not future.done():
            future.set_result(kept)

    return told


async def _in_time(kept: asyncio.Future[bool]) -> bool:
    """Whether it is kept; False as well if nobody says so."""
    try:
        async with asyncio.timeout(_JUDGED_SECONDS):
            return await kept
    except TimeoutError:
        return False


def _read(file: Path) -> bytes:
    with file.open("rb") as reading:
        content = reading.read(_LARGEST_FILE_BYTES + 1)
    if len(content) > _LARGEST_FILE_BYTES:
        raise ValueError(f"larger than {_LARGEST_FILE_BYTES} bytes")
    return content


def _retry_after_seconds(response: Response) -> float:
    value = response.headers.get("retry-after") or ""
    return float(value) if value.isascii() and value.isdecimal() else 0.0
