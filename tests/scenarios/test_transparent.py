"""Connections that the agent opened to others: led here by its hosts file, or redirected by the kernel.

What the kernel says of a redirected connection is put in its mouth here; `tests/namespaces` has a real one.
"""

import asyncio
import errno
import ssl

import pytest

from sidecar import listening
from sidecar.addresses import Address
from sidecar.intercept import greeting
from sidecar.lab.certificates import Authority as LabAuthority
from sidecar.listening import CannotListen
from tests.sidecar.intercept.stage import BOTH_DOORS, Agent, Names, Stage, get, names, stage
from tests.wire import Line, answer, answering, peer

__all__ = ["names"]

HOST = "api.lab.example"
NAMED = f"providers.lab.hosts=[{HOST}]"
LISTEN = "listen.transparent=['127.0.0.1:0']"


def port(between: Stage) -> int:
    return int(between.sidecar.application.addresses["transparent 1"].rpartition(":")[2])


def trusting(between: Stage) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(between.sidecar.bundle))


async def over_tls(between: Stage, host: str, context: ssl.SSLContext) -> Agent:
    """An agent that dialled *host* and came out here."""
    agent = await between.agent(port(between))
    await agent.writer.start_tls(context, server_hostname=host)
    return agent


async def echo(line: Line) -> None:
    while data := await line.reader.read(65536):
        await line.send(data)


@pytest.fixture
def redirected(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, int] | None]:
    """Where the kernel says that connections wanted to go: under ``to``."""
    wanted: dict[str, tuple[str, int] | None] = {"to": None}
    monkeypatch.setattr(greeting, "original_destination", lambda sock: wanted["to"])
    return wanted


async def reset(agent: Agent) -> None:
    with pytest.raises(ConnectionError):
        await agent.rest()


# -- by the hosts file -----------------------------------------------------------------------------------------------


@BOTH_DOORS
async def test_tls_to_a_provider_ends_here(names: Names, server: str) -> None:
    async with stage(answering(answer(b"theirs")), NAMED, LISTEN, server=server) as between:
        agent = await over_tls(between, HOST, trusting(between))
        assert (await agent.ask(get())).body == b"theirs"
        (call,) = await between.calls(1)
        assert (call.door, call.provider, call.outcome) == ("transparent", "lab", "completed")


async def test_a_provider_is_called_at_the_port_that_was_dialled(names: Names) -> None:
    authority = LabAuthority()
    named = "providers.other={hosts: [api.other.example], dialect: openai}"
    async with stage(answering(answer()), named, LISTEN) as between:
        context = authority.server_context(["api.other.example"])
        async with peer(answering(answer(b"theirs")), context) as other:
            names.add("api.other.example", "127.0.0.1", port=other.port)
            agent = await over_tls(between, "api.other.example", trusting(between))
            got = await agent.ask(get())
            assert got.status == 502, "the lab's CA is not trusted here; that it was asked is enough"
        (call,) = await between.calls(1)
        assert call.attempts[0].server == f"https://api.other.example:{port(between)}"


@pytest.mark.parametrize("name", [HOST, "other.example"])
async def test_what_cannot_be_ended_here_is_spliced_by_its_name(names: Names, name: str) -> None:
    authority = LabAuthority()
    context, insisting = authority.server_context([name]), authority.client_context()
    if name == HOST:  # gRPC, say
        context.set_alpn_protocols(["h2"])
        insisting.set_alpn_protocols(["h2"])
    allowed = "forward.connect_ports=[443, {}]"
    async with peer(echo, context) as other, stage(answering(answer()), NAMED, LISTEN, allowed.format(1)) as between:
        names.add(name, "127.0.0.1", port=other.port)
        if name != HOST:
            between.sidecar.application.service.routes.connect_ports = frozenset((port(between),))
        agent = await over_tls(between, name, insisting)
        await agent.send(b"x")
        assert await agent.reader.readexactly(1) == b"x"
        agent.leave()
        (call,) = await between.calls(1)
        assert (call.door, call.provider, call.method) == ("transparent", "other", "CONNECT")


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"SSH-2.0-x\r\n", b"\x16\x03\x01\x00\x02\x01\x00"]
)
async def test_what_does_not_say_where_it_wants_to_go_is_reset(names: Names, sent: bytes) -> None:
    async with stage(answering(answer()), NAMED, LISTEN) as between:
        agent = await between.agent(port(between))
        await agent.send(sent)
        agent.half_close()
        await reset(agent)
        assert (await (await between.agent()).ask(get())).status == 200, "the process lives"


async def test_a_hosts_file_that_leads_our_own_calls_to_us_is_an_error_that_says_so(names: Names) -> None:
    named = "providers.other={hosts: [api.other.example], dialect: openai}"
    async with stage(answering(answer()), named, LISTEN) as between:
        names.add("api.other.example", "127.0.0.1")
        agent = await over_tls(between, "api.other.example", trusting(between))
        got = await agent.ask(get())
        assert got.status == 502
        assert b"upstream.resolver: dns" in got.body


async def test_where_there_is_no_ipv6_nobody_listens_for_it(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    real = listening.listening

    def refusing(address: Address, name: str) -> object:
        if address.host == "::1":
            failure = CannotListen("there is no such address")
            failure.no_such_address = True
            raise failure
        return real(address, name)

    monkeypatch.setattr(listening, "listening", refusing)
    both = "listen.transparent=['127.0.0.1:0', '[::1]:0']"
    async with stage(answering(answer()), NAMED, both) as between:
        assert "transparent 2" not in between.sidecar.application.addresses
        agent = await over_tls(between, HOST, trusting(between))
        assert (await agent.ask(get())).status == 200


async def test_an_address_that_is_not_ours_is_told_from_one_that_is_taken() -> None:
    with pytest.raises(CannotListen, match=r"listen\.transparent") as caught:
        listening.listening(Address("192.0.2.1:0"), "transparent 1")
    assert caught.value.no_such_address
    assert caught.value.__cause__.errno == errno.EADDRNOTAVAIL  # type: ignore[union-attr]


# -- by redirection --------------------------------------------------------------------------------------------------


async def test_a_provider_is_dialled_by_its_name_whatever_address_was_dialled(
    names: Names, redirected: dict[str, tuple[str, int] | None]
) -> None:
    async with peer(echo) as elsewhere, stage(answering(answer(b"theirs")), NAMED, LISTEN) as between:
        redirected["to"] = "127.0.0.1", elsewhere.port
        agent = await over_tls(between, HOST, trusting(between))
        assert (await agent.ask(get())).body == b"theirs"
        (call,) = await between.calls(1)
        assert (call.door, call.provider) == ("transparent", "lab")


@pytest.mark.parametrize("named", ["other.example", ""])
async def test_tls_to_others_goes_where_it_was_dialled(
    names: Names, redirected: dict[str, tuple[str, int] | None], named: str
) -> None:
    authority = LabAuthority()
    async with (
        peer(answering(answer(b"theirs")), authority.server_context(["other.example"])) as other,
        stage(answering(answer()), NAMED, LISTEN) as between,
    ):
        redirected["to"] = "127.0.0.1", other.port
        context = authority.client_context()
        if not named:  # an agent that dialled a literal address
            context.check_hostname = False
        agent = await over_tls(between, named, context)
        assert (await agent.ask(get())).body == b"theirs"
        assert "other.example" not in names.asked, "nobody was asked where that is: the agent knew"
        agent.leave()
        (call,) = await between.calls(1)
        assert (call.door, call.provider, call.outcome) == ("transparent", "other", "completed")


async def test_what_is_not_tls_goes_where_it_was_dialled(
    names: Names, redirected: dict[str, tuple[str, int] | None]
) -> None:
    async with peer(echo) as other, stage(answering(answer()), NAMED, LISTEN) as between:
        redirected["to"] = "127.0.0.1", other.port
        agent = await between.agent(port(between))
        await agent.send(b"CONNECT x:1 HTTP/1.1\r\n\r\n")
        assert await agent.reader.readexactly(24) == b"CONNECT x:1 HTTP/1.1\r\n\r\n"


async def test_half_a_hello_is_never_spliced(names: Names, redirected: dict[str, tuple[str, int] | None]) -> None:
    reached = asyncio.Event()

    async def script(line: Line) -> None:
        reached.set()

    async with peer(script) as other, stage(answering(answer()), NAMED, LISTEN) as between:
        redirected["to"] = "127.0.0.1", other.port
        agent = await between.agent(port(between))
        await agent.send(b"\x16\x03\x01\x02\x00\x01\x00")
        agent.half_close()
        await reset(agent)
        assert not reached.is_set()


@pytest.mark.parametrize("rule", ["forward.splice_unknown=false", "forward.deny=[127.0.0.0/8]"])
async def test_what_may_not_pass_is_reset_as_by_a_closed_port(
    names: Names, redirected: dict[str, tuple[str, int] | None], rule: str
) -> None:
    async with peer(echo) as other, stage(answering(answer()), NAMED, LISTEN, rule) as between:
        redirected["to"] = "127.0.0.1", other.port
        agent = await between.agent(port(between))
        await agent.send(b"x")
        await reset(agent)
        (call,) = await between.calls(1)
        assert (call.outcome, call.error_kind) == ("failed", "destination_ip_prohibited")


async def test_a_closed_port_behind_us_looks_like_one(
    names: Names, redirected: dict[str, tuple[str, int] | None]
) -> None:
    async with peer(echo) as other:
        closed = other.port
    async with stage(answering(answer()), NAMED, LISTEN) as between:
        redirected["to"] = "127.0.0.1", closed
        agent = await between.agent(port(between))
        await agent.send(b"x")
        await reset(agent)
