"""The server behind the webhook. It ends when it is told to, after the reviews under way."""

import asyncio
import contextlib
import logging
import signal
import ssl
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

from aiohttp import web

from sidecar.addresses import Address
from sidecar.errors import ConfigurationError
from sidecar.inject import InjectSettings
from sidecar.listening import listening, shown
from sidecar.webhook.admission import answered

logger = logging.getLogger(__name__)

#: Where Kubernetes sends reviews. Which namespaces lead where is decided by the webhook's namespaceSelector, so that
#: nobody needs to ask the API what a namespace allows.
PATHS: Final[Mapping[str, Literal["hosts", "any"]]] = {"/mutate/hosts": "hosts", "/mutate/any": "any"}
#: Pods have limits (1.5 MiB in etcd), and a review may have the old one as well.
MAX_BYTES: Final = 8 * 1024 * 1024
#: How often the certificate's files are looked at. cert-manager renews weeks ahead.
_LOOK_SECONDS: Final = 10.0
_GRACE_SECONDS: Final = 10.0


class Certificate:
    """A server's certificate and key in files that may be replaced while it serves; new connections get the new ones.

    Raises:
        ConfigurationError: they cannot be read, or do not belong together.
    """

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self._loaded: tuple[bytes, ...] = ()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            self.look()
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"cannot serve with --cert {certificate} and --key {key}: {error.strerror or error}"
            ) from error

    def look(self) -> bool:
        """Whether the files have changed; what is in them is in force then.

        Raises:
            OSError, ssl.SSLError: what was in force stays.
        """
        content = tuple(file.read_bytes() for file in self._files)
        if content == self._loaded:
            return False
        self.context.load_cert_chain(*self._files)
        self._loaded = content
        return True


class Webhook:
    """
    Args:
        settings: of pods that say nothing else.
        certificate: None serves plain HTTP, for tests of what stands before it.
    """

    def __init__(self, settings: InjectSettings, certificate: Certificate | None) -> None:
        self._settings = settings
        self._certificate = certificate
        self._reviews: Counter[str] = Counter()
        self._seconds = 0.0
        self._runners: list[web.AppRunner] = []
        self.addresses: dict[str, str] = {}

    async def start(self, address: Address, probes: Address | None) -> None:
        """
        Raises:
            CannotListen: a port is taken.
        """
        reviews = web.Application(client_max_size=MAX_BYTES)
        for path in PATHS:
            reviews.router.add_post(path, self._review)
        context = None if self._certificate is None else self._certificate.context
        await self._serve("webhook", address, reviews, context)
        if probes is not None:
            aside = web.Application()
            for path in ("/livez", "/readyz"):
                aside.router.add_get(path, _well)
            aside.router.add_get("/metrics", self._metrics)
            await self._serve("webhook probes", probes, aside, None)

    async def _serve(
        self, name: str, address: Address, application: web.Application, context: ssl.SSLContext | None
    ) -> None:
        sock = listening(address, name)
        runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=_GRACE_SECONDS)
        await runner.setup()
        self._runners.append(runner)
        await web.SockSite(runner, sock, ssl_context=context).start()
        self.addresses[name] = shown(sock)

    async def stop(self) -> None:
        """Take no new reviews, and answer those under way."""
        for runner in self._runners:
            await runner.cleanup()

    async def watch(self) -> None:
        """Take new certificates into service as they come. Runs until it is cancelled."""
        while self._certificate is not None:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                if self._certificate.look():
                    logger.info("a new certificate is in force")
            except (OSError, ssl.SSLError) as error:
                logger.warning("the new certificate cannot be taken, the old one stays in force: %s", error)

    async def _review(self, request: web.Request) -> web.Response:
        body = await request.read()
        began = time.perf_counter()
        answer = answered(body, self._settings, PATHS[request.path])
        self._seconds += time.perf_counter() - began
        self._reviews[answer.outcome] += 1
        return web.Response(body=answer.body, content_type="application/json")

    async def _metrics(self, request: web.Request) -> web.Response:
        name = "sidecar_webhook_reviews_total"
        lines = [f"# HELP {name} Reviews answered.", f"# TYPE {name} counter"]
        outcomes = ("injected", "unchanged", "refused", "malformed", "failed")
        lines += [f'{name}{{outcome="{outcome}"}} {self._reviews[outcome]}' for outcome in outcomes]
        name = "sidecar_webhook_review_seconds_total"
        lines += [f"# HELP {name} Time they took.", f"# TYPE {name} counter", f"{name} {self._seconds!r}"]
        return web.Response(text="\n".join(lines) + "\n")


async def _well(request: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def run(webhook: Webhook, address: Address, probes: Address | None) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        CannotListen: a port is taken.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await webhook.start(address, probes)
        logger.info("ready", extra={"fields": {"addresses": dict(webhook.addresses)}})
        watching = asyncio.create_task(webhook.watch())
        await stop.wait()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    finally:
        await webhook.stop()
