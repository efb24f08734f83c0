"""Who answers: where, in which dialect, with which credential, and how long they may take. No I/O."""

from msgspec import Struct

from sidecar.dialect import Dialect


class Origin(Struct, frozen=True):
    """Where a server is: scheme (http or https), host (name or literal address, no brackets) and port."""

    scheme: str
    host: str
    port: int

    @property
    def tls(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        """As in a ``Host`` header: the port only if it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


class Timeouts(Struct, frozen=True, kw_only=True):
    """How long each phase of an attempt may take, in seconds."""

    connect: float = 5.0
    first_byte: float = 300.0
    """From the last byte of the request to the first of the answer."""
    between_chunks: float = 120.0
    total: float = 3600.0


class Secret(Struct, frozen=True):
    """A credential. ``repr`` and ``str`` do not show it."""

    reveal: str

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__


class Provider(Struct, frozen=True, kw_only=True, eq=False):
    """One who answers: a dialect spoken at an origin."""

    name: str
    origin: Origin
    dialect: Dialect | None = None
    """None where nothing is known of how it speaks: its calls pass untouched."""
    path: str = ""
    """What stands before every path there: ``/api/v2`` of ``https://example.com/api/v2``."""
    timeouts: Timeouts = Timeouts()
    credential: Secret | None = None
    """Replaces what the agent sent; None passes the agent's own on."""
    propagate_trace: bool = False
    """Whether ``traceparent`` may go to it."""

    @property
    def system(self) -> str:
        return self.name if self.dialect is None else self.dialect.system
