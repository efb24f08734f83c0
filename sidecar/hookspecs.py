"""The contract between the sidecar and its plugins.

A plugin is a plain class: `Config` names the Struct of its configuration, the constructor takes one of those, and each
hook it has is a Protocol below that it inherits and a method that it marks ``@hookimpl``. Three nets catch mistakes
before the first call: the type checker (by the Protocols), pluggy (argument names, unknown hooks) and the host (sync
where async is due, a hook without its mark).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar, Protocol

import pluggy
from msgspec import Struct

from sidecar.exchange import Attempt, Exchange, Record, Request, Response
from sidecar.provider import Provider

hookspec = pluggy.HookspecMarker("sidecar")
hookimpl = pluggy.HookimplMarker("sidecar")

#: Answers: what a layer passes a call on to.
ExchangeHandler = Callable[[Exchange], Awaitable[Response]]
AttemptHandler = Callable[[Attempt], Awaitable[Response]]


class PluginConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of plugin configurations: frozen, unknown keys refused."""


class Sample(Struct, frozen=True):
    """One number for ``/metrics``. ``name`` is the Prometheus name without the ``sidecar_`` that is put before it."""

    name: str
    value: float
    help: str
    kind: str = "gauge"
    """gauge, or counter (then *name* ends in ``_total``)."""
    labels: tuple[tuple[str, str], ...] = ()


class Calls(Protocol):
    """Calls that a plugin makes itself. They pass all layers and are traced, as an agent's are."""

    def exchange(self, provider: Provider, request: Request, *, patience_seconds: float = 120.0) -> Exchange:
        """A call that nobody has made yet: what is put into its notes now, layers will find there."""
        ...

    async def call(self, exchange: Exchange, max_bytes: int) -> Response:
        """The answer to *exchange*, its body in memory.

        Raises:
            CallError: there is none, or not in time.
            BodyTooLarge: it has more than *max_bytes*.
        """
        ...


class Runtime(Struct, frozen=True, kw_only=True):
    """What a plugin may know of the process it runs in."""

    name: str
    """The plugin's own name in the configuration."""
    version: str
    """Of the sidecar."""
    digest: str
    """Short digest of the configuration in force."""
    providers: Mapping[str, Provider]
    """Those that are configured, by name."""
    calls: Calls
    warm: Callable[[Provider], None]
    """A call to this provider is likely soon, if another one fails, say: a connection to it is opened unless one rests,
    and kept for some minutes. Returns at once, never raises, and costs next to nothing where the connection is there.
    """
    before: object | None = None
    """The plugin of this name and class that served until now, where a new configuration takes over. It still ends the
    calls that it has begun."""


class Question(Struct, frozen=True, kw_only=True):
    """What somebody on this machine asks a plugin over the admin interface."""

    method: str
    """GET, POST, DELETE."""
    path: str
    """What stands behind ``/plugins/NAME/``."""
    query: Mapping[str, str]
    body: bytes = b""


class Told(Struct, frozen=True, kw_only=True):
    """An answer to one: ``value`` goes out as JSON, bytes as they are."""

    value: Any
    status: int = 200


class Plugin(Protocol):
    """What every plugin has; inherit it or not, as you like."""

    Config: ClassVar[type[PluginConfig]]
    sockets: ClassVar[bool]
    """Whether its layers also stand around calls that upgrade to a WebSocket. Absent means no."""


class Lifespan(Protocol):
    @hookspec
    def lifespan(self, runtime: Runtime) -> AbstractAsyncContextManager[None]:
        """Hold resources while the sidecar serves. Entered in the order of the configuration, left in reverse."""
        ...


class AroundExchange(Protocol):
    @hookspec
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        """Answer *exchange*: pass it on, change it first, change the answer, or answer at once. Once per call."""
        ...


class AroundAttempt(Protocol):
    @hookspec
    async def around_attempt(self, attempt: Attempt, call_next: AttemptHandler) -> Response:
        """The same, once per provider tried; sees and may change what that provider will be sent."""
        ...


class ExchangeClosed(Protocol):
    @hookspec
    def exchange_closed(self, record: Record) -> None:
        """Learn how an exchange ended: once, soon after the last byte. Must not block; a failure harms nobody else."""
        ...


class Samples(Protocol):
    @hookspec
    def samples(self) -> Iterable[Sample]:
        """The plugin's numbers at this moment, for ``/metrics``. Called when somebody looks; must not block."""
        ...


class Console(Protocol):
    @hookspec
    async def console(self, question: Question) -> Told:
        """Answer somebody on this machine: its own command line, say. Tells no secrets, and content only if asked."""
        ...


HOOKS = (Lifespan, AroundExchange, AroundAttempt, ExchangeClosed, Samples, Console)
