"""The lab: emulated providers on loopback, each on ports of its own."""

import random
import ssl
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from sidecar.lab.call import Bench, Identifiers
from sidecar.lab.certificates import Authority
from sidecar.lab.clock import Clock, SystemClock
from sidecar.lab.engines.contract import Engines, ProgressCallback
from sidecar.lab.engines.kinds import started, unheeded
from sidecar.lab.journal import Journal, Received
from sidecar.lab.latency import Latency, Pace, profile
from sidecar.lab.providers.known import NAMES, emulation_of
from sidecar.lab.server import EmulatedProvider
from sidecar.lab.takes import Takes


class Lab:
    """Emulated providers that listen while the lab is entered::

        async with Lab("openai", "deepgram") as lab:
            client = AsyncOpenAI(base_url=lab.url("openai") + "/v1", api_key="sk-lab")

    Args:
        providers: names of those wanted; all there are if none is named.
        engines: ``echo``, ``real``, or engines that somebody else starts and stops.
        latency: a profile, ``NAME`` or ``NAME:FACTOR``, or paces by provider.
        tls: whether each provider has a TLS port too.
        gzip_json: whether JSON answers are compressed for clients that accept that, as many services do.
        recording: whether requests are kept for those who want to look at them; a lab that runs for long should not.
        seed: of everything that is drawn: identifiers, jitter, faults by rate.
        ports: fixed plain ports by provider; all others are free ones.
    """

    def __init__(
        self,
        *providers: str,
        engines: str | Engines = "echo",
        latency: str | Mapping[str, Pace] = "none",
        tls: bool = False,
        gzip_json: bool = False,
        recording: bool = True,
        seed: int = 0,
        clock: Clock | None = None,
        host: str = "127.0.0.1",
        ports: Mapping[str, int] | None = None,
        progress: ProgressCallback = unheeded,
    ) -> None:
        self._names: Sequence[str] = providers or NAMES
        self._emulations = [emulation_of(name) for name in self._names]
        self._engines = engines
        self._paces = profile(latency) if isinstance(latency, str) else latency
        self._tls = tls
        self._gzip_json = gzip_json
        self._recording = recording
        self._seed = seed
        self._clock: Clock = clock or SystemClock()
        self._host = host
        self._ports = ports or {}
        self._progress = progress
        self._authority: Authority | None = None
        self._providers: dict[str, EmulatedProvider] = {}
        self._journal = Journal()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if isinstance(self._engines, str):
                engines = await stack.enter_async_context(started(self._engines, self._progress))
            else:
                engines = self._engines
            context = None
            if self._tls:
                self._authority = Authority()
                context = self._authority.server_context(host for one in self._emulations for host in one.hosts)
            for emulation in self._emulations:
                provider = self._provider(emulation.name, engines)
                stack.push_async_callback(provider.close)
                await provider.listen(self._host, self._ports.get(emulation.name, 0), context)
                self._providers[emulation.name] = provider
            self._stack = stack.pop_all()
        return self

    def _provider(self, name: str, engines: Engines) -> EmulatedProvider:
        def source(purpose: str) -> random.Random:
            return random.Random(f"{self._seed} {name} {purpose}")

        latency = Latency(self._paces.get(name, Pace()), source("latency"))
        bench = Bench(engines, latency, self._clock, Identifiers(source("identifiers")), Takes())
        return EmulatedProvider(
            emulation_of(name),
            bench,
            f"{self._seed} {name}",
            journal=self._journal if self._recording else None,
            gzip_json=self._gzip_json,
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def providers(self) -> Mapping[str, EmulatedProvider]:
        return self._providers

    def provider(self, name: str) -> EmulatedProvider:
        return self._providers[name]

    def url(self, name: str) -> str:
        """``http://127.0.0.1:PORT``"""
        return self._providers[name].url

    def tls_url(self, name: str) -> str:
        """``https://127.0.0.1:PORT``; the certificate is good for the provider's real host names too."""
        url = self._providers[name].tls_url
        if url is None:
            raise RuntimeError("this lab has no TLS ports; make it with tls=True")
        return url

    @property
    def ca_pem(self) -> bytes:
        """The certificate to trust for the TLS ports."""
        if self._authority is None:
            raise RuntimeError("this lab has no TLS ports; make it with tls=True")
        return self._authority.pem

    def client_tls(self) -> ssl.SSLContext:
        """For a client that trusts nobody but this lab."""
        if self._authority is None:
            raise RuntimeError("this lab has no TLS ports; make it with tls=True")
        return self._authority.client_context()

    @property
    def requests(self) -> list[Received]:
        """What all providers received, in order."""
        return self._journal.requests

    @property
    def failures(self) -> list[Exception]:
        """What broke in the lab itself; empty unless the lab has a bug."""
        return [failure for provider in self._providers.values() for failure in provider.failures]
