"""Where a connection of the agent wants to go, as far as the connection itself tells."""

from msgspec import Struct


class Flow(Struct, frozen=True, kw_only=True):
    """What the listener found out before the first request. Where it names nobody, the request line decides."""

    door: str
    """base_url, port, connect, forward, transparent."""
    provider: str | None = None
    """The provider that a port stands for."""
    host: str | None = None
    """The host that was asked for by CONNECT or SNI."""
    address: str | None = None
    """The IP address that was dialled, of a connection that was redirected to us."""
    port: int = 443
    tls: bool = False
    """Whether the agent's TLS ends here."""


BASE_URL = Flow(door="base_url")
TRANSPARENT = Flow(door="transparent")
"""Where connections arrive that were meant for others, by the hosts file or by redirection."""
