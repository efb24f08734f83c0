"""Calls that the sidecar makes itself are answered and accounted for as an agent's are."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from sidecar.body import Body, StreamedBody
from sidecar.dialect import Operation
from sidecar.errors import BodyTooLarge, ConnectFailed
from sidecar.exchange import Exchange, Record, Request, Response
from sidecar.headers import Headers
from sidecar.intercept.background import Background
from sidecar.notes import Key
from sidecar.testing import answer, provider, streamed

OPENAI = provider("openai")
REQUEST = Request(method="POST", target="/v1/audio/speech", headers=Headers.of(content_length="2"), body=Body(b"{}"))
MARK: Key[str] = Key("mark")


class Service:
    """Answers as it is told to, and keeps what it hears."""

    def __init__(self, answers: Callable[[Exchange], Awaitable[Response]]) -> None:
        self._answers = answers
        self.begun: list[Exchange] = []
        self.ended: list[Record] = []

    def answer(self, exchange: Exchange) -> Awaitable[Response]:
        return self._answers(exchange)

    def opened(self, exchange: Exchange) -> None:
        self.begun.append(exchange)

    def closed(self, record: Record) -> None:
        self.ended.append(record)


async def test_a_streamed_answer_is_read_and_accounted_for() -> None:
    async def answers(exchange: Exchange) -> Response:
        assert exchange.notes.get(MARK) == "mine"
        return answer(streamed([b"one", b"two"]), content_type="audio/mpeg")

    service = Service(answers)
    calls = Background(service)
    exchange = calls.exchange(OPENAI, REQUEST, patience_seconds=5)
    exchange.notes.put(MARK, "mine")
    assert (exchange.operation, exchange.door, exchange.candidates) == (Operation.TTS, "background", (OPENAI,))
    response = await calls.call(exchange, 1000)
    assert response.body.data == b"onetwo"
    (record,) = service.ended
    assert service.begun == [record.exchange] == [exchange]
    assert (record.outcome, record.status, record.response_bytes, record.chunks) == ("completed", 200, 6, 2)
    assert record.answer_tail == b"onetwo"
    assert record.request_bytes == 2
    assert record.exchange.notes.received < record.first_byte <= record.ended


async def test_what_is_too_long_is_let_go() -> None:
    closed = []

    async def chunks() -> AsyncIterator[bytes]:
        try:
            for _ in range(3):
                yield b"x" * 60
        finally:
            closed.append(True)

    async def answers(exchange: Exchange) -> Response:
        return answer(StreamedBody(chunks()))

    service = Service(answers)
    calls = Background(service)
    with pytest.raises(BodyTooLarge):
        await calls.call(calls.exchange(OPENAI, REQUEST), 100)
    assert service.ended[0].outcome == "failed"
    assert closed, "with one chunk to go"


async def test_that_there_is_no_answer_is_told_of_as_well() -> None:
    async def answers(exchange: Exchange) -> Response:
        raise ConnectFailed("nobody there")

    service = Service(answers)
    calls = Background(service)
    with pytest.raises(ConnectFailed):
        await calls.call(calls.exchange(OPENAI, REQUEST), 100)
    (record,) = service.ended
    assert (record.outcome, record.status) == ("failed", None)
    assert isinstance(record.error, ConnectFailed)


@pytest.mark.parametrize("streams", [False, True])
async def test_a_call_that_is_given_up_ends_at_once(streams: bool) -> None:
    under_way, never = asyncio.Event(), asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        yield b"one"
        under_way.set()
        await never.wait()

    async def answers(exchange: Exchange) -> Response:
        if streams:
            return answer(StreamedBody(stalls()))
        return answer(b"".join([chunk async for chunk in stalls()]))

    service = Service(answers)
    calls = Background(service)
    task = asyncio.create_task(calls.call(calls.exchange(OPENAI, REQUEST), 100))
    await under_way.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert service.ended[0].outcome == "cancelled"
