"""Both implementations of the upstream, for tests that call a provider by them."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any, TypeVar

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

Client = TypeVar("Client", bound=Upstream)
LIMIT = 1 << 30
SHORT = Timeouts(connect=5.0, first_byte=0.15, between_chunks=0.15, total=30.0)


def lean(to: Provider, **options: Any) -> LeanUpstream:
    given: dict[str, Any] = {"watchdog": Watchdog(0.01), "resolver": SystemResolver(), "context": None}
    return LeanUpstream(to, **given | options)


def reference(to: Provider, **options: Any) -> ReferenceUpstream:
    given: dict[str, Any] = {"resolver": SystemResolver(), "context": None}
    return ReferenceUpstream(to, **given | options)


@contextlib.asynccontextmanager
async def using(upstream: Client) -> AsyncIterator[Client]:
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
