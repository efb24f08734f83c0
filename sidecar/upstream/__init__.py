"""The far side: how an attempt gets to its provider. One small interface, two implementations.

`sidecar.upstream.lean` is what serves: pooled keep-alive connections straight on a C parser.
`sidecar.upstream.reference` does the same with aiohttp's ClientSession, at three times the cost; it is there to hold
the first to account (one suite of tests runs against both) and to fall back on, by ``client: aiohttp``.
"""

from typing import Protocol

from sidecar.exchange import Attempt, Response
from sidecar.provider import Provider


class Upstream(Protocol):
    """Sends attempts to one provider."""

    async def send(self, attempt: Attempt) -> Response:
        """The provider's answer, returned at its headers; its times are written into ``attempt.record``.

        A streamed request body is closed once it is sent or no longer wanted. Closing the answer's body early ends the
        call at the provider at once. Redirects are not followed, content codings not undone.

        Raises:
            UpstreamError: there is no answer. Once the answer has begun, its body raises instead.
        """
        ...

    async def warm(self) -> None:
        """Open connections ahead, as many as the configuration asks for. Never raises."""
        ...

    def expect(self) -> None:
        """A call is likely soon: have a connection at rest by then. Returns at once, never raises."""
        ...

    async def aclose(self) -> None:
        """Close all connections, those in use too."""
        ...


class OpenUpstream(Protocol):
    """How implementations are made: see `sidecar.service`."""

    def __call__(self, provider: Provider) -> Upstream: ...
