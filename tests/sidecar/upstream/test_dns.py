"""Names by DNS alone, asked of a name server of the test's own."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sidecar.upstream.dns import DnsResolver
from tests.nameserver import NameServer, name_server


@asynccontextmanager
async def asking(
    ttl_seconds: float = 30.0, **addresses: tuple[str, ...]
) -> AsyncIterator[tuple[NameServer, DnsResolver]]:
    known = {name.replace("_", "."): at for name, at in addresses.items()}
    async with name_server(known) as server:
        resolver = DnsResolver(nameservers=[server.address])
        try:
            yield server, resolver
        finally:
            await resolver.aclose()


@pytest.mark.both_loops
async def test_addresses_of_both_families_are_found() -> None:
    async with asking(api_openai_com=("192.0.2.1", "2001:db8::1")) as (_, resolver):
        found = await resolver.resolve("api.openai.com", 443)
        assert sorted(address for *_, address in found) == [("192.0.2.1", 443), ("2001:db8::1", 443, 0, 0)]
        assert {family for family, *_ in found} == {socket.AF_INET, socket.AF_INET6}


def in_the_hosts_file() -> str:
    """A name that is there on every machine, if only this one."""
    lines = [line.partition("#")[0].split() for line in Path("/etc/hosts").read_text().splitlines()]
    return next(
        (name for _, *names in filter(None, lines) for name in names if "localhost" not in name), "ip6-loopback"
    )


async def test_the_hosts_file_is_not_looked_at() -> None:
    name = in_the_hosts_file()
    async with asking(**{name: ("192.0.2.7",)}) as (server, resolver):
        (found,) = await resolver.resolve(name, 443)
        assert found[4] == ("192.0.2.7", 443)
        assert server.asked


async def test_a_name_is_asked_for_as_it_stands() -> None:
    async with asking(api_openai_com=("192.0.2.1",)) as (server, resolver):
        await resolver.resolve("api.openai.com", 443)
        assert set(server.asked) == {"api.openai.com"}
        assert len(server.asked) <= 2


async def test_a_short_name_is_looked_for_in_the_search_list_and_no_other_is() -> None:
    async with asking(llm_voice_svc=("192.0.2.3",), api_openai_com=("192.0.2.1",)) as (server, _):
        resolver = DnsResolver(nameservers=[server.address], search=["nowhere.example", "voice.svc"])
        try:
            (found,) = await resolver.resolve("llm", 8000)
            assert found[4] == ("192.0.2.3", 8000)
            server.asked.clear()
            await resolver.resolve("api.openai.com", 443)
            assert set(server.asked) == {"api.openai.com"}
        finally:
            await resolver.aclose()


async def test_a_new_one_finds_its_name_servers_every_time() -> None:
    """It did not where pycares was given options that it forgets: see the resolver."""
    for _ in range(60):
        async with asking(api_openai_com=("192.0.2.1",)) as (_, resolver):
            assert await resolver.resolve("api.openai.com", 443)


async def test_what_is_known_is_not_asked_for_again() -> None:
    async with asking(api_openai_com=("192.0.2.1",)) as (server, resolver):
        first = await resolver.resolve("api.openai.com", 443)
        server.asked.clear()
        assert await resolver.resolve("api.openai.com", 443) == first
        assert not server.asked


async def test_what_is_not_there_is_an_error_and_asked_for_again() -> None:
    async with asking() as (server, resolver):
        for _ in range(2):
            with pytest.raises(OSError, match="not found"):
                await resolver.resolve("nowhere.example", 443)
            assert server.asked
            server.asked.clear()


async def test_a_name_server_that_fails_is_an_error() -> None:
    async with asking() as (server, resolver):
        server.failing = True
        with pytest.raises(OSError, match=r"."):
            await resolver.resolve("api.openai.com", 443)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_what_needs_no_name_server_asks_none(host: str) -> None:
    async with asking() as (server, resolver):
        assert {address[4][0] for address in await resolver.resolve(host, 1)} <= {"127.0.0.1", "::1"}
        assert not server.asked


async def test_one_who_leaves_does_not_spoil_it_for_the_next() -> None:
    async with asking(api_openai_com=("192.0.2.1",)) as (_, resolver):
        asked = asyncio.ensure_future(resolver.resolve("api.openai.com", 443))
        await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert await resolver.resolve("api.openai.com", 443)


async def test_addresses_at_which_we_listen_for_others_are_left_out() -> None:
    async with asking(api_openai_com=("127.0.0.1", "192.0.2.1"), all_example=("127.0.0.1",)) as (_, resolver):
        resolver.ours = frozenset({("127.0.0.1", 443)})
        (found,) = await resolver.resolve("api.openai.com", 443)
        assert found[4][0] == "192.0.2.1"
        with pytest.raises(OSError, match="leads to us"):
            await resolver.resolve("all.example", 443)
        assert await resolver.resolve("all.example", 8080), "another port is somebody else's"
