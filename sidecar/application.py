"""The process: listeners, the service in force, reloads, and an orderly end."""

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from sidecar import __version__
from sidecar.admin import admin_application, probes_application
from sidecar.configuration import Configuration, rendered
from sidecar.errors import ConfigurationError
from sidecar.hookspecs import Question, Told
from sidecar.intercept.authority import Authority
from sidecar.intercept.flow import TRANSPARENT
from sidecar.intercept.listener import Listener
from sidecar.journal import Journal
from sidecar.listening import CannotListen, listening, shown, sockets
from sidecar.metrics import Metrics
from sidecar.provider import Provider
from sidecar.reloading import Watched, needs_restart
from sidecar.service import Service
from sidecar.settings import Settings
from sidecar.trust import Trust, signed_names
from sidecar.upstream.dial import SystemResolver
from sidecar.upstream.dns import DnsResolver
from sidecar.watchdog import Watchdog

__all__ = ["Application", "CannotListen", "run"]

logger = logging.getLogger(__name__)

#: How often the configuration's file is looked at. A ConfigMap takes a minute to arrive anyway.
_LOOK_SECONDS = 2.0
#: How long a thread (one that exports traces, say) may keep the interpreter from calls. Python's own 5 ms are a pause
#: that a listener hears.
_SWITCH_SECONDS = 0.0005

Load = Callable[[], Configuration]


class Application:
    """
    Args:
        load: reads the configuration anew; called at start and for each reload.
        file: what is watched for changes; None for nothing.
    """

    def __init__(self, load: Load, file: Path | None = None) -> None:
        self._load = load
        self._file = file
        self._watched = Watched(file)
        self._started = time.monotonic()
        self._service: Service | None = None
        self._listeners: list[Listener] = []
        self._runners: list[web.AppRunner] = []
        self.addresses: dict[str, str] = {}
        """Where what listens, by name: proxy, admin, probes and the providers with a port of their own."""
        self._retired: set[asyncio.Task[None]] = set()
        self._reloading = asyncio.Lock()
        self._stopping = False
        self._trust = Trust()
        self.journal = Journal()
        self.resolver = SystemResolver()
        self.metrics = Metrics()
        self.watchdog = Watchdog()

    # -- what the listeners ask --------------------------------------------------------------------------------------

    @property
    def service(self) -> Service:
        assert self._service is not None
        return self._service

    @property
    def server(self) -> str:
        return self.settings.listen.server

    @property
    def max_connections(self) -> int:
        return self.settings.listen.limits.connections

    @property
    def max_head_bytes(self) -> int:
        return self.settings.listen.limits.header_size

    @property
    def splices_unknown(self) -> bool:
        return self.settings.forward.splice_unknown

    @property
    def settings(self) -> Settings:
        return self.service.configuration.settings

    @property
    def authority(self) -> Authority | None:
        return self._trust.authority

    def captured(self, mode: str) -> None:
        self.metrics.count("captured", mode=mode)

    def distrusted(self, name: str, reason: str) -> None:
        self.metrics.count("distrusted", name=name)
        self._trust.distrusted(name, reason)

    # -- what the admin interface asks -------------------------------------------------------------------------------

    def checks(self) -> Mapping[str, bool]:
        return {
            "configuration": self._service is not None,
            "listeners": bool(self._listeners),
            "accepting": not self._stopping,
        }

    def account(self) -> None:
        self.service.account()

    async def console(self, plugin: str, question: Question) -> Told | None:
        return await self.service.host.console(plugin, question)

    def metrics_text(self) -> str:
        self.account()
        return self.metrics.render(self.service.samples())

    def status(self) -> dict[str, Any]:
        service = self.service
        return {
            "version": __version__,
            "uid": os.getuid(),
            "uptime_seconds": round(time.monotonic() - self._started, 3),
            "configuration": {"file": str(self._file) if self._file else None, "digest": service.configuration.digest},
            "addresses": self.addresses,
            "bundle": self._trust.bundle,
            "providers": {name: _provider_told(provider) for name, provider in service.providers.items()},
            "plugins": [
                {
                    "name": loaded.label,
                    "class": f"{type(loaded.plugin).__module__}.{type(loaded.plugin).__qualname__}",
                    "faults": loaded.guard.faults,
                    "quarantined": bool(loaded.guard.quarantined_until),
                }
                for loaded in service.host.plugins
            ],
            "stacks": service.stacks(),
            "in_flight": self.metrics.in_flight,
            "captured": self.metrics.counted("captured"),
            "distrusted": self.metrics.counted("distrusted"),
        }

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """
        Raises:
            ConfigurationError: it cannot start, and why.
        """
        self._watched.look()
        configuration = self._load()
        settings = configuration.settings
        self.journal = Journal(settings.journal.calls)
        made = DnsResolver if settings.upstream.resolver == "dns" else SystemResolver
        self.resolver = made(settings.upstream.dns_ttl)
        service = self._made(configuration)
        if settings.tls.intercept:
            await asyncio.to_thread(self._trust.open, settings.tls, signed_names(service.routes))
        await service.start()
        self._service = service
        try:
            self._listen(settings)
            await self._serve_aside(settings)
        except BaseException:
            await self.stop(0.0)
            raise
        for listener in self._listeners:
            listener.start()
        for problem in configuration.warnings:
            logger.warning("%s", rendered((problem,)))
        gc.collect()
        gc.freeze()  # what is there now stays; collections need not look at it
        fields = {"addresses": dict(self.addresses), "bundle": self._trust.bundle, "digest": configuration.digest}
        listed = ", ".join(f"{name} {address}" for name, address in self.addresses.items())
        logger.info("ready: %s", listed, extra={"fields": fields})

    def _made(self, configuration: Configuration) -> Service:
        return Service(
            configuration,
            watchdog=self.watchdog,
            resolver=self.resolver,
            metrics=self.metrics,
            journal=self.journal,
        )

    def _listen(self, settings: Settings) -> None:
        ours = set()
        for name, sock, flow in sockets(settings):
            self._listeners.append(Listener(self, sock, flow))
            self.addresses[name] = shown(sock)
            if flow is TRANSPARENT:
                ours.add(sock.getsockname()[:2])
        self.resolver.ours = frozenset(ours)

    async def _serve_aside(self, settings: Settings) -> None:
        for name, address, application in (
            ("admin", settings.admin.address, admin_application(self)),
            ("probes", settings.probes.address, probes_application(self)),
        ):
            if address is None:
                continue
            sock = listening(address, name)
            runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
            await runner.setup()
            self._runners.append(runner)
            await web.SockSite(runner, sock).start()
            self.addresses[name] = shown(sock)

    async def stop(self, grace_seconds: float | None = None) -> None:
        """Take no new calls, let those under way finish within the grace, then end everything."""
        self._stopping = True
        service = self._service
        if grace_seconds is None:
            grace_seconds = self.settings.shutdown.grace if service else 0.0
        for listener in self._listeners:
            listener.stop_accepting()
        await asyncio.gather(*(listener.shutdown(grace_seconds) for listener in self._listeners))
        for task in self._retired:
            task.cancel()
        await asyncio.gather(*self._retired, return_exceptions=True)
        if service is not None:
            await service.stop()
            self.journal.close()
        await self.resolver.aclose()
        for runner in self._runners:
            await runner.cleanup()
        self.watchdog.close()

    # -- reload ------------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Reload whenever the configuration's content has changed. Runs until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._watched.look():
                await self.reload()

    async def reload(self) -> bool:
        """Take the configuration anew into service; on any problem keep the one in force, and say so."""
        async with self._reloading:  # a signal may come while a change of the file is being taken
            return await self._reload()

    async def _reload(self) -> bool:
        self._watched.look()
        before = self.service
        try:
            configuration = self._load()
            service = self._made(configuration)
            await service.start(before)
        except ConfigurationError as error:
            self.metrics.count("config_reloads", result="refused")
            logger.error("the new configuration is refused, %s stays in force:\n%s", before.configuration.digest, error)
            return False
        except Exception:
            self.metrics.count("config_reloads", result="refused")
            digest = before.configuration.digest
            logger.exception("the new configuration cannot be taken, %s stays in force; this is a defect", digest)
            return False
        if self._stopping:
            await service.stop()
            return False
        self._service = service
        self.metrics.count("config_reloads", result="taken")
        logger.info("configuration %s took over from %s", configuration.digest, before.configuration.digest)
        for what in needs_restart(before.configuration.settings, configuration.settings):
            logger.warning("a change of %s takes effect only after a restart", what)
        if uncovered := self._trust.uncovered(signed_names(service.routes)):
            logger.warning("TLS for %s is ended only after a restart of the whole pod", ", ".join(uncovered))
        task = asyncio.get_running_loop().create_task(self._retire(before))
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)
        return True

    async def _retire(self, service: Service) -> None:
        """Stop what was in force once its last call is over."""
        try:
            await service.drain(service.configuration.settings.upstream.timeouts.total)
        finally:
            await service.stop()


async def run(load: Load, file: Path | None, on_ready: Callable[[Application], None] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, of which a second one ends the wait for calls under way; SIGHUP reloads.

    Raises:
        ConfigurationError: it cannot start.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    stopping: asyncio.Task[None] | None = None

    def end() -> None:
        stop.set()
        if stopping is not None:
            stopping.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    application = Application(load, file)
    await application.start()
    reloads: set[asyncio.Task[bool]] = set()

    def reload() -> None:
        task = loop.create_task(application.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    watching = loop.create_task(application.watch())
    warming = loop.create_task(application.service.warm())
    if on_ready is not None:
        on_ready(application)
    try:
        await stop.wait()
    finally:
        watching.cancel()
        warming.cancel()
        grace = application.settings.shutdown.grace
        logger.info("stopping; calls under way have %g s to finish (a second signal cuts them off)", grace)
        stopping = loop.create_task(application.stop())
        try:
            await stopping
        except asyncio.CancelledError:
            logger.info("cutting off the calls under way")
            await application.stop(0.0)


def _provider_told(provider: Provider) -> dict[str, Any]:
    return {
        "url": f"{provider.origin}{provider.path}" if provider.origin.host else None,
        "dialect": None if provider.dialect is None else provider.dialect.name,
    }
