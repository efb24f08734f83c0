"""L2: entries that pods share, through any backend of aiocache; never in the way of a call.

A question is given up after a few milliseconds (its answer, if one comes, is let go); after some of these nothing is
asked any more until a try, for which nobody waits, is answered in time. Writing happens behind the calls, of what is
the newest, and what is too much is dropped. What was to be forgotten stays so until the store has confirmed it.
"""

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, NamedTuple, Protocol

from sidecar_cache.circuit import Circuit, Leave
from sidecar_cache.codec import Codec, Garbled
from sidecar_cache.entry import Entry
from sidecar_cache.purges import Purge
from sidecar_cache.purging import Purging, Store, Swept

logger = logging.getLogger(__name__)

_ASKING: Final = 16
"""Questions on their way at once."""
_ANSWERING_SECONDS: Final = 1.0
"""When one that nobody waits for any more is ended."""
_WAITING: Final = 512
_WAITING_BYTES: Final = 16 * 1024 * 1024
_FORGETTING: Final = 65_536
_LARGE_BYTES: Final = 32 * 1024
"""From here on packing and sealing happen in a thread: they would hold up the loop."""


class Backend(Store, Protocol):
    """What is used of an aiocache backend."""

    async def close(self) -> None: ...


class Unreachable(Exception):
    """The shared store did not confirm; the message says why."""


class _Kept(NamedTuple):
    entry: Entry
    ttl_seconds: float


class Shared:
    """
    Args:
        name: what it is called in messages: no credential in it.
        namespace: of the keys: those who share it share entries.
        budget_seconds: how long a call waits for it at most.
        remembered_seconds: for how long purges are: as long as an entry is of any use.
        purged: is told of what other pods have purged.
        clock: monotonic.
    """

    def __init__(
        self,
        backend: Backend,
        codec: Codec,
        *,
        name: str,
        namespace: str = "agent-sidecar",
        budget_seconds: float = 0.02,
        remembered_seconds: float = 45 * 86_400.0,
        purged: Callable[[list[Purge]], Awaitable[object]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = dict.fromkeys(
            ("hit", "miss", "late", "failed", "refrained", "garbled", "purged", "stored", "dropped", "forgotten"), 0
        )
        self._backend = backend
        self._codec = codec
        self._name = name
        self._prefix = f"{namespace}:{codec.label}:"
        self._budget_seconds = budget_seconds
        self._clock = clock
        self._purging = Purging(backend, codec, self._prefix, remembered_seconds, purged)
        self.covers = self._purging.purges.covers
        """Whether an entry is one that some pod has purged, as far as is known here."""
        self._watcher: asyncio.Task[None] | None = None
        self._reading = Circuit(clock, self._reads_otherwise)
        self._writing = Circuit(clock, self._writes_otherwise)
        self._asking: set[asyncio.Task[Entry | None]] = set()
        self._keeping: OrderedDict[str, _Kept] = OrderedDict()
        self._keeping_bytes = 0
        self._forgetting: dict[str, None] = {}
        self._in_hand = 0
        self._wake = asyncio.Event()
        self._forgotten = asyncio.Event()
        self._refusal = ""
        self._writer: asyncio.Task[None] | None = None
        self._closing = False
        self._said_garbled = False

    @property
    def is_answering(self) -> bool:
        return not self._reading.is_open

    @property
    def waiting(self) -> int:
        """Entries that are still to be written or removed."""
        return len(self._keeping) + len(self._forgetting) + self._in_hand

    def start(self) -> None:
        """Begin writing, and connect, so that no call waits for that."""
        self._closing = False
        loop = asyncio.get_running_loop()
        self._writer, self._watcher = loop.create_task(self._write_all()), loop.create_task(self._purging.watch())

    async def recall(self, key: str) -> Entry | None:
        """What is kept there under *key*; None as well if that cannot be found out in time."""
        leave = self._reading.leave()
        if leave is Leave.REFRAIN or len(self._asking) >= _ASKING:
            self.counts["refrained"] += 1
            return None
        asked = self._ask(key, probing=leave is Leave.PROBE)
        if leave is Leave.PROBE:
            self.counts["refrained"] += 1
            return None
        done, _ = await asyncio.wait((asked,), timeout=self._budget_seconds)
        if not done:
            self.counts["late"] += 1
            self._reading.bad(f"no answer within {self._budget_seconds * 1e3:g} ms")
            return None
        found = asked.result()
        self.counts["miss" if found is None else "hit"] += 1
        return None if key in self._forgetting else found

    def keep(self, key: str, entry: Entry, ttl_seconds: float) -> None:
        """Have *entry* written when there is time."""
        before = self._keeping.pop(key, None)
        self._keeping_bytes += len(entry.data) - (len(before.entry.data) if before else 0)
        self._keeping[key] = _Kept(entry, ttl_seconds)
        while len(self._keeping) > _WAITING or self._keeping_bytes > _WAITING_BYTES:
            self._drop()
        self._wake.set()

    def forget(self, key: str) -> None:
        """Have it gone there; from now on it is not found here."""
        if (before := self._keeping.pop(key, None)) is not None:
            self._keeping_bytes -= len(before.entry.data)
        if len(self._forgetting) < _FORGETTING:
            self._forgetting[key] = None
        self._wake.set()

    async def purge(self, keys: Iterable[str], within_seconds: float = 5.0) -> None:
        """Have *keys* gone there, and know it.

        Raises:
            Unreachable: not all are, yet; it goes on being tried.
        """
        wanted = set(keys)
        for key in wanted:
            self.forget(key)
        try:
            async with asyncio.timeout(within_seconds):
                while not wanted.isdisjoint(self._forgetting):
                    await _until(self._forgotten, None)
                    self._forgotten.clear()
        except TimeoutError:
            raise Unreachable(self._refusal or f"not confirmed within {within_seconds:g} s") from None

    async def purge_all(self, purge: Purge, within_seconds: float) -> Swept:
        """Have what *purge* covers gone there, within a time; from now on no pod that hears of it gives it.

        Raises:
            Unreachable: other pods have not been told, yet; it goes on being tried.
        """
        self._purging.remember(purge)
        for key in [key for key, kept in self._keeping.items() if self.covers(key, kept.entry)]:
            self._keeping_bytes -= len(self._keeping.pop(key).entry.data)
        try:
            await self._purging.tell()
        except Exception as error:
            raise Unreachable(_told(error)) from error
        try:
            return Swept(0, "") if purge.keys else await self._purging.sweep(purge, within_seconds)
        except Exception as error:
            return Swept(0, _told(error))

    async def close(self, within_seconds: float) -> None:
        """Write what waits, at most so long, and let go of the backend."""
        self._closing = True
        if self._watcher is not None:
            self._watcher.cancel()
        self._wake.set()
        writer, self._writer = self._writer, None
        if writer is not None:
            await asyncio.wait((writer,), timeout=within_seconds)
            writer.cancel()
        for asked in self._asking:
            asked.cancel()
        await asyncio.gather(*self._asking, *([writer] if writer else []), return_exceptions=True)
        if self._forgetting:
            logger.warning("%s: %d entries could not be removed there", self._name, len(self._forgetting))
        try:
            async with asyncio.timeout(max(within_seconds, 0.1)):
                await self._backend.close()
        except Exception as error:
            logger.warning("%s: does not close: %s", self._name, _told(error))

    # -- reading -------------------------------------------------------------------------------------------------------

    def _ask(self, key: str, *, probing: bool) -> asyncio.Task[Entry | None]:
        asked = asyncio.get_running_loop().create_task(self._asked(key, probing))
        self._asking.add(asked)
        asked.add_done_callback(self._asking.discard)
        return asked

    async def _asked(self, key: str, probing: bool) -> Entry | None:
        """What is there under *key*; what goes wrong is noted, and not raised."""
        circuit = self._reading
        began = self._clock()
        try:
            async with asyncio.timeout(_ANSWERING_SECONDS):
                found = await self._backend.get(self._prefix + key)
                await self._purging.looked.wait()
        except Exception as error:
            self.counts["failed"] += 1
            if probing or not circuit.is_open:
                circuit.bad(_told(error))
            return None
        if self._clock() - began <= self._budget_seconds:
            circuit.good()
        elif probing:
            circuit.bad("answers late")
        if found is None:
            return None
        try:
            if not isinstance(found, bytes):
                raise Garbled("not bytes")
            if len(found) < _LARGE_BYTES:
                entry = self._codec.decode(key, found)
            else:
                entry = await asyncio.to_thread(self._codec.decode, key, found)
        except Garbled as garbled:
            self._note_garbled(key, garbled)
            return None
        if self.covers(key, entry):
            self.counts["purged"] += 1
            self.forget(key)
            return None
        return entry

    def _note_garbled(self, key: str, garbled: Garbled) -> None:
        self.counts["garbled"] += 1
        self.forget(key)
        if not self._said_garbled:
            self._said_garbled = True
            logger.warning("%s: what is kept there is no entry: %s; such are left out and removed", self._name, garbled)

    # -- writing -------------------------------------------------------------------------------------------------------

    async def _write_all(self) -> None:
        while True:
            self._wake.clear()
            while (self._forgetting or self._keeping) and self._writing.leave() is not Leave.REFRAIN:
                await self._write_one()
            if self._closing:
                return
            if self._writing.is_open:
                while self._keeping:
                    self._drop()
            # to be told of what comes, or to try again what is to go
            rest_seconds = self._writing.rests_seconds if self._forgetting else None
            await _until(self._wake, rest_seconds)

    async def _write_one(self) -> None:
        """Remove or write what is next."""
        if self._forgetting:
            await self._remove(next(iter(self._forgetting)))
            return
        key, kept = self._keeping.popitem(last=False)
        self._keeping_bytes -= len(kept.entry.data)
        self._in_hand = 1
        try:
            await self._set(key, kept)
        except Exception as error:
            self.counts["dropped"] += 1
            self._refuse(error)
        else:
            self.counts["stored"] += 1
            self._writing.good()
        finally:
            self._in_hand = 0

    async def _set(self, key: str, kept: _Kept) -> None:
        if len(kept.entry.data) < _LARGE_BYTES:
            value = self._codec.encode(key, kept.entry)
        else:
            value = await asyncio.to_thread(self._codec.encode, key, kept.entry)
        async with asyncio.timeout(_ANSWERING_SECONDS):
            await self._backend.set(self._prefix + key, value, ttl=max(math.ceil(kept.ttl_seconds), 1))

    async def _remove(self, key: str) -> None:
        try:
            async with asyncio.timeout(_ANSWERING_SECONDS):
                await self._backend.delete(self._prefix + key)
        except Exception as error:
            self._refuse(error)
            return
        self._writing.good()
        self.counts["forgotten"] += 1
        self._forgetting.pop(key, None)
        self._forgotten.set()

    def _refuse(self, error: Exception) -> None:
        self._refusal = _told(error)
        self._writing.bad(self._refusal)

    def _drop(self) -> None:
        _, dropped = self._keeping.popitem(last=False)
        self._keeping_bytes -= len(dropped.entry.data)
        self.counts["dropped"] += 1

    # -- telling -------------------------------------------------------------------------------------------------------

    def _reads_otherwise(self, trouble: str) -> None:
        if trouble:
            logger.warning("%s: %s; calls go on without it, and it is tried again", self._name, trouble)
        else:
            logger.warning("%s: answers again", self._name)

    def _writes_otherwise(self, trouble: str) -> None:
        if self._reading.is_open:
            return
        if trouble:
            logger.warning("%s: takes nothing: %s; it is tried again", self._name, trouble)
        else:
            logger.warning("%s: takes entries again", self._name)


async def _until(event: asyncio.Event, seconds: float | None) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass


def _told(error: Exception) -> str:
    """What went wrong, in a line; a client's message may hold an address, never what was asked."""
    if isinstance(error, TimeoutError):
        return f"no answer within {_ANSWERING_SECONDS:g} s"
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
