"""The forward proxy: TLS ended for providers, others spliced byte for byte, nobody let through who must not pass."""

import asyncio
import json
import logging
import random
import socket
import ssl

import pytest

from sidecar.intercept import greeting
from sidecar.lab.certificates import Authority as LabAuthority
from tests.sidecar.intercept.stage import (
    BOTH_DOORS,
    Agent,
    Answer,
    Names,
    Received,
    Stage,
    Streaming,
    deaf_port,
    get,
    names,
    post,
    stage,
    until,
)
from tests.wire import Line, answer, answering, peer

__all__ = ["names"]

#: The provider lab is called by this name.
HOST = "api.lab.example"
NAMED = f"providers.lab.hosts=[{HOST}, '*.eu.lab.example']"


async def echo(line: Line) -> None:
    """Send back what comes, and say so when it ends."""
    while data := await line.reader.read(65536):
        await line.send(data)
    await line.send(b"the end")


def connect(host: str, port: int, *fields: str, version: str = "HTTP/1.1") -> bytes:
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return "\r\n".join([f"CONNECT {authority} {version}", f"Host: {authority}", *fields]).encode() + b"\r\n\r\n"


async def connected(between: Stage, host: str, port: int = 443) -> Agent:
    agent = await between.agent()
    got = await agent.ask(connect(host, port), "HEAD")
    assert got.status == 200
    return agent


async def refused(between: Stage, data: bytes) -> Answer:
    agent = await between.agent()
    got = await agent.ask(data, "GET")
    assert (await agent.gone(), got.get("connection")) == (b"", "close")
    assert (await (await between.agent()).ask(get())).status == 200, "the process lives"
    return got


# -- spliced ---------------------------------------------------------------------------------------------------------


@pytest.mark.both_loops
@pytest.mark.parametrize("size", [1, 1000, 3_000_000])
async def test_what_is_no_providers_passes_byte_for_byte(names: Names, size: int) -> None:
    data = random.Random(size).randbytes(size)
    async with peer(echo) as other, stage(answering(answer())) as between:
        names.add("other.example", "127.0.0.1", port=other.port)
        agent = await connected(between, "other.example")
        sending = asyncio.ensure_future(agent.send(data))
        assert await agent.reader.readexactly(size) == data
        await sending
        agent.half_close()
        assert await agent.rest() == b"the end"
        (call,) = await between.calls(1)
        assert (call.door, call.provider, call.outcome) == ("connect", "other", "completed")
        assert (call.request_bytes, call.response_bytes) == (size, size + 7)
        assert call.attempts == () or call.attempts[0].server.startswith("https://other.example")


@pytest.mark.both_loops
async def test_the_far_end_may_stop_talking_first(names: Names) -> None:
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def talks_first(line: Line) -> None:
        await line.send(b"all I have to say")
        line.writer.write_eof()
        received.set_result(await line.reader.read())

    async with peer(talks_first) as other, stage(answering(answer())) as between:
        names.add("other.example", "127.0.0.1", port=other.port)
        agent = await connected(between, "other.example")
        assert await agent.rest() == b"all I have to say"
        await agent.send(b"and now ", b"the agent")
        agent.half_close()
        assert await received == b"and now the agent"
        await between.calls(1)


@pytest.mark.both_loops
@pytest.mark.parametrize("how", ["close", "half-close", "reset"])
async def test_a_far_end_that_speaks_and_goes_at_once_is_heard(names: Names, how: str) -> None:
    async def script(line: Line) -> None:
        await line.send(b"goodbye")
        if how == "reset":
            await asyncio.sleep(0.05)
            line.reset()
        elif how == "half-close":
            line.writer.write_eof()
            await line.gone()

    async with peer(script) as other, stage(answering(answer())) as between:
        names.add("other.example", "127.0.0.1", port=other.port)
        for _ in range(10):
            agent = await connected(between, "other.example")
            assert await agent.reader.readexactly(7) == b"goodbye"
            if how == "reset":
                with pytest.raises(ConnectionError):
                    await agent.rest()
            else:
                assert await agent.rest() == b""
                agent.leave()
        await between.calls(10)


async def test_bytes_sent_together_with_connect_are_not_lost(names: Names) -> None:
    async with peer(echo) as other, stage(answering(answer())) as between:
        names.add("other.example", "127.0.0.1", port=other.port)
        agent = await between.agent()
        await agent.send(connect("other.example", 443) + b"at once")
        assert (await agent.answer("HEAD")).status == 200
        assert await agent.reader.readexactly(7) == b"at once"


@pytest.mark.parametrize("cut", range(1, len(connect("other.example", 443))))
async def test_connect_split_at_every_byte_is_the_same(names: Names, cut: int) -> None:
    async with peer(echo) as other, stage(answering(answer()), "tls.intercept=false") as between:
        names.add("other.example", "127.0.0.1", port=other.port)
        agent = await between.agent()
        data = connect("other.example", 443)
        await agent.send(data[:cut])
        await asyncio.sleep(0)
        await agent.send(data[cut:])
        assert (await agent.answer("HEAD")).status == 200
        await agent.send(b"x")
        assert await agent.reader.readexactly(1) == b"x"


@pytest.mark.parametrize("how", ["leave", "reset"])
async def test_an_agent_that_leaves_takes_the_splice_with_it(names: Names, how: str) -> None:
    gone = asyncio.Event()

    async def script(line: Line) -> None:
        await line.gone()
        gone.set()

    async with peer(script) as other, stage(answering(answer())) as between:
        names.add("other.example", "127.0.0.1", port=other.port)
        agent = await connected(between, "other.example")
        getattr(agent, how)()
        await asyncio.wait_for(gone.wait(), 5)
        await between.calls(1)
        listener = between.sidecar.application._listeners[0]
        await until(lambda: listener._open == 0)


async def test_a_reset_by_the_far_end_is_passed_on_as_one(names: Names) -> None:
    async def script(line: Line) -> None:
        await line.send(b"some")
        await line.reader.readexactly(1)
        line.reset()

    async with peer(script) as other, stage(answering(answer())) as between:
        names.add("other.example", "127.0.0.1", port=other.port)
        agent = await connected(between, "other.example")
        assert await agent.reader.readexactly(4) == b"some"
        await agent.send(b"x")
        with pytest.raises(ConnectionError):
            await agent.rest()


async def test_tls_to_others_is_their_own(names: Names) -> None:
    """The agent sees the far end's certificate, not one of ours."""
    authority = LabAuthority()
    async with (
        peer(answering(answer(b"secret")), authority.server_context(["other.example"])) as other,
        stage(answering(answer())) as between,
    ):
        names.add("other.example", "127.0.0.1", port=other.port)
        agent = await between.agent_over_tls("other.example", authority.client_context())
        assert (await agent.ask(get())).body == b"secret"
        agent.leave()
        (call,) = await between.calls(1)
        assert (call.provider, call.method) == ("other", "CONNECT")


async def test_a_slow_reader_slows_the_far_end_down(names: Names) -> None:
    sent = 0

    async def script(line: Line) -> None:
        nonlocal sent
        for _ in range(1024):
            await line.send(b"x" * 65536)
            sent += 65536

    async with peer(script) as other, stage(answering(answer())) as between:
        names.add("other.example", "127.0.0.1", port=other.port)
        agent = await connected(between, "other.example")
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 32 << 20
        total = 0
        while data := await agent.reader.read(1 << 20):
            total += len(data)
        assert total == 64 << 20
        agent.leave()


# -- refused ---------------------------------------------------------------------------------------------------------


async def test_a_host_that_cannot_be_reached_is_a_502_that_names_it(names: Names) -> None:
    async with peer(echo) as other:
        port = other.port
    async with stage(answering(answer())) as between:
        names.add("gone.example", "127.0.0.1", port=port)
        got = await refused(between, connect("gone.example", 443))
        assert (got.status, b"gone.example" in got.body) == (502, True)
        got = await refused(between, connect("nowhere.example", 443))
        assert (got.status, b"nowhere.example cannot be resolved" in got.body) == (502, True)
        assert [call.outcome for call in between.sidecar.calls() if call.method == "CONNECT"] == ["failed", "failed"]


async def test_a_host_that_does_not_answer_is_a_502_in_time(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greeting, "_CONNECT_SECONDS", 0.1)
    with deaf_port() as port:
        async with stage(answering(answer())) as between:
            names.add("deaf.example", "127.0.0.1", port=port)
            got = await refused(between, connect("deaf.example", 443))
            assert (got.status, b"within 0.1 s" in got.body) == (502, True)


@pytest.mark.parametrize("port", [22, 80, 8443, 1, 65535])
async def test_a_port_that_is_not_allowed_is_a_403_that_says_what_to_configure(names: Names, port: int) -> None:
    async with stage(answering(answer())) as between:
        names.add("other.example", "127.0.0.1")
        got = await refused(between, connect("other.example", port))
        assert got.status == 403
        assert f"CONNECT to port {port}".encode() in got.body
        assert b"forward.connect_ports" in got.body
        assert set(names.asked) <= {"127.0.0.1"}, "nothing was looked up for it"
        assert 'sidecar_rejected_total{kind="destination_ip_prohibited"} 1' in await between.metrics()


async def test_a_port_can_be_allowed(names: Names) -> None:
    async with (
        peer(echo) as other,
        stage(answering(answer()), f"forward.connect_ports=[443, {other.port}]") as between,
    ):
        agent = await connected(between, "127.0.0.1", other.port)
        await agent.send(b"x")
        assert await agent.reader.readexactly(1) == b"x"


DENIED = {
    "cloud metadata by address": ("169.254.169.254", ()),
    "cloud metadata by name": ("metadata.google.internal", ()),
    "in capitals and with a dot": ("METADATA.google.internal.", ()),
    "an address within IPv6": ("::ffff:169.254.169.254", ()),
    "the metadata service by IPv6": ("fd00:ec2::254", ()),
    "an address as one number": ("2852039166", ("169.254.169.254",)),
    "a name that resolves there": ("innocent.example", ("169.254.169.254",)),
    "a name that resolves there too": ("innocent.example", ("127.0.0.1", "169.254.169.254")),
    "a name that resolves there by IPv6": ("innocent.example", ("::ffff:169.254.169.254",)),
}


@pytest.mark.parametrize("how", ["CONNECT", "a whole URL"])
@pytest.mark.parametrize("what", DENIED)
async def test_a_denied_destination_is_a_403_however_it_is_written(names: Names, what: str, how: str) -> None:
    host, addresses = DENIED[what]
    async with stage(answering(answer())) as between:
        if addresses:
            names.known[host] = [(address, between.provider.port) for address in addresses]
        url = f"http://[{host}]/latest/meta-data/" if ":" in host else f"http://{host}/latest/meta-data/"
        got = (
            await refused(between, connect(host, 443))
            if how == "CONNECT"
            else await (await between.agent()).ask(get(path=url))
        )
        assert got.status == 403
        assert b"forward.deny forbids" in got.body


async def test_denying_everything_leaves_the_providers_and_what_is_allowed(names: Names) -> None:
    deny = ("forward.deny=['*']", "forward.allow=[good.example, 127.0.0.9/32]", NAMED)
    authority = LabAuthority()
    async with peer(echo) as other, stage(answering(answer()), *deny) as between:
        for name, address in (
            ("good.example", "127.0.0.1"),
            ("bad.example", "127.0.0.1"),
            ("near.example", "127.0.0.9"),
        ):
            names.add(name, address, port=other.port)
        assert (await connected(between, "good.example")) is not None
        assert (await refused(between, connect("bad.example", 443))).status == 403
        assert (await refused(between, connect("near.example", 443))).status == 403, "a name that is not allowed itself"
        agent = await between.agent_over_tls(HOST)
        assert (await agent.ask(get())).body == b"ok"
        # a client that insists on h2 is spliced to the provider, not refused as if the provider were anybody
        h2 = authority.server_context([HOST])
        h2.set_alpn_protocols(["h2"])
        async with peer(answering(answer()), h2) as grpc:
            names.add(HOST, "127.0.0.1", port=grpc.port)
            insisting = authority.client_context()
            insisting.set_alpn_protocols(["h2"])
            over_h2 = await between.agent_over_tls(HOST, insisting)
            assert over_h2.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"


async def test_splicing_can_be_switched_off(names: Names) -> None:
    async with peer(echo) as other, stage(answering(answer()), "forward.splice_unknown=false", NAMED) as between:
        names.add("other.example", "127.0.0.1", port=other.port)
        got = await refused(between, connect("other.example", 443))
        assert (got.status, b"forward.splice_unknown" in got.body) == (403, True)
        assert other.connections == 0
        assert (await (await between.agent_over_tls(HOST)).ask(get())).body == b"ok"


@pytest.mark.parametrize(
    "data",
    [
        b"CONNECT HTTP/1.1\r\n\r\n",
        b"CONNECT / HTTP/1.1\r\n\r\n",
        b"CONNECT other.example HTTP/1.1\r\n\r\n",
        b"CONNECT other.example:0 HTTP/1.1\r\n\r\n",
        b"CONNECT other.example:65536 HTTP/1.1\r\n\r\n",
        b"CONNECT other.example:443:443 HTTP/1.1\r\n\r\n",
        b"CONNECT http://other.example:443 HTTP/1.1\r\n\r\n",
        b"CONNECT user@other.example:443 HTTP/1.1\r\n\r\n",
        b"CONNECT other.example:443\r\n\r\n",
        b"CONNECT other.example:443 HTTP/2.0\r\n\r\n",
        b"CONNECT  other.example:443 HTTP/1.1\r\n\r\n",
        b"CONNECT other.example:443 HTTP/1.1\r\nno colon\r\n\r\n",
        b"CONNECT other.example:443 HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
        b"CONNECT other.example:443 HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
        b"CONNECT other.example:443 HTTP/1.1\r\nA: \0\r\n\r\n",
        b"CONNECT other.example:443 HTTP/1.1\r\nA: 1\r\n folded\r\n\r\n",
        b"CONNECT \xff.example:443 HTTP/1.1\r\n\r\n",
        b"CONNECT other.example:443 HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n",
    ],
)
async def test_a_malformed_connect_is_a_400(names: Names, data: bytes) -> None:
    async with stage(answering(answer())) as between:
        got = await refused(between, data)
        assert (got.status, b"CONNECT" in got.body) == (400, True)
        assert set(names.asked) <= {"127.0.0.1"}, "nothing was looked up for it"


@BOTH_DOORS
async def test_connect_later_on_a_connection_is_refused(names: Names, server: str) -> None:
    """It would have to be peeked at like a first one; and no client does that."""
    async with peer(echo) as other, stage(answering(answer()), server=server) as between:
        names.add("other.example", "127.0.0.1", port=other.port)
        agent = await between.agent()
        assert (await agent.ask(get())).status == 200
        got = await agent.ask(connect("other.example", 443), "GET")
        assert 400 <= got.status < 500
        await agent.gone()
        assert other.connections == 0
        assert len([call for call in between.sidecar.calls() if call.status == 200]) == 1


async def test_half_a_connect_is_reset_in_time(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(greeting, "_HELLO_SECONDS", 0.1)
    async with stage(answering(answer())) as between:
        for data in (b"C", b"CONN", b"CONNECT other.example:443 HT"):
            agent = await between.agent()
            await agent.send(data)
            with pytest.raises(ConnectionError):
                assert await asyncio.wait_for(agent.rest(), 5) == b"nothing"


async def test_half_a_connect_and_an_end_is_refused(names: Names) -> None:
    async with stage(answering(answer())) as between:
        agent = await between.agent()
        await agent.send(b"CONNECT other.example:443 HT")
        agent.half_close()
        assert (await agent.answer()).status == 400


# -- whole URLs ------------------------------------------------------------------------------------------------------


@BOTH_DOORS
async def test_a_request_for_a_whole_url_goes_where_it_says(names: Names, server: str) -> None:
    received = Received(answer(b"plain"))
    async with peer(received) as other, stage(answering(answer()), server=server) as between:
        names.add("other.example", "127.0.0.1", port=other.port)
        agent = await between.agent()
        for _ in range(2):
            got = await agent.ask(post(b"hi", "Proxy-Connection: keep-alive", path="http://other.example/a%20b?c=d"))
            assert (got.status, got.body) == (200, b"plain")
        head, body = received.requests[0]
        assert head.startswith(b"POST /a%20b?c=d HTTP/1.1\r\nHost: other.example\r\n")
        assert (body, b"proxy-connection" in head.lower()) == (b"hi", False)
        assert other.connections == 1, "its connection is kept"
        call = (await between.calls(2))[0]
        assert (call.door, call.provider, call.operation) == ("forward", "other", "passthrough")


@BOTH_DOORS
async def test_a_whole_url_of_a_providers_host_is_a_call_to_the_provider(names: Names, server: str) -> None:
    received = Received(answer())
    async with stage(received, NAMED, server=server) as between:
        agent = await between.agent()
        got = await agent.ask(post(b"{}", path=f"http://{HOST}/v1/chat/completions"))
        assert got.status == 200
        assert received.requests[0][0].startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
        (call,) = await between.calls(1)
        assert (call.provider, call.door, call.operation) == ("lab", "forward", "chat")


@BOTH_DOORS
async def test_whole_urls_can_be_switched_off(names: Names, server: str) -> None:
    async with stage(answering(answer()), "forward.absolute_form=false", server=server) as between:
        got = await refused(between, get(path="http://other.example/"))
        assert (got.status, b"forward.absolute_form" in got.body) == (403, True)


@BOTH_DOORS
async def test_a_call_to_ourselves_goes_round_once(names: Names, server: str) -> None:
    """An agent that uses us as a proxy and by base URL at once, without NO_PROXY."""
    async with stage(answering(answer()), server=server) as between:
        agent = await between.agent()
        got = await agent.ask(get(path=f"http://127.0.0.1:{between.port}/lab/x"))
        assert (got.status, got.body) == (200, b"ok")
        assert [call.door for call in await between.calls(2)] == ["base_url", "forward"]
        got = await agent.ask(get(path=f"http://127.0.0.1:{between.port}/nowhere"))
        assert got.status == 404


async def test_a_provider_that_is_ourselves_ends_in_an_error(names: Names, tmp_path: object) -> None:
    """Nobody should configure that; who does must not bring the process down."""
    async with stage(
        answering(answer()),
        "listen.limits.connections=20",
        "upstream.timeouts.connect=200ms",
        "upstream.timeouts.first_byte=1s",
        "providers.self={url: 'http://us.example/self', dialect: openai, hosts: [us.example]}",
    ) as between:
        names.add("us.example", "127.0.0.1", port=between.port)
        agent = await between.agent()
        got = await agent.ask(get(path="/self/x"))
        assert got.status in (502, 504)
        agent.leave()
        await until(lambda: between.sidecar.application.metrics.in_flight == 0)
        assert (await (await between.agent()).ask(get())).status == 200


# -- TLS ended -------------------------------------------------------------------------------------------------------


def trusting(between: Stage, *alpn: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(between.sidecar.bundle))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    if alpn:
        context.set_alpn_protocols(list(alpn))
    return context


@pytest.mark.both_loops
@BOTH_DOORS
async def test_tls_to_a_provider_is_ended_with_a_leaf_that_the_bundle_vouches_for(names: Names, server: str) -> None:
    received = Received(answer())
    async with stage(received, NAMED, server=server) as between:
        for host, leaf in ((HOST, HOST), ("west.eu.lab.example", "*.eu.lab.example")):
            agent = await between.agent_over_tls(host, trusting(between))
            for _ in range(2):
                got = await agent.ask(post(b"{}", path="/v1/chat/completions"))
                assert (got.status, got.body) == (200, b"ok")
            certificate = agent.writer.get_extra_info("ssl_object").getpeercert()
            assert certificate["subjectAltName"] == (("DNS", leaf),)
        assert received.requests[0][0].startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
        calls = await between.calls(4)
        assert {(call.door, call.provider, call.operation) for call in calls} == {("connect", "lab", "chat")}


async def test_nothing_comes_that_the_agent_did_not_ask_for(names: Names) -> None:
    """A session ticket comes while the agent sends its first bytes: not every client can do both at a time."""
    async with stage(answering(answer()), NAMED) as between:
        agent = await between.agent_over_tls(HOST)
        assert (await agent.ask(post(b"x", path="/v1/x"))).status == 200
        tls = agent.writer.get_extra_info("ssl_object")
        assert tls.version() == "TLSv1.3"
        assert not tls.session.has_ticket


@BOTH_DOORS
async def test_all_of_http_works_inside_tls(names: Names, server: str) -> None:
    """Bodies of any size, streams, and an agent that leaves in the middle."""
    streaming = Streaming()

    async def script(line: Line) -> None:
        _, body = await line.request()
        await line.send(answer(body))
        await streaming(line)

    async with stage(script, NAMED, server=server) as between:
        agent = await between.agent_over_tls(HOST, trusting(between))
        body = random.Random(1).randbytes(1_000_000)
        sending = asyncio.ensure_future(agent.send(post(body)))
        assert (await agent.answer()).body == body
        await sending
        await agent.send(get())
        await agent.head()
        assert await agent.chunk() == b"first"
        agent.writer.transport.abort()
        await asyncio.wait_for(streaming.ended.wait(), 5)
        assert [call.outcome for call in await between.calls(2)] == ["completed", "cancelled"]


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [((), None), (("http/1.1",), "http/1.1"), (("h2", "http/1.1"), "http/1.1"), (("http/1.0", "http/1.1"), "http/1.1")],
)
async def test_only_http_1_1_is_agreed_on(names: Names, offered: tuple[str, ...], chosen: str | None) -> None:
    async with stage(answering(answer()), NAMED) as between:
        agent = await between.agent_over_tls(HOST, trusting(between, *offered))
        assert agent.writer.get_extra_info("ssl_object").selected_alpn_protocol() == chosen
        assert (await agent.ask(get())).body == b"ok"


async def test_a_client_that_insists_on_h2_is_spliced_to_the_provider(names: Names) -> None:
    authority = LabAuthority()
    h2 = authority.server_context([HOST])
    h2.set_alpn_protocols(["h2"])
    async with peer(echo, h2) as grpc, stage(answering(answer()), NAMED) as between:
        names.add(HOST, "127.0.0.1", port=grpc.port)
        insisting = authority.client_context()
        insisting.set_alpn_protocols(["h2"])
        agent = await between.agent_over_tls(HOST, insisting)
        assert agent.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        await agent.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert (await agent.reader.readexactly(24)).startswith(b"PRI")
        agent.leave()
        (call,) = await between.calls(1)
        assert call.method == "CONNECT"


async def test_tls_is_spliced_to_providers_too_where_it_is_not_to_be_ended(names: Names) -> None:
    authority = LabAuthority()
    async with (
        peer(answering(answer(b"direct")), authority.server_context([HOST])) as real,
        stage(answering(answer()), NAMED, "tls.intercept=false") as between,
    ):
        names.add(HOST, "127.0.0.1", port=real.port)
        agent = await between.agent_over_tls(HOST, authority.client_context())
        assert (await agent.ask(get())).body == b"direct"


@BOTH_DOORS
async def test_plain_http_inside_connect_is_served_to_providers(names: Names, server: str) -> None:
    received = Received(answer())
    async with stage(received, NAMED, server=server) as between:
        agent = await connected(between, HOST, 80)
        assert (await agent.ask(post(b"{}", path="/v1/chat/completions"))).body == b"ok"
        (call,) = await between.calls(1)
        assert (call.door, call.provider) == ("connect", "lab")


@BOTH_DOORS
async def test_what_is_neither_tls_nor_http_inside_connect_is_refused(names: Names, server: str) -> None:
    received = Received(answer())
    async with stage(received, NAMED, server=server) as between:
        agent = await connected(between, HOST)
        await agent.send(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        assert (await agent.answer()).status == 400
        assert not received.requests


async def test_connect_inside_connect_is_refused(names: Names) -> None:
    async with peer(echo) as other, stage(answering(answer()), NAMED) as between:
        names.add("other.example", "127.0.0.1", port=other.port)
        agent = await connected(between, HOST)
        assert (await agent.ask(connect("other.example", 443), "GET")).status == 400
        assert other.connections == 0


# -- TLS without CONNECT ---------------------------------------------------------------------------------------------


async def straight(between: Stage, host: str | None, context: ssl.SSLContext) -> Agent:
    reader, writer = await asyncio.open_connection("127.0.0.1", between.port, ssl=context, server_hostname=host or "")
    agent = Agent(reader, writer)
    between.agents.append(agent)
    return agent


async def test_tls_that_comes_without_connect_is_told_by_its_server_name(names: Names) -> None:
    async with stage(answering(answer()), NAMED) as between:
        agent = await straight(between, HOST, trusting(between))
        assert (await agent.ask(get())).body == b"ok"
        (call,) = await between.calls(1)
        assert (call.door, call.provider) == ("transparent", "lab")


async def test_tls_to_others_without_connect_is_spliced_by_its_server_name(names: Names) -> None:
    authority = LabAuthority()
    async with (
        peer(answering(answer(b"theirs")), authority.server_context(["other.example"])) as other,
        stage(answering(answer())) as between,
    ):
        names.add("other.example", "127.0.0.1", port=other.port)
        agent = await straight(between, "other.example", authority.client_context())
        assert (await agent.ask(get())).body == b"theirs"


@pytest.mark.parametrize("host", [None, "metadata.google.internal"])
async def test_tls_that_names_nobody_or_somebody_denied_is_reset(names: Names, host: str | None) -> None:
    async with stage(answering(answer())) as between:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await straight(between, host, context)
        assert (await (await between.agent()).ask(get())).status == 200


# -- hellos of all kinds ---------------------------------------------------------------------------------------------


def client_hello(host: str | None, *alpn: str, version: ssl.TLSVersion | None = None) -> bytes:
    """What Python's ssl says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def in_records(hello: bytes, size: int) -> bytes:
    """The same handshake message in records of at most *size* bytes."""
    message = hello[5:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(hello[:3] + len(piece).to_bytes(2) + piece for piece in pieces)


async def handshake_begins(agent: Agent) -> bool:
    """Whether a server answers the hello: with a handshake record."""
    return (await asyncio.wait_for(agent.reader.readexactly(1), 5)) == b"\x16"


CUTS = {
    "whole": lambda hello: [hello],
    "in two": lambda hello: [hello[:100], hello[100:]],
    "byte by byte": lambda hello: [hello[at : at + 1] for at in range(len(hello))],
    "in records of 64": lambda hello: [in_records(hello, 64)],
    "in records of 1": lambda hello: [in_records(hello, 1)],
    "in records of 7, byte by byte": lambda hello: [bytes([byte]) for byte in in_records(hello, 7)],
}


@pytest.mark.both_loops
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_hello_is_understood_however_it_is_cut(names: Names, cut: str, version: ssl.TLSVersion) -> None:
    async with stage(answering(answer()), NAMED) as between:
        for host in (HOST, None):  # without a server name, CONNECT has said enough
            agent = await connected(between, HOST)
            await agent.send(*CUTS[cut](client_hello(host, version=version)))
            assert await handshake_begins(agent)


@pytest.mark.parametrize("connect_first", [True, False])
@pytest.mark.parametrize("part", [1, 5, 6, 50, -1])
async def test_half_a_hello_and_silence_is_reset_never_spliced(
    names: Names, monkeypatch: pytest.MonkeyPatch, part: int, connect_first: bool
) -> None:
    monkeypatch.setattr(greeting, "_HELLO_SECONDS", 0.1)
    async with peer(echo) as other, stage(answering(answer()), NAMED) as between:
        names.add(HOST, "127.0.0.1", port=other.port)
        agent = await connected(between, HOST) if connect_first else await between.agent()
        await agent.send(client_hello(HOST)[:part])
        with pytest.raises(ConnectionError):
            assert await asyncio.wait_for(agent.rest(), 5) == b"nothing"
        assert other.connections == 0


@pytest.mark.parametrize("part", [1, 5, 50, -1])
async def test_half_a_hello_and_an_end_is_reset_at_once(names: Names, part: int) -> None:
    async with peer(echo) as other, stage(answering(answer()), NAMED) as between:
        names.add(HOST, "127.0.0.1", port=other.port)
        agent = await connected(between, HOST)
        await agent.send(client_hello(HOST)[:part])
        agent.half_close()
        with pytest.raises(ConnectionError):
            assert await asyncio.wait_for(agent.rest(), 2) == b"nothing"
        assert other.connections == 0


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x00\x05\x02\x00\x00\x01\x00",  # a ServerHello
        b"\x16\x03\x01\x00\x00",  # an empty record
        b"\x16\x03\x01\xff\xff" + b"\x01" * 100,  # a record beyond any
        b"\x16\x02\x01\x00\x05\x01\x00\x00\x01\x00",  # SSL 2 or so
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",  # a hello of 16 MB
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",  # a hello of one byte
        b"\x16" * 100,
        b"\x16\x03\x01\x00\x10" + b"\x01\x00\x00\x0c" + b"\xff" * 12,  # lengths that do not add up
    ],
)
async def test_a_hello_of_nonsense_is_reset(names: Names, data: bytes) -> None:
    async with peer(echo) as other, stage(answering(answer()), NAMED) as between:
        names.add(HOST, "127.0.0.1", port=other.port)
        for agent in (await connected(between, HOST), await between.agent()):
            await agent.send(data)
            with pytest.raises(ConnectionError):
                assert await asyncio.wait_for(agent.rest(), 5) == b"nothing"
        assert other.connections == 0
        assert (await (await between.agent()).ask(get())).status == 200


async def test_a_connection_that_says_nothing_and_ends_is_no_call(names: Names) -> None:
    async with stage(answering(answer()), NAMED) as between:
        (await between.agent()).leave()
        (await between.agent()).reset()
        (await connected(between, HOST)).leave()
        listener = between.sidecar.application._listeners[0]
        await until(lambda: listener._open == 0)
        assert between.sidecar.calls() == []


# -- clients that do not trust us ------------------------------------------------------------------------------------


def distrusting() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=LabAuthority().pem.decode())


async def distrusted_count(between: Stage) -> int:
    for line in (await between.metrics()).splitlines():
        if line.startswith(f'sidecar_distrusted_total{{name="{HOST}"}}'):
            return int(line.rpartition(" ")[2])
    return 0


async def counted(between: Stage, number: int) -> None:
    while await distrusted_count(between) < number:
        await asyncio.sleep(0.005)
    assert await distrusted_count(between) == number


@BOTH_DOORS
async def test_a_client_that_does_not_trust_us_is_counted_and_told_of_once(
    names: Names, server: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(answering(answer()), NAMED, server=server) as between:
        for number in range(1, 4):
            with caplog.at_level(logging.WARNING), pytest.raises(ssl.SSLCertVerificationError):
                await between.agent_over_tls(HOST, distrusting())
            await counted(between, number)
        lines = [record.getMessage() for record in caplog.records if "SSL_CERT_FILE" in record.getMessage()]
        assert len(lines) == 1
        assert f"SSL_CERT_FILE={between.sidecar.bundle}" in lines[0]
        assert HOST in lines[0]
        assert (await (await between.agent_over_tls(HOST)).ask(get())).status == 200


@BOTH_DOORS
async def test_a_client_that_only_closes_after_our_certificate_is_counted_too(names: Names, server: str) -> None:
    """GnuTLS ends the handshake first, and Java and Node just go."""
    async with stage(answering(answer()), NAMED, server=server) as between:
        (await between.agent_over_tls(HOST)).leave()
        await counted(between, 1)
        agent = await connected(between, HOST)
        await agent.send(client_hello(HOST))
        assert await handshake_begins(agent)
        agent.reset()
        await counted(between, 2)


@BOTH_DOORS
async def test_a_client_that_calls_and_goes_is_not_counted(names: Names, server: str) -> None:
    async with stage(answering(answer()), NAMED, server=server) as between:
        agent = await between.agent_over_tls(HOST)
        assert (await agent.ask(get())).status == 200
        agent.leave()
        listener = between.sidecar.application._listeners[0]
        await until(lambda: listener._open == 0)
        assert await distrusted_count(between) == 0


@BOTH_DOORS
async def test_a_connection_that_rests_when_we_end_is_not_counted(names: Names, server: str) -> None:
    async with stage(answering(answer()), NAMED, server=server) as between:
        await between.agent_over_tls(HOST)
        await between.sidecar.application.stop(0.0)
        assert await distrusted_count(between) == 0


# -- ports of their own ----------------------------------------------------------------------------------------------


@BOTH_DOORS
async def test_a_provider_may_have_a_port_of_its_own(names: Names, server: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    received = Received(answer())
    async with stage(received, f"providers.lab.port={port}", server=server) as between:
        agent = await between.agent(port)
        assert (await agent.ask(post(b"{}", path="/v1/chat/completions"))).status == 200
        assert received.requests[0][0].startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")
        (call,) = await between.calls(1)
        assert (call.door, call.provider, call.operation) == ("port", "lab", "chat")


async def test_a_refusal_is_json(names: Names) -> None:
    async with stage(answering(answer())) as between:
        got = await refused(between, connect("other.example", 22))
        assert json.loads(got.body)["error"]["type"] == "agent_sidecar"
