"""A sidecar that has a pod's calls, and what it counts of them."""

import asyncio
import contextlib
import re
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator

from tests.nameserver import name_server
from tests.namespaces.conftest import PROVIDERS, World
from tests.namespaces.pod import PATIENCE_SECONDS, Pod

#: What the sidecar is told of each mode.
MODES = {
    "hosts": ("listen.transparent=['127.0.0.1:443', '[::1]:443']", "upstream.resolver=dns"),
    "redirect": ("listen.transparent=['127.0.0.1:15001', '[::1]:15001']",),
}
OURS = "x-sidecar-request-id"
"""A header that only the sidecar's answers have."""


@contextlib.asynccontextmanager
async def named(pod: Pod, world: World) -> AsyncIterator[None]:
    """The pod's name server knows the world."""
    async with name_server(world.addresses, (pod.outside, 53)):
        yield


async def led(mode: str, pod: Pod) -> None:
    """From now on the pod's calls come to the sidecar, by *mode*: hosts or redirect."""
    if mode == "redirect":
        await pod.redirect()
    else:
        pod.hosts(*(f"{address} {name}" for name in PROVIDERS for address in ("127.0.0.1", "::1")))
        await pod.done("sysctl", "-q", "-w", "net.ipv4.ip_unprivileged_port_start=443")


@contextlib.asynccontextmanager
async def captured(mode: str, pod: Pod, world: World, *settings: str) -> AsyncIterator[Process]:
    """A pod as it is when its agent begins. Yields the sidecar."""
    async with named(pod, world):
        if mode == "hosts":
            await led(mode, pod)
        async with pod.sidecar(*MODES[mode], world.trusting, *settings) as sidecar:
            if mode == "redirect":
                await led(mode, pod)
            yield sidecar


async def calls(pod: Pod, number: int = 1, **labels: str) -> None:
    """Wait until the sidecar has counted *number* calls with *labels*."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := _counted(page := await pod.metrics(), labels)) < number:
        assert time.monotonic() < deadline, page
        await asyncio.sleep(0.02)
    assert found == number, page


def _counted(page: str, labels: dict[str, str]) -> float:
    total = 0.0
    for given, value in re.findall(r"^sidecar_requests_total\{(.*)\} (\S+)$", page, re.MULTILINE):
        if all(f'{name}="{wanted}"' in given.split(",") for name, wanted in labels.items()):
            total += float(value)
    return total
