"""Both implementations of the upstream, for tests that call a provider by them."""

import contextlib
from collections.abc import AsyncIterator

from sidecar.dialect import Call, Operation
from sidecar.exchange import Response
from sidecar.headers import Headers
from sidecar.provider import Provider, Timeouts
from sidecar.upstream import Upstream
from sidecar.upstream.dial import SystemResolver
from sidecar.upstream.lean import LeanUpstream
from sidecar.upstream.reference import ReferenceUpstream
from sidecar.watchdog import Watchdog
from tests.making import provider
from tests.wire import Peer

LIMIT = 1 << 30
SHORT = Timeouts(connect=5.0, first_byte=0.15, between_chunks=0.15, total=30.0)


def lean(to: Provider, **options: object) -> LeanUpstream:
    return LeanUpstream(
        to,
        watchdog=Watchdog(0.01),
        resolver=SystemResolver(),
        context=None,
        **options,  # type: ignore[arg-type]
    )


def reference(to: Provider, **options: object) -> ReferenceUpstream:
    return ReferenceUpstream(to, resolver=SystemResolver(), context=None, **options)  # type: ignore[arg-type]


@contextlib.asynccontextmanager
async def using(upstream: Upstream) -> AsyncIterator[Upstream]:
    try:
        yield upstream
    finally:
        await upstream.aclose()


async def read(response: Response) -> bytes:
    return await response.body.read(LIMIT)


def to(serving: Peer, timeouts: Timeouts | None = None) -> Provider:
    return provider(serving.port, timeouts=timeouts or Timeouts())


CHAT = Call(operation=Operation.CHAT, endpoint="chat.completions", route="/v1/chat/completions")
UPGRADE = Headers([(b"Host", b"x"), (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")])
