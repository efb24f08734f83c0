"""Addresses of names, remembered, so that a look-up stands in a call's way as seldom as can be.

================================  ====================================================================================
how long ago it was looked up     what a call gets
================================  ====================================================================================
never                             what is looked up now; all who ask meanwhile wait for the one look-up
up to ``ttl_seconds``             what is known
up to twenty times as long        what is known, at once; it is looked up again behind the call's back (RFC 8767)
longer, or nobody answered there  what is looked up now; what was known, if the name servers fail
================================  ====================================================================================

That a name cannot be looked up is remembered by nobody: the next call asks again.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]

#: Names come from CONNECT requests too.
_NAMES: Final = 256
_STALE_TIMES: Final = 20
#: After a look-up in vain what is known is good for so long again, so that they do not follow on each other's heels.
_PAUSE_SECONDS: Final = 2.0


class _Known:
    __slots__ = ("addresses", "asked", "doubted", "until")

    def __init__(self, addresses: Sequence[AddressInfo], asked: float, until: float) -> None:
        self.addresses = addresses
        self.asked = asked
        self.until = until
        self.doubted = False


class Names:
    """Remembers what *ask* finds out.

    Args:
        ask: looks a name up; raises OSError.
        ttl_seconds: how long an answer is good without question. With 0 nothing is remembered.
    """

    def __init__(self, ask: Callable[[str, int], Awaitable[Sequence[AddressInfo]]], ttl_seconds: float) -> None:
        self._ask = ask
        self._ttl_seconds = ttl_seconds
        self._known: dict[tuple[str, int], _Known] = {}
        self._asking: dict[tuple[str, int], asyncio.Task[Sequence[AddressInfo]]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[AddressInfo]:
        """
        Raises:
            OSError: the name cannot be resolved.
        """
        known, now = self._known.get((host, port)), time.monotonic()
        if known is not None:
            if now < known.until:
                return known.addresses
            if not known.doubted and now < known.asked + _STALE_TIMES * self._ttl_seconds:
                self._asked(host, port)
                return known.addresses
        try:
            return await asyncio.shield(self._asked(host, port))
        except OSError:
            if known is None:
                raise
            return known.addresses

    def doubt(self, host: str, port: int) -> None:
        """Nobody answered there: what is known of *host* is out of date, unless it was looked up just now."""
        known, now = self._known.get((host, port)), time.monotonic()
        if known is not None and now - known.asked > _PAUSE_SECONDS:
            known.doubted, known.until = True, now

    def prefer(self, host: str, port: int, address: tuple[Any, ...]) -> None:
        """*address* answered first: the ones before it are dead or far away, and are tried after it from now on."""
        known = self._known.get((host, port))
        if known is not None and known.addresses[0][4][:2] != address[:2]:
            known.addresses = sorted(known.addresses, key=lambda each: each[4][:2] != address[:2])

    def _asked(self, host: str, port: int) -> "asyncio.Task[Sequence[AddressInfo]]":
        """The look-up that is under way, or a new one. It goes on when who waits for it leaves."""
        task = self._asking.get((host, port))
        if task is None:
            task = self._asking[host, port] = asyncio.create_task(self._look_up(host, port))
            task.add_done_callback(_heard)
        return task

    async def _look_up(self, host: str, port: int) -> Sequence[AddressInfo]:
        asked = time.monotonic()
        try:
            addresses = await self._ask(host, port)
        except OSError:
            known = self._known.get((host, port))
            if known is not None and not known.doubted:
                known.until = time.monotonic() + min(_PAUSE_SECONDS, self._ttl_seconds)
            raise
        finally:
            del self._asking[host, port]
        if self._ttl_seconds > 0:
            self._known.pop((host, port), None)  # the one that was looked up last stands at the end
            if len(self._known) >= _NAMES:
                del self._known[next(iter(self._known))]
            self._known[host, port] = _Known(addresses, asked, asked + self._ttl_seconds)
        return addresses

    async def aclose(self) -> None:
        """End the look-ups under way."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _heard(task: "asyncio.Task[Sequence[AddressInfo]]") -> None:
    """Nobody may be waiting for it any more; that it failed is then no news."""
    if not task.cancelled():
        task.exception()
