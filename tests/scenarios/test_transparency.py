"""Golden: what reaches a provider, and what comes back, is byte for byte what it is without the sidecar.

Raw bytes go to a scripted provider, once straight and once through each door, with no plugins and with those that only
observe. What may differ is named here and nowhere else: the fields of a hop, the value of ``Host``, how a body is cut
into chunks, and the four fields that we put behind an answer's own.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest
import pytest_asyncio

from sidecar.catalogue import CATALOGUE
from sidecar.hosts import Hosts
from tests.corpus import CapturedAnswer, Case, answers, case, cases
from tests.running import Running, running
from tests.scenarios.sdk import oddities
from tests.scenarios.sdk.golden import DIRECT, DOORS, Message, Way, answered
from tests.scenarios.sdk.world import free_ports
from tests.wire import Line, Peer, answer, answering, peer

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWN = [b"x-sidecar-request-id", b"x-sidecar-provider", b"x-sidecar-attempts", b"Server-Timing"]
OK = answer(b'{"ok": true}', "200 OK", "Content-Type: application/json")
#: Hosts that the corpus has and the catalogue has not.
FURTHER_HOSTS = {
    "gemini": "[generativelanguage.googleapis.com, europe-west4-aiplatform.googleapis.com]",
    "azure-speech": "['*.speech.microsoft.com', '*.api.cognitive.microsoft.com']",
}
OPENAI_HOST = "api.openai.com"


class Provider:
    """Says what a test tells it to, and keeps what it hears. ``port`` is where it does."""

    def __init__(self) -> None:
        self.says = OK
        self.closes = False
        self.heard: list[Message] = []
        self.talk: list[bytes] = []
        """What came over sockets."""
        self.port = 0

    async def script(self, line: Line) -> None:
        while True:
            head, body = await line.request()
            self.heard.append(Message.of(head, body))
            await line.send(self.says)
            if self.says.startswith(b"HTTP/1.1 101"):
                while data := await line.reader.read(65536):
                    self.talk.append(data)
                    await line.send(data)
                return
            if self.closes:
                return

    def expect(self, says: bytes, *, closes: bool = False) -> None:
        self.says, self.closes = says, closes
        self.heard.clear()
        self.talk.clear()


class Cell(NamedTuple):
    """A way through a sidecar. What fails inside says which."""

    way: Way
    plugins: str

    def __enter__(self) -> Way:
        return self.way

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is not None:
            error.add_note(f"by the door {self.way.door}, with plugins {self.plugins}")


class Stage(NamedTuple):
    provider: Provider
    sidecars: dict[str, Running]

    def straight(self, host: str) -> Way:
        return Way(DIRECT, self.sidecars["bare"], NAMES.find(host) or "", host, self.provider.port)

    def cells(self, host: str) -> Iterator[Cell]:
        """Each door, without plugins and with."""
        for plugins, sidecar in self.sidecars.items():
            for door in DOORS:
                yield Cell(Way(door, sidecar, NAMES.find(host) or "", host, self.provider.port), plugins)


def provider_names() -> Hosts[str]:
    """The sidecar's name for whoever is at a host."""
    found = [(pattern, name) for name, settings in CATALOGUE.items() for pattern in settings.hosts or ()]
    further = [(host, name) for name, hosts in FURTHER_HOSTS.items() for host in hosts.strip("[]").split(", ")]
    return Hosts([*found, *((host.strip("'"), name) for host, name in further)])


NAMES = provider_names()


def host_of(one: Case) -> str:
    return one.headers.get("host") or ""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    provider = Provider()
    used = sorted({NAMES.find(host_of(one)) or "" for one in cases()})
    async with AsyncExitStack() as stack:
        collector: Peer = await stack.enter_async_context(peer(answering(answer(b""))))
        provider.port = (await stack.enter_async_context(peer(provider.script))).port
        tracing = f"[{{use: tracing, config: {{endpoint: 'http://127.0.0.1:{collector.port}/v1/traces'}}}}]"
        sidecars = {}
        for name, plugins in (("bare", "[]"), ("tracing", tracing)):
            overrides = [f"providers.{one}.url=http://127.0.0.1:{provider.port}" for one in used]
            overrides += [f"providers.{one}.port={port}" for one, port in zip(used, free_ports(len(used)), strict=True)]
            overrides += [f"providers.{one}.hosts={hosts}" for one, hosts in FURTHER_HOSTS.items()]
            sidecars[name] = await stack.enter_async_context(running(*overrides, "log.calls=none", plugins=plugins))
        yield Stage(provider, sidecars)


async def asked(way: Way, raw: bytes, *, times: int = 1) -> list[Message]:
    """The answers to *raw*, a whole request, which is made so often over one connection."""
    async with way.line() as line:
        found = []
        for _ in range(times):
            await line.send(way.placed(raw))
            found.append(await answered(line, raw.split(b" ", 1)[0].decode()))
        return found


async def assert_request_passes(stage: Stage, host: str, raw: bytes) -> None:
    stage.provider.expect(OK)
    await asked(stage.straight(host), raw)
    for cell in stage.cells(host):
        with cell as way:
            await asked(way, raw, times=2)
            straight, passed, again = stage.provider.heard[0], *stage.provider.heard[-2:]
            assert again == passed, "a head is not known again as what it was"
            assert passed.start == straight.start
            assert passed.passing(b"host", b"expect") == straight.passing(b"host", b"expect")
            assert passed.body == straight.body
            assert passed.chunked == straight.chunked
            assert passed.value(b"host") == f"127.0.0.1:{stage.provider.port}".encode()
            assert passed.names(b"expect") == straight.names(b"expect"), "Host has moved"
    assert len(stage.provider.heard) == 1 + 2 * len(list(stage.cells(host)))


async def assert_answer_passes(stage: Stage, host: str, raw: bytes, says: bytes, *, closes: bool = False) -> None:
    stage.provider.expect(says, closes=closes)
    (straight,) = await asked(stage.straight(host), raw)
    for cell in stage.cells(host):
        with cell as way:
            (passed,) = await asked(way, raw)
            assert passed.start.partition(b" ")[2] == straight.start.partition(b" ")[2]
            fields = passed.passing()
            assert [name for name, _ in fields[-len(OWN) :]] == OWN
            assert fields[: -len(OWN)] == straight.passing()
            assert passed.body == straight.body
            assert passed.chunked == straight.chunked or closes or raw.startswith(b"HEAD ")


REQUESTS = [pytest.param(one, id=f"{one.dialect}-{one.name}") for one in cases() if not one.is_socket]


@pytest.mark.parametrize("one", REQUESTS)
async def test_a_request_of_an_sdk_reaches_its_provider_as_it_was_sent(stage: Stage, one: Case) -> None:
    await assert_request_passes(stage, host_of(one), one.raw)


@pytest.mark.parametrize("name", oddities.REQUESTS)
async def test_an_odd_request_reaches_its_provider_as_it_was_sent(stage: Stage, name: str) -> None:
    await assert_request_passes(stage, OPENAI_HOST, oddities.REQUESTS[name])


ANSWERS = [pytest.param(one, id=f"{one.dialect}-{one.case}-{one.what}") for one in answers()]


@pytest.mark.parametrize("one", ANSWERS)
async def test_an_answer_of_a_provider_comes_back_as_it_was_given(stage: Stage, one: CapturedAnswer) -> None:
    fields = b"".join(b"%b: %b\r\n" % field for field in one.headers if field[0].lower() != b"transfer-encoding")
    says = b"HTTP/1.1 %d As given\r\n%bContent-Length: %d\r\n\r\n%b" % (one.status, fields, len(one.body), one.body)
    request = case(one.dialect, one.case)
    await assert_answer_passes(stage, host_of(request), request.raw, says)


@pytest.mark.parametrize("name", oddities.ANSWERS)
async def test_an_odd_answer_comes_back_as_it_was_given(stage: Stage, name: str) -> None:
    given = oddities.ANSWERS[name]
    target, end = ("/v1/chat/completions", "Content-Length: 2\r\n\r\n{}")
    if given.method != "POST":
        target, end = ("/v1/models", "\r\n")
    raw = f"{given.method} {target} HTTP/1.1\r\nHost: {OPENAI_HOST}\r\n{end}".encode()
    await assert_answer_passes(stage, OPENAI_HOST, raw, given.data, closes=given.closes)


SOCKETS = [pytest.param(one, id=f"{one.dialect}-{one.name}") for one in cases() if one.is_socket]
UPGRADE = (
    b"HTTP/1.1 101 Switching protocols, gladly\r\nUPGRADE: websocket\r\nconnection: Upgrade\r\nX-Request-Id: r1\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-EXTENSIONS: permessage-deflate\r\n\r\n"
)
EARLY, NO_FRAME = b"\x81\x05hello", b"\xff\x00 not a frame"


@pytest.mark.parametrize("one", SOCKETS)
async def test_a_socket_is_opened_and_spoken_over_as_without_the_sidecar(stage: Stage, one: Case) -> None:
    """Even where both speak in the same breath in which they ask and agree, and what is said is no frame at all."""
    stage.provider.expect(UPGRADE + EARLY)
    host = host_of(one)
    straight, said = await conversed(stage.straight(host), one.raw)
    for cell in stage.cells(host):
        with cell as way:
            passed, relayed = await conversed(way, one.raw)
            assert passed.start == straight.start
            assert passed.fields[: -len(OWN)] == straight.fields
            assert [name for name, _ in passed.fields[-len(OWN) :]] == OWN
            assert relayed == said
            first, last = stage.provider.heard[0], stage.provider.heard[-1]
            assert last.start == first.start
            assert last.without_host() == first.without_host()
            assert stage.provider.talk[-1] == NO_FRAME


async def conversed(way: Way, raw: bytes) -> tuple[Message, bytes]:
    """What a provider agrees to with, and what it says thereafter, to an agent that did not wait for it."""
    async with way.line() as line, asyncio.timeout(10):
        await line.send(way.placed(raw) + NO_FRAME)
        opened = Message.of(await line.head(), b"")
        return opened, await line.reader.readexactly(len(EARLY) + len(NO_FRAME))


async def test_the_plugins_have_seen_the_calls(stage: Stage) -> None:
    """So that the tests above cannot pass for want of anything that observes."""
    sidecar = stage.sidecars["tracing"]
    before = sidecar.calls()[-1:]
    stage.provider.expect(OK)
    way = Way("base_url", sidecar, "openai", OPENAI_HOST, stage.provider.port)
    await asked(way, oddities.REQUESTS["header case"])
    (told,) = sidecar.calls()[-1:]
    assert told.outcome == "completed"
    assert [told] != before
    assert sidecar.application.service.stacks()["chat"].startswith("(dispatch) › tracing")
