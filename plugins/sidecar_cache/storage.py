"""Where answers are: in memory, behind that on a disk, behind that in a store that pods share; both are optional."""

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sidecar_cache.codec import Codec
from sidecar_cache.config import CacheConfig
from sidecar_cache.config import Shared as SharedConfig
from sidecar_cache.disk import Disk
from sidecar_cache.entry import Entry
from sidecar_cache.memory import Memory
from sidecar_cache.purges import Purge
from sidecar_cache.shared import Backend, Shared
from sidecar_cache.writing import Delivered

logger = logging.getLogger(__name__)

MEMORY: Final = "memory"
DISK: Final = "disk"
SHARED: Final = "shared"
#: Entries that are looked at before others have their turn.
_LOOKED_AT: Final = 100
_SECRET_FILE = "secret"
_SECRET_BYTES = 32
#: How much of an end a disk and a shared store may take.
_CLOSING_SECONDS = 1.5


class Storage:
    """
    Raises:
        ValueError: what is configured cannot be; the message says why.
    """

    def __init__(self, config: CacheConfig) -> None:
        self.memory: Memory[Entry] = Memory(config.max_memory)
        self.disk: Disk | None = None
        self.shared: Shared | None = None
        self.given = dict.fromkeys((MEMORY, DISK, SHARED), 0)
        """Answers, by where they were."""
        self._loaded = asyncio.Event()
        if config.disk is not None:
            try:
                directory, codec = Path(config.disk.directory), Codec(config.disk.secret)
                self.disk = Disk(directory, config.disk.size, codec, budget_seconds=config.disk.budget)
            except ValueError as error:
                raise ValueError(f"disk {error}") from error
        if (given := config.shared) is not None:
            if config.secret is None:
                raise ValueError("shared needs a secret of the cache, the same in all pods, or no pod finds another's")
            if (given.url is None) == (given.backend is None):
                raise ValueError("shared needs either url or backend")
            try:
                self.shared = Shared(
                    _backend(given),
                    Codec(given.secret),
                    name="the shared cache",
                    namespace=given.namespace,
                    budget_seconds=given.budget,
                    remembered_seconds=_useful_seconds(config),
                    purged=self._purged,
                )
            except ValueError as error:
                raise ValueError(f"shared {' '.join(map(str, error.args))}") from error

    def start(self) -> None:
        if self.disk is not None:
            self.disk.start(self._load, self.memory.max_bytes)
        if self.shared is not None:
            self.shared.start()

    async def loaded(self, within_seconds: float) -> None:
        """Wait until what is on the disk is in memory, at most so long."""
        if self.disk is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(within_seconds):
                    await self._loaded.wait()

    def rank(self) -> None:
        """Have it noted what is asked for most: it decides what is read first at the next start."""
        if self.disk is not None:
            self.disk.rank((held.key, held.calls) for held in self.memory.items())

    async def close(self) -> None:
        self.rank()
        if self.disk is not None:
            await self.disk.close(_CLOSING_SECONDS)
        if self.shared is not None:
            await self.shared.close(_CLOSING_SECONDS)

    async def recall_from_afar(self, key: str) -> Entry | None:
        """What is elsewhere than in memory under *key*; it is in memory then, if there is room for it."""
        entry, _ = await self.recall_behind(key)
        return entry

    async def recall_behind(self, key: str) -> tuple[Entry | None, str]:
        """The same, and where it was, `DISK` or `SHARED`; or None, and why that is, "" if it is simply not there."""
        why = ""
        if self.disk is not None:
            found = await self.disk.recall(key)
            if isinstance(found, str):
                why = found
            elif found.stored_ns <= time.time_ns():
                return found, DISK
        if self.shared is not None and (entry := await self.shared.recall(key)) is not None:
            self.memory.keep(key, entry)
            return entry, SHARED
        return None, why

    def keep(self, key: str, entry: Entry, useful_seconds: float) -> bool:
        """Whether there is room for *entry*, which nobody wants to have after so many seconds."""
        if not self.memory.keep(key, entry):
            self.forget(key)  # what stands elsewhere under this key is out of date
            return False
        if self.disk is not None:
            self.disk.keep(key, entry)
        if self.shared is not None:
            self.shared.keep(key, entry, useful_seconds)
        return True

    def forget(self, key: str) -> bool:
        """Whether it was in memory."""
        there = self.memory.forget(key)
        if self.disk is not None:
            self.disk.forget(key)
        if self.shared is not None:
            self.shared.forget(key)
        return there

    def _load(self, batch: Sequence[Delivered]) -> None:
        """Take in what the disk delivers; an empty batch is the end of what was there at the start."""
        now_ns = time.time_ns()
        if not batch:
            self._loaded.set()
        for key, entry, calls in batch:
            if key not in self.memory and entry.stored_ns <= now_ns:
                self.memory.keep(key, entry, calls)

    async def _purged(self, purges: Sequence[Purge]) -> None:
        """Forget here what another pod has thrown out."""
        assert self.shared is not None
        covers = self.shared.covers
        for number, held in enumerate(list(self.memory.items())):
            if covers(held.key, held.entry):
                self.memory.forget(held.key)
            if number % _LOOKED_AT == 0:
                await asyncio.sleep(0)  # calls come first
        if self.disk is not None:
            self.disk.forget_all(lambda entry: covers("", entry))
            for key in {key for purge in purges for key in purge.keys}:
                self.disk.forget(key)


def _useful_seconds(config: CacheConfig) -> float:
    """For how long an answer is of any use at most."""
    return max(
        each.ttl * (1.0 + config.jitter) + max(each.stale_while_revalidate, each.stale_if_error)
        for each in (config.tts, config.stt, config.chat)
    )


def _backend(given: SharedConfig) -> Backend:
    # aiocache brings the clients of its servers along; who shares nothing need not wait for them
    from sidecar_cache.backends import named_backend, redis_backend

    backend: Backend = (
        redis_backend(given.url, given.password)
        if given.url is not None
        else named_backend(given.backend or "", given.arguments)
    )
    return backend


def key_secret(config: CacheConfig) -> bytes:
    """32 bytes that keys are made with: from the configuration, from the disk (where it is put), or new ones."""
    if config.secret is not None:
        return hashlib.sha256(config.secret.reveal.encode()).digest()
    made = secrets.token_bytes(_SECRET_BYTES)
    if config.disk is None:
        return made
    file = Path(config.disk.directory) / _SECRET_FILE
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = file.with_name(f"{_SECRET_FILE}.{secrets.token_hex(4)}")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writing:
            writing.write(made)
        try:
            os.link(new, file)  # whoever is first decides
        except FileExistsError:
            found = file.read_bytes()
            if len(found) == _SECRET_BYTES:
                return found
            os.replace(new, file)
            return made
        finally:
            new.unlink(missing_ok=True)
    except OSError as error:
        logger.warning("the secret of the cache's keys cannot be kept in %s: %s", file.parent, error.strerror)
    return made
