"""One configuration in service: its providers, plugins and stacks, and the connections they use.

A reload builds a second one, lets it take over, and lets the first finish what it has begun.
"""

import asyncio
import contextlib
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from functools import cache

from sidecar import __version__
from sidecar.configuration import Configuration, InvalidConfiguration, hosts, providers
from sidecar.dialect import Operation
from sidecar.dispatch import Dispatch
from sidecar.enabled import plugins
from sidecar.errors import CallError
from sidecar.exchange import Attempt, Exchange, Record, Response
from sidecar.hookspecs import Runtime, Sample
from sidecar.host import Host, Loaded, Unusable
from sidecar.hosts import Destinations
from sidecar.intercept.background import Background
from sidecar.journal import Journal
from sidecar.logs import log_call
from sidecar.metrics import Metrics
from sidecar.provider import Provider
from sidecar.routing import OTHER, Routes
from sidecar.settings import ProviderSettings
from sidecar.stack import Handler
from sidecar.upstream import Upstream
from sidecar.upstream.dial import Resolver, client_context
from sidecar.upstream.lean import LeanUpstream
from sidecar.watchdog import Watchdog

logger = logging.getLogger(__name__)

#: Hosts to which connections are kept because agents named them: no provider's, or any below a provider's suffix.
_OTHER_UPSTREAMS = 64
#: Calls that have ended wait so long for others, and are accounted for so many at a time before the loop turns again:
#: a fraction of a millisecond.
_ACCOUNTED_SECONDS, _ACCOUNTED_AT_ONCE = 0.02, 8


class Service:
    """Made from a configuration; `start` takes it into service, `stop` out of it."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        watchdog: Watchdog,
        resolver: Resolver,
        metrics: Metrics,
        journal: Journal,
        loaded: Sequence[Loaded] | None = None,
    ) -> None:
        """
        Raises:
            InvalidConfiguration: a plugin cannot be used.
        """
        settings = configuration.settings
        self.configuration = configuration
        self.providers = providers(configuration)
        self.routes = Routes(
            self.providers,
            hosts(configuration, self.providers),
            denied=Destinations(settings.forward.deny),
            allowed=Destinations(settings.forward.allow),
            connect_ports=frozenset(settings.forward.connect_ports),
            absolute_form=settings.forward.absolute_form,
        )
        self.tells = settings.response_headers
        try:
            self.host = Host(plugins(configuration, watchdog) if loaded is None else loaded)
        except Unusable as error:
            raise InvalidConfiguration((configuration.problem(("plugins",), str(error)),)) from error
        self._metrics = metrics
        self._journal = journal
        self._watchdog = watchdog
        self._resolver = resolver
        self._calls_logged = settings.log.calls
        self._upstreams: dict[tuple[str, object], Upstream] = {}
        self._context = cache(self._made_context)
        self._ended: deque[Record] = deque()
        self._accounting: asyncio.Handle | None = None
        self._loop = asyncio.get_running_loop()
        self._in_flight = 0
        self._stopped = False
        self._drained: asyncio.Future[None] | None = None
        self._lifespans = AsyncExitStack()
        self._background = Background(self)
        self._stacks = {operation: self._stack(operation, socket=False) for operation in Operation}
        self._socket_stacks = {operation: self._stack(operation, socket=True) for operation in Operation}

    # -- calls -----------------------------------------------------------------------------------------------------

    def answer(self, exchange: Exchange) -> Awaitable[Response]:
        stacks = self._socket_stacks if exchange.socket else self._stacks
        return stacks[exchange.operation](exchange)

    def opened(self, exchange: Exchange) -> None:
        self._in_flight += 1
        self._metrics.in_flight += 1

    def closed(self, record: Record) -> None:
        self._ended.append(record)
        if self._journal.followed:
            self.account()
        elif self._accounting is None:
            self._accounting = self._loop.call_later(_ACCOUNTED_SECONDS, self._account_for_some)
        self._in_flight -= 1
        self._metrics.in_flight -= 1
        if self._drained is not None and not self._in_flight and not self._drained.done():
            self._drained.set_result(None)

    def account(self) -> None:
        """Tell of the calls that have ended, now: whoever asks wants to know of all."""
        while self._ended:
            self._account_for(self._ended.popleft())

    def _account_for_some(self) -> None:
        """Tell of a few calls that have ended: together, and after their answers, that costs half as much."""
        ended = self._ended
        waiting = len(ended)
        try:
            for _ in range(min(max(_ACCOUNTED_AT_ONCE, waiting // _ACCOUNTED_AT_ONCE), waiting)):
                self._account_for(ended.popleft())
        finally:
            self._accounting = self._loop.call_soon(self._account_for_some) if ended else None

    def _account_for(self, record: Record) -> None:
        self._metrics.observe(record)
        self.host.exchange_closed(record)
        record.exchange.notes.release()
        self._journal.add(record)
        if self._calls_logged != "none":
            log_call(record, self._calls_logged)

    def rejected(self, error: CallError) -> None:
        self._metrics.count("rejected", kind=error.kind)

    # -- stacks ----------------------------------------------------------------------------------------------------

    def _stack(self, operation: Operation, *, socket: bool) -> Handler[Exchange]:
        attempt = self.host.attempt_stack(self._send, operation, socket=socket)
        return self.host.exchange_stack(Dispatch(attempt), operation, socket=socket)

    def _send(self, attempt: Attempt) -> Awaitable[Response]:
        return self._upstream(attempt.provider).send(attempt)

    def stacks(self) -> dict[str, str]:
        """By operation, the way of a call in words: ``tracing › cache › (dispatch) › tracing › (upstream)``."""
        written = {operation.value: self._written(operation, socket=False) for operation in Operation}
        written["websocket"] = self._written(Operation.REALTIME, socket=True)
        return written

    def _written(self, operation: Operation, *, socket: bool) -> str:
        rings = []
        for hook, innermost in (("around_exchange", "(dispatch)"), ("around_attempt", "(upstream)")):
            standing = self.host.standing_around(hook, operation, socket=socket)
            rings += [*(loaded.label for loaded in standing), innermost]
        return " › ".join(rings)

    # -- upstreams ---------------------------------------------------------------------------------------------------

    def _upstream(self, provider: Provider) -> Upstream:
        key = (provider.name, provider.origin)
        upstream = self._upstreams.get(key)
        if upstream is None:
            if self._is_found(*key) and len(self._upstreams) > len(self.providers) + _OTHER_UPSTREAMS:
                self._forget_an_upstream()
            upstream = self._upstreams[key] = self._opened_upstream(provider)
        return upstream

    def _opened_upstream(self, provider: Provider) -> Upstream:
        settings = self.configuration.settings
        own = settings.providers.get(provider.name, ProviderSettings())
        context = (lambda: self._context(own.ca_file)) if provider.origin.tls else None
        others = provider.name == OTHER
        if (own.client or settings.upstream.client) == "aiohttp" and not others:  # aiohttp asks nobody whom to dial
            from sidecar.upstream.reference import ReferenceUpstream

            return ReferenceUpstream(
                provider,
                resolver=self._resolver,
                context=context,
                idle_seconds=settings.upstream.idle_timeout,
                max_connections=settings.upstream.max_connections,
                max_head_bytes=settings.listen.limits.header_size,
            )
        return LeanUpstream(
            provider,
            watchdog=self._watchdog,
            resolver=self._resolver,
            context=context,
            idle_seconds=settings.upstream.idle_timeout,
            keep_warm=own.keep_warm,
            keep_used=not others,
            spare_sockets=0 if others else own.spare_sockets,
            max_connections=settings.upstream.max_connections,
            max_head_bytes=settings.listen.limits.header_size,
            permit=self.routes.permit_address if others else None,
            connected=self._metrics.connected,
        )

    def _is_found(self, name: str, origin: object) -> bool:
        """Whether no configuration names *origin*, but the agent's call did: a region, say, or no provider's at all."""
        own = self.providers.get(name)
        return own is None or own.origin != origin

    def _forget_an_upstream(self) -> None:
        """The oldest one of a host that only the agent has named; calls that run on it go on to their end."""
        for key, upstream in self._upstreams.items():
            if self._is_found(*key) and isinstance(upstream, LeanUpstream):
                del self._upstreams[key]
                upstream.retire()
                return

    def _made_context(self, ca_file: str | None) -> ssl.SSLContext:
        extra = self.configuration.settings.tls.extra_ca_files
        return client_context((*extra, ca_file) if ca_file else extra)

    # -- life ------------------------------------------------------------------------------------------------------

    async def start(self, before: "Service | None" = None) -> None:
        """Enter the plugins' lifespans.

        Args:
            before: what served until now.

        Raises:
            InvalidConfiguration: a plugin cannot start; those that had started are stopped again.
        """
        for loaded, lifespan in self.host.implementations("lifespan"):
            runtime = Runtime(
                name=loaded.label,
                version=__version__,
                digest=self.configuration.digest,
                providers=self.providers,
                calls=self._background,
                warm=self.expect,
                before=None if before is None else before.host.alike(loaded),
            )
            try:
                await self._lifespans.enter_async_context(lifespan(runtime))
            except Exception as error:
                await self.stop()
                message = f"{loaded.label} cannot start: {type(error).__name__}: {error}"
                index = self.host.plugins.index(loaded)
                raise InvalidConfiguration((self.configuration.problem(("plugins", index), message),)) from error
        if before is not None:
            self._go_on(before)

    def _kept_warm(self) -> list[Upstream]:
        settings = self.configuration.settings.providers
        return [
            self._upstream(provider)
            for name, provider in self.providers.items()
            if provider.origin.host and settings[name].keep_warm
        ]

    async def warm(self) -> None:
        """Open the connections that are to be there before the first call."""
        await asyncio.gather(*(upstream.warm() for upstream in self._kept_warm()))

    def expect(self, provider: Provider) -> None:
        """A call to *provider* is likely soon: have a connection open by then. Returns at once, never raises."""
        if provider.origin.host and provider.name in self.providers and not self._stopped:
            self._upstream(provider).expect()

    def _go_on(self, before: "Service") -> None:
        """Open the connections that calls will look for here which came by those of *before* until now."""
        for upstream in self._kept_warm():
            upstream.expect()
        for (name, origin), upstream in before._upstreams.items():
            provider = self.providers.get(name)
            if provider is not None and provider.origin == origin and isinstance(upstream, LeanUpstream):
                successor = self._upstream(provider)
                if isinstance(successor, LeanUpstream):
                    successor.succeed(upstream)

    async def drain(self, grace_seconds: float) -> bool:
        """Wait until no call runs; whether that came about in time."""
        if not self._in_flight:
            return True
        self._drained = asyncio.get_running_loop().create_future()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await self._drained
        return not self._in_flight

    async def stop(self) -> None:
        """Close the connections and leave the plugins' lifespans. Never raises."""
        self._stopped = True
        self.account()
        if self._accounting is not None:
            self._accounting.cancel()
        for upstream in self._upstreams.values():
            await upstream.aclose()
        try:
            await self._lifespans.aclose()
        except Exception:
            logger.exception("a plugin failed to stop")

    def samples(self) -> list[Sample]:
        """What this service and its plugins have to say to ``/metrics``."""
        samples = [
            Sample("config_info", 1, "The configuration in force.", labels=(("digest", self.configuration.digest),)),
            Sample("build_info", 1, "The version in service.", labels=(("version", __version__),)),
        ]
        for loaded in self.host.plugins:
            labels = (("plugin", loaded.label),)
            faults = Sample("plugin_faults_total", loaded.guard.faults, "Plugins' own failures.", "counter", labels)
            quarantined = bool(loaded.guard.quarantined_until)
            samples += [faults, Sample("plugin_quarantined", quarantined, "1 while bypassed.", labels=labels)]
        pools: dict[str, list[LeanUpstream]] = {}
        for (name, _), upstream in self._upstreams.items():
            if isinstance(upstream, LeanUpstream):
                pools.setdefault(name, []).append(upstream)
        for name, of_provider in pools.items():
            labels = (("provider", name),)
            opened = sum(upstream.opened for upstream in of_provider)
            samples += [
                Sample("upstream_connections", sum(each.connections for each in of_provider), "Open.", labels=labels),
                Sample("upstream_connections_idle", sum(each.idle for each in of_provider), "At rest.", labels=labels),
                Sample("upstream_connections_opened_total", opened, "Ever.", "counter", labels),
            ]
        for loaded in self.host.plugins:
            try:
                samples += self.host.samples(loaded)
            except Exception as error:
                reason = f"raised {type(error).__name__}: {error}"
                loaded.guard.report("samples", None, reason, "ignored", error)
        return samples
