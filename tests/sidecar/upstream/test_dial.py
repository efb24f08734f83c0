"""Several addresses of one name: the next one is tried when one refuses or keeps silent."""

import contextlib
import socket
from collections.abc import Iterator, Sequence

import pytest

from sidecar.errors import ConnectFailed
from sidecar.provider import Origin
from sidecar.upstream.dial import Dialled, SystemResolver, dial
from sidecar.upstream.names import AddressInfo
from tests.wire import answer, answering, peer

pytestmark = pytest.mark.both_loops
ORIGIN = Origin("http", "api.example", 80)


class Known(SystemResolver):
    """Ports of loopback in place of addresses. ``asked`` counts look-ups."""

    def __init__(self, *ports: int, ttl_seconds: float = 30.0) -> None:
        super().__init__(ttl_seconds)
        self.ports = ports
        self.asked = 0

    async def _asked(self, host: str, port: int) -> Sequence[AddressInfo]:
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", each)) for each in self.ports]


@contextlib.contextmanager
def refusing() -> Iterator[int]:
    """A port that refuses."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextlib.contextmanager
def silent() -> Iterator[int]:
    """A port that does not answer: who waits there to be let in has taken all places."""
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        for _ in range(8):
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                caller.connect(("127.0.0.1", port))
        yield port


async def dialled(resolver: Known, seconds: float = 5.0) -> int:
    found: Dialled = await dial(ORIGIN, resolver, seconds)
    with found.sock as sock:
        assert found.dns_seconds >= 0 < found.tcp_seconds
        return int(sock.getpeername()[1])


@pytest.mark.parametrize("dead", [refusing, silent])
async def test_the_next_address_is_tried_and_tried_first_from_then_on(dead: type) -> None:
    async with peer(answering(answer())) as serving:
        with dead() as port:
            resolver = Known(port, serving.port)
            assert await dialled(resolver) == serving.port
            first, second = await resolver.resolve(ORIGIN.host, ORIGIN.port)
            assert (first[4][1], second[4][1]) == (serving.port, port)
            assert await dialled(resolver) == serving.port
            assert resolver.asked == 1


async def test_a_provider_that_has_moved_is_found_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.upstream.names._PAUSE_SECONDS", 0.0)
    async with peer(answering(answer())) as serving:
        with refusing() as port:
            resolver = Known(port)
            await resolver.resolve(ORIGIN.host, ORIGIN.port)
            resolver.ports = (serving.port,)
            assert await dialled(resolver) == serving.port
            assert resolver.asked == 2


async def test_what_was_looked_up_just_now_is_not_looked_up_again() -> None:
    with refusing() as port:
        resolver = Known(port)
        with pytest.raises(ConnectFailed) as failed:
            await dialled(resolver)
        assert failed.value.kind == "connection_refused"
        assert resolver.asked == 1


async def test_a_provider_that_keeps_silent_is_looked_up_for_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.upstream.names._PAUSE_SECONDS", 0.0)
    with silent() as port:
        resolver = Known(port)
        for asked in (1, 2):
            with pytest.raises(ConnectFailed) as failed:
                await dialled(resolver, 0.1)
            assert failed.value.kind == "connection_timeout"
            assert resolver.asked == asked


async def test_a_name_without_an_address_is_no_connection() -> None:
    with pytest.raises(ConnectFailed):
        await dialled(Known())
