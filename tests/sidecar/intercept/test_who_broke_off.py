"""Whose fault it was that a call broke off is told by what was being done, whatever the error looks like."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from sidecar.body import Body, StreamedBody
from sidecar.exchange import Exchange, Record, Response
from sidecar.headers import Headers
from sidecar.intercept.calls import serve
from sidecar.intercept.flow import BASE_URL
from sidecar.intercept.incoming import Incoming
from sidecar.routing import Routes
from tests.making import provider


class Side:
    """The agent's connection, which breaks when the agent is written to for the *last* time, or waited for then."""

    flow = BASE_URL
    full = True

    def __init__(self, last: int, *, waiting: bool = False) -> None:
        self.written = 0
        self.ends: list[str] = []
        self._last = last
        self._waiting = waiting

    def write(self, *parts: bytes) -> None:
        self.written += 1
        if self.written == self._last and not self._waiting:
            raise ConnectionResetError("the agent has left")

    async def drain(self) -> None:
        if self.written == self._last:
            raise ConnectionResetError("the agent has left")

    def close_after_flush(self) -> None:
        self.ends.append("closed")

    def reset(self) -> None:
        self.ends.append("reset")

    def take_over(self) -> tuple[asyncio.Transport, bytes]:
        raise NotImplementedError


class Answering:
    """A service with one answer to everything."""

    routes = Routes({"lab": provider()})
    tells = False

    def __init__(self, body: Body, *fields: tuple[bytes, bytes]) -> None:
        self.response = Response(status=200, headers=Headers(fields), body=body, answered_by="lab")
        self.records: list[Record] = []

    async def answer(self, exchange: Exchange) -> Response:
        return self.response

    def opened(self, exchange: Exchange) -> None:
        pass

    def closed(self, record: Record) -> None:
        self.records.append(record)

    def rejected(self, error: Exception) -> None:
        raise AssertionError(error)


REQUEST = Incoming("GET", "/lab/x", Headers([(b"Host", b"agent")]), Body())


async def chunks(number: int, error: Exception | None = None) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield b"chunk"
        yield b""
    if error is not None:
        raise error


@pytest.mark.parametrize(("last", "waiting"), [(1, False), (2, False), (2, True), (3, False), (3, True), (4, False)])
async def test_an_agent_that_cannot_be_written_to_has_left(last: int, waiting: bool) -> None:
    """At the head, at a chunk, waiting after one, or at the end of the chunks."""
    service = Answering(StreamedBody(chunks(2)))
    with pytest.raises(ConnectionResetError):
        await serve(service, Side(last, waiting=waiting), REQUEST)
    (record,) = service.records
    assert (record.outcome, type(record.error)) == ("cancelled", ConnectionResetError)


@pytest.mark.parametrize("waiting", [False, True])
async def test_an_agent_that_cannot_be_written_a_whole_answer_has_left(waiting: bool) -> None:
    service = Answering(Body(b"whole"))
    with pytest.raises(ConnectionResetError):
        await serve(service, Side(1, waiting=waiting), REQUEST)
    assert [record.outcome for record in service.records] == ["cancelled"]


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize(
    ("fields", "http_1_0", "end"),
    [((), False, "closed"), (((b"Content-Length", b"100"),), False, "closed"), ((), True, "reset")],
)
async def test_an_answer_that_loses_a_connection_of_its_own_has_failed(
    number: int, fields: tuple[tuple[bytes, bytes], ...], http_1_0: bool, end: str
) -> None:
    lost = ConnectionResetError("somebody else's")
    side, service = Side(100), Answering(StreamedBody(chunks(number, lost)), *fields)
    assert not await serve(service, side, replace(REQUEST, http_1_0=http_1_0)), "the connection cannot be kept"
    (record,) = service.records
    assert (record.outcome, record.error) == ("failed", lost)
    assert side.ends == [end], "the agent sees that it is not all"
    assert side.written == 1 + number
