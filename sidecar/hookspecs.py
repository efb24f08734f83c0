"""The contract between the sidecar and its plugins.

A plugin is a plain class: `Config` names the Struct of its configuration, the constructor takes one of those, and each
hook it has is a Protocol below that it inherits and a method that it marks ``@hookimpl``. Three nets catch mistakes
before the first call: the type checker (by the Protocols), pluggy (argument names, unknown hooks) and the host (sync
where async is due, a hook without its mark).
"""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import ClassVar, Protocol, TypeVar

import pluggy
from msgspec import Struct

from sidecar.exchange import Attempt, Exchange, Record, Response

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

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


class Runtime(Struct, frozen=True, kw_only=True):
    """What a plugin may know of the process it runs in."""

    name: str
    """The plugin's own name in the configuration."""
    version: str
    """Of the sidecar."""
    digest: str
    """Short digest of the configuration in force."""


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


HOOKS = (Lifespan, AroundExchange, AroundAttempt, ExchangeClosed, Samples)
