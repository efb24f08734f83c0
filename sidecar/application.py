"""The process: listeners, the service in force, reloads, and an orderly end."""

import asyncio
import gc
import hashlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from sidecar import __version__
from sidecar.addresses import Address
from sidecar.admin import admin_application, probes_application
from sidecar.configuration import Configuration, rendered
from sidecar.errors import ConfigurationError
from sidecar.exchange import Provider
from sidecar.intercept.authority import BUNDLE_FILE, Authority, open_authority
from sidecar.intercept.flow import BASE_URL, Flow
from sidecar.intercept.listener import Listener
from sidecar.journal import Journal
from sidecar.metrics import Metrics
from sidecar.service import Service
from sidecar.settings import Settings
from sidecar.upstream.dial import Resolver, SystemResolver
from sidecar.watchdog import Watchdog

logger = logging.getLogger(__name__)

#: How often the configuration's file is looked at. A ConfigMap takes a minute to arrive anyway.
_LOOK_SECONDS = 2.0
_DISTRUST_LOGGED_SECONDS = 60.0
#: How long a thread (one that exports traces, say) may keep the interpreter from calls. Python's own 5 ms are a pause
#: that a listener hears.
_SWITCH_SECONDS = 0.0005

Load = Callable[[], Configuration]


class CannotListen(ConfigurationError):
    """A port is taken, or an address is not this machine's."""


class Application:
    """
    Args:
        load: reads the configuration anew; called at start and for each reload.
        file: what is watched for changes; None for nothing.
    """

    def __init__(self, load: Load, file: Path | None = None) -> None:
        self._load = load
        self._file = file
        self._started = time.monotonic()
        self._service: Service | None = None
        self._listeners: list[Listener] = []
        self._runners: list[web.AppRunner] = []
        self._addresses: dict[str, str] = {}
        self._retired: set[asyncio.Task[None]] = set()
        self._reloading = asyncio.Lock()
        self._digest = ""
        self._stopping = False
        self._warned: dict[str, float] = {}
        self.authority: Authority | None = None
        self.journal = Journal()
        self.resolver: Resolver = SystemResolver()
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

    def distrusted(self, name: str, reason: str) -> None:
        self.metrics.count("distrusted", name=name)
        now = time.monotonic()
        if now - self._warned.get(name, -_DISTRUST_LOGGED_SECONDS) < _DISTRUST_LOGGED_SECONDS:
            return
        self._warned[name] = now
        bundle = self.authority.directory / BUNDLE_FILE if self.authority else BUNDLE_FILE
        logger.warning(
            "a client did not accept our certificate for %s: %s. If it is the agent, set SSL_CERT_FILE=%s for it "
            "(REQUESTS_CA_BUNDLE for requests, NODE_EXTRA_CA_CERTS for Node) and start it anew",
            name,
            reason,
            bundle,
        )

    # -- what the admin interface asks -------------------------------------------------------------------------------

    def checks(self) -> Mapping[str, bool]:
        return {
            "configuration": self._service is not None,
            "listeners": bool(self._listeners),
            "accepting": not self._stopping,
        }

    def account(self) -> None:
        self.service.account()

    def metrics_text(self) -> str:
        self.account()
        return self.metrics.render(self.service.samples())

    def status(self) -> dict[str, Any]:
        service = self.service
        return {
            "version": __version__,
            "uptime_seconds": round(time.monotonic() - self._started, 3),
            "configuration": {"file": str(self._file) if self._file else None, "digest": service.configuration.digest},
            "addresses": self._addresses,
            "bundle": self._bundle,
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
        }

    @property
    def _bundle(self) -> str | None:
        """What clients must trust; None where TLS is not ended."""
        return str(self.authority.directory / BUNDLE_FILE) if self.authority else None

    # -- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """
        Raises:
            ConfigurationError: it cannot start, and why.
        """
        configuration = self._load()
        settings = configuration.settings
        self._digest = self._file_digest()
        self.journal = Journal(settings.journal.calls)
        self.resolver = SystemResolver(settings.upstream.dns_ttl)
        service = self._made(configuration)
        if settings.tls.intercept:
            self.authority = await asyncio.to_thread(_open_authority, settings, service)
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
        fields = {"addresses": dict(self._addresses), "bundle": self._bundle, "digest": configuration.digest}
        listed = ", ".join(f"{name} {address}" for name, address in self._addresses.items())
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
        main = settings.listen.address
        wanted: list[tuple[str, Address, Flow]] = [("proxy", main, BASE_URL)]
        for name, provider in settings.providers.items():
            if provider.enabled and provider.port is not None:
                host = f"[{main.host}]" if ":" in main.host else main.host
                wanted.append((name, Address(f"{host}:{provider.port}"), Flow(door="port", provider=name)))
        for name, address, flow in wanted:
            listener = Listener(self, _listening(address, name), flow)
            self._listeners.append(listener)
            self._addresses[name] = _shown(*listener.address)

    async def _serve_aside(self, settings: Settings) -> None:
        for name, address, application in (
            ("admin", settings.admin.address, admin_application(self)),
            ("probes", settings.probes.address, probes_application(self)),
        ):
            if address is None:
                continue
            sock = _listening(address, name)
            runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
            await runner.setup()
            self._runners.append(runner)
            await web.SockSite(runner, sock).start()
            self._addresses[name] = _shown(*sock.getsockname()[:2])

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where what listens, by name: proxy, admin, probes and the providers with a port of their own."""
        return self._addresses

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
        for runner in self._runners:
            await runner.cleanup()
        self.watchdog.close()

    # -- reload ------------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Reload whenever the configuration's content has changed. Runs until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._file_digest() != self._digest:
                await self.reload()

    async def reload(self) -> bool:
        """Take the configuration anew into service; on any problem keep the one in force, and say so."""
        async with self._reloading:  # a signal may come while a change of the file is being taken
            return await self._reload()

    async def _reload(self) -> bool:
        self._digest = self._file_digest()
        before = self.service
        try:
            configuration = self._load()
            service = self._made(configuration)
            await service.start()
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
        for what in _needs_restart(before.configuration.settings, configuration.settings):
            logger.warning("a change of %s takes effect only after a restart", what)
        if self.authority is not None:
            uncovered = [name for name in _names(service) if not self.authority.covers(name)]
            if uncovered:
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

    def _file_digest(self) -> str:
        if self._file is None:
            return ""
        try:
            return hashlib.sha256(self._file.read_bytes()).hexdigest()
        except OSError:
            return self._digest  # between two versions of a ConfigMap; look again later


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


def _open_authority(settings: Settings, service: Service) -> Authority | None:
    """The pod's CA. Without a directory of its own choosing it is not worth failing for: base URLs need no CA."""
    directory, names = Path(settings.tls.directory_in(os.environ)), _names(service)
    if not names:  # no provider is called by name
        return None
    try:
        return open_authority(directory, names, [Path(file) for file in settings.tls.extra_ca_files])
    except ConfigurationError as error:
        if settings.tls.directory is not None:
            raise
        logger.warning("TLS is not ended for any provider: %s. Calls by base URL work all the same", error)
        return None


def _names(service: Service) -> list[str]:
    """The names under which providers are called: what the CA may sign for."""
    return sorted({pattern.removeprefix("*.") for pattern in service.routes.patterns})


def _provider_told(provider: Provider) -> dict[str, Any]:
    return {
        "url": f"{provider.origin}{provider.path}" if provider.origin.host else None,
        "dialect": None if provider.dialect is None else provider.dialect.name,
    }


def _listening(address: Address, name: str) -> socket.socket:
    """
    Raises:
        CannotListen: and what to do.
    """
    host = "127.0.0.1" if address.host == "localhost" else address.host
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, address.port))
        sock.listen(1024)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        key = f"{name}.address" if name in ("admin", "probes") else "listen.address"
        key = key if name in ("proxy", "admin", "probes") else f"providers.{name}.port"
        reason = (error.strerror or str(error)).lower()
        raise CannotListen(f"cannot listen on {address}: {reason}; choose another one with {key}") from error
    return sock


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _needs_restart(before: Settings, after: Settings) -> Iterable[str]:
    for name in ("listen", "admin", "probes", "tls", "log", "journal"):
        if getattr(before, name) != getattr(after, name):
            yield name
    ports = [
        {name: provider.port for name, provider in settings.providers.items() if provider.enabled and provider.port}
        for settings in (before, after)
    ]
    if ports[0] != ports[1]:
        yield "providers' ports"
