"""What was learned outlives the process, and other pods know of it: a file of this pod's own, and a Redis for all.

Both are looked at behind the calls. What cannot be read or written is told once, and costs nothing but what was in it.
"""

import asyncio
import contextlib
import logging
import os
import random
import socket
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from sidecar_ordering.clock import Clock
from sidecar_ordering.config import SharedStatistics
from sidecar_ordering.options import Groups
from sidecar_ordering.sharing import OLDEST_SECONDS, Snapshot, decode, encode, worth_knowing

logger = logging.getLogger(__name__)

#: How often the file is written: a process that is killed says nothing at its end.
_WRITTEN_SECONDS: Final = 30.0
#: How long Redis may take; nobody waits for it.
_PATIENCE_SECONDS: Final = 2.0


class Kept(Struct):
    """What stands in the file, and under this pod's name in Redis."""

    pod: str
    groups: dict[str, bytes]
    """By whom they are for: `Snapshot`, encoded."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Kept).decode


def unix_now() -> float:
    return time.time_ns() / 1e9


class Keeper:
    """
    Args:
        file: None for nowhere.
        shared: None for nobody.
    """

    def __init__(self, groups: Groups, clock: Clock, file: str | None, shared: SharedStatistics | None) -> None:
        self._groups, self._clock = groups, clock
        self._file = None if file is None else Path(file)
        self._shared = shared
        self._pod = f"{socket.gethostname()}-{random.getrandbits(32):08x}"
        self._tasks: list[asyncio.Task[None]] = []
        self._troubled: set[str] = set()
        self._client: Any = None

    # -- life ----------------------------------------------------------------------------------------------------------

    async def read(self) -> None:
        """What was learned before a restart."""
        if self._file is not None:
            await asyncio.to_thread(self._read, self._file)

    def start(self) -> None:
        if self._file is not None:
            self._tasks.append(asyncio.create_task(self._writing(self._file)))
        if self._shared is not None:
            self._tasks.append(asyncio.create_task(self._sharing(self._shared)))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._file is not None:
            await asyncio.to_thread(self._write, self._file, self._own())
        if self._client is not None:
            with contextlib.suppress(Exception):
                await self._client.aclose()

    def take_over(self, before: "Keeper") -> None:
        """A new configuration is in force: it is the same pod, and *before* has nothing more to tell."""
        self._pod, before._file = before._pod, None
        for task in before._tasks:
            task.cancel()

    def _own(self) -> bytes:
        snapshots = self._groups.snapshots(self._clock.now(), unix_now())
        return _encode(Kept(self._pod, {name: encode(each) for name, each in snapshots.items()}))

    # -- the file ------------------------------------------------------------------------------------------------------

    async def _writing(self, file: Path) -> None:
        while True:
            await asyncio.sleep(_WRITTEN_SECONDS)
            await asyncio.to_thread(self._write, file, self._own())

    def _read(self, file: Path) -> None:
        try:
            kept = _decode(file.read_bytes())
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            self._trouble("file", f"{file} cannot be read, so nothing is remembered: {error}")
            return
        self._pod = kept.pod
        self._groups.remember(_decoded(kept.groups))

    def _write(self, file: Path, data: bytes) -> None:
        """By a file beside it, so that what is there is always whole."""
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handle, beside = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
            with os.fdopen(handle, "wb") as out:
                out.write(data)
            os.replace(beside, file)
            self._troubled.discard("file")
        except OSError as error:
            self._trouble("file", f"{file} cannot be written, so a restart will forget: {error}")

    # -- other pods ----------------------------------------------------------------------------------------------------

    async def _sharing(self, shared: SharedStatistics) -> None:
        while True:
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await self._share(shared)
                self._troubled.discard("shared")
            except Exception as error:
                self._trouble("shared", f"other pods cannot be asked what they know: {type(error).__name__}: {error}")
            await asyncio.sleep(shared.every * random.uniform(0.8, 1.2))

    async def _share(self, shared: SharedStatistics) -> None:
        if self._client is None:
            from redis.asyncio import Redis

            password = None if shared.password is None else shared.password.reveal
            self._client = Redis.from_url(shared.url, password=password)
        name = f"{shared.namespace}:ordering"
        await self._client.hset(name, self._pod, self._own())
        await self._client.expire(name, int(OLDEST_SECONDS))
        others: dict[str, dict[str, Snapshot]] = {}
        for pod, data in (await self._client.hgetall(name)).items():
            try:
                kept = _decode(data)
            except msgspec.DecodeError:
                continue
            snapshots = _decoded(kept.groups)
            newest = max((each.taken for each in snapshots.values()), default=0.0)
            if kept.groups and unix_now() - newest > OLDEST_SECONDS:
                await self._client.hdel(name, pod)
                continue
            for group, snapshot in snapshots.items():
                others.setdefault(group, {})[kept.pod] = snapshot
        now = unix_now()
        known = {group: worth_knowing(pods, self._pod, now) for group, pods in others.items()}
        self._groups.absorb(known, self._clock.now(), now)

    def _trouble(self, what: str, message: str) -> None:
        if what not in self._troubled:
            self._troubled.add(what)
            logger.warning("ordering: %s", message)


def _decoded(groups: dict[str, bytes]) -> dict[str, Snapshot]:
    return {name: snapshot for name, data in groups.items() if (snapshot := decode(data)) is not None}
