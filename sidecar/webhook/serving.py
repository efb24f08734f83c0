"""The server behind the webhook, its probes and numbers. It ends when it is told to, after the reviews under way."""

import asyncio
import contextlib
import gc
import logging
import signal
import ssl
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from aiohttp import web

from sidecar.addresses import Address
from sidecar.inject import InjectSettings
from sidecar.listening import listening, shown
from sidecar.webhook.admission import answered
from sidecar.webhook.presented import Count, Source

logger = logging.getLogger(__name__)

#: Where Kubernetes sends reviews. Which namespaces lead where is decided by the webhook's namespaceSelector, so that
#: nobody needs to ask the API what a namespace allows.
PATHS: Final[Mapping[str, Literal["hosts", "any"]]] = {"/mutate/hosts": "hosts", "/mutate/any": "any"}
#: Pods have limits (1.5 MiB in etcd), and a review may have the old one as well.
MAX_BYTES: Final = 8 * 1024 * 1024
_GRACE_SECONDS: Final = 10.0


class Webhook:
    """
    Args:
        settings: of pods that say nothing else.
        source: of the certificate; None serves plain HTTP, for tests of what stands before it.
    """

    def __init__(self, settings: InjectSettings, source: Source | None) -> None:
        self._settings = settings
        self._source = source
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
        context = None if self._source is None else self._source.presented.context
        await self._serve("webhook", address, reviews, context)
        if probes is not None:
            aside = web.Application()
            aside.router.add_get("/livez", _live)
            aside.router.add_get("/readyz", self._ready)
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

    @property
    def missing(self) -> str | None:
        """Why reviews cannot be answered yet; None if they can."""
        return None if self._source is None else self._source.missing

    async def watch(self) -> None:
        """Take new certificates into service as they come. Runs until it is cancelled."""
        if self._source is not None:
            await self._source.watch()

    async def _review(self, request: web.Request) -> web.Response:
        body = await request.read()
        began = time.perf_counter()
        answer = answered(body, self._settings, PATHS[request.path])
        self._seconds += time.perf_counter() - began
        self._reviews[answer.outcome] += 1
        return web.Response(body=answer.body, content_type="application/json")

    async def _ready(self, request: web.Request) -> web.Response:
        if self.missing is not None:
            return web.Response(status=503, text=f"there is no certificate to serve with: {self.missing}\n")
        return web.Response(text="ok\n")

    async def _metrics(self, request: web.Request) -> web.Response:
        outcomes = ("injected", "unchanged", "refused", "malformed", "failed")
        counts = [
            Count("reviews_total", "Reviews answered.", self._reviews[each], f'{{outcome="{each}"}}')
            for each in outcomes
        ]
        counts.append(Count("review_seconds_total", "Time they took.", self._seconds))
        if self._source is not None:
            counts += self._source.counts
            if (expires := self._source.presented.expires_seconds) is not None:
                told = "When the certificate that is served expires, Unix time."
                counts.append(Count("certificate_expiry_timestamp_seconds", told, expires, kind="gauge"))
        return web.Response(text=_page(counts))


def _page(counts: Iterable[Count]) -> str:
    """In Prometheus' text format."""
    lines: list[str] = []
    told = ""
    for count in counts:
        name = f"sidecar_webhook_{count.name}"
        if name != told:
            lines += [f"# HELP {name} {count.help}", f"# TYPE {name} {count.kind}"]
        lines.append(f"{name}{count.labels} {count.value!r}")
        told = name
    return "\n".join(lines) + "\n"


async def _live(request: web.Request) -> web.Response:
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
        gc.collect()
        gc.freeze()  # what is there now stays; a collection that looks at it holds reviews up for tens of milliseconds
        told = "ready" if webhook.missing is None else "listening; ready once there is a certificate"
        logger.info(told, extra={"fields": {"addresses": dict(webhook.addresses)}})
        watching = asyncio.create_task(webhook.watch())
        await stop.wait()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
    finally:
        await webhook.stop()
