"""Plugins that start well and misbehave around a call. Each stands on the ring that its configuration names."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal

from sidecar import Body, Headers, PluginConfig, Response, Sample, StreamedBody, hookimpl


class Where(PluginConfig):
    ring: Literal["exchange", "attempt"] = "exchange"


class Misbehaving:
    """Calls `misbehave` on one ring and passes on at the other."""

    Config = Where

    def __init__(self, config: Where) -> None:
        self.ring = config.ring

    @hookimpl
    async def around_exchange(self, exchange: Any, call_next: Any) -> Response:
        return await (self.misbehave(exchange, call_next) if self.ring == "exchange" else call_next(exchange))

    @hookimpl
    async def around_attempt(self, attempt: Any, call_next: Any) -> Response:
        return await (self.misbehave(attempt, call_next) if self.ring == "attempt" else call_next(attempt))

    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        raise NotImplementedError


class RaisesBefore(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        raise RuntimeError("before")


class RaisesAfter(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        await call_next(subject)
        raise RuntimeError("after")


class RaisesWhileReading(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        response = await call_next(subject)
        async for _ in response.body:
            raise RuntimeError("while reading")
        return response


class NeverReturns(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        await asyncio.Event().wait()


class NeverReturnsTheAnswer(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        await call_next(subject)
        await asyncio.Event().wait()


class SwallowsCancellation(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return await call_next(subject)


class Blocks(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        time.sleep(0.15)  # noqa: ASYNC251
        return await call_next(subject)


class ReturnsNothing(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        await call_next(subject)


class ReturnsText(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        return "hello"


class ReturnsBareBytes(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        return Response(status=200, body=b"hello")  # type: ignore[arg-type]


class ReturnsHeadersOfText(Misbehaving):
    """Fields of text where bytes are due: nobody notices before they are to be written."""

    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        return Response(status=200, headers=Headers([("x-a", "b")]), body=Body(b"hello"))  # type: ignore[list-item]


class CallsOnTwice(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        await call_next(subject)
        return await call_next(subject)


class KeepsTheBody(Misbehaving):
    """Answers itself, and neither reads nor closes the provider's answer."""

    def __init__(self, config: Where) -> None:
        super().__init__(config)
        self.kept: list[Any] = []

    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        self.kept.append(await call_next(subject))
        return Response(status=200, body=Body(b"mine"))


class ClosesTheBodyAndRaises(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        response = await call_next(subject)
        await response.body.aclose()
        raise RuntimeError("after closing")


class BodyRaises(Misbehaving):
    """Its transformer of the body fails at the second chunk."""

    error: type[Exception] = RuntimeError

    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        response = await call_next(subject)

        async def transformed() -> AsyncIterator[bytes]:
            number = 0
            async for chunk in response.body:
                number += 1
                if number == 2:
                    raise self.error("cannot transform this")
                yield chunk

        return response.with_body(StreamedBody(transformed(), wrapped=response.body))


class BodyLosesAConnection(BodyRaises):
    """The same with an error that looks like an agent that has left."""

    error = ConnectionResetError


class BodyOfText(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        response = await call_next(subject)

        async def transformed() -> AsyncIterator[Any]:
            async for chunk in response.body:
                yield chunk.decode()

        return response.with_body(StreamedBody(transformed(), wrapped=response.body))


class BodyShorterThanItsLength(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        response = await call_next(subject)

        async def transformed() -> AsyncIterator[bytes]:
            async for chunk in response.body:
                yield chunk[:1]

        return response.with_body(StreamedBody(transformed(), wrapped=response.body))


class BodyClosesBadly(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        response = await call_next(subject)

        async def transformed() -> AsyncIterator[bytes]:
            try:
                async for chunk in response.body:
                    yield chunk
            finally:
                raise RuntimeError("cannot close")

        return response.with_body(StreamedBody(transformed(), wrapped=response.body))


class BodyClosesSlowly(Misbehaving):
    async def misbehave(self, subject: Any, call_next: Any) -> Any:
        response = await call_next(subject)

        async def transformed() -> AsyncIterator[bytes]:
            try:
                async for chunk in response.body:
                    yield chunk
            finally:
                await asyncio.sleep(30)

        return response.with_body(StreamedBody(transformed(), wrapped=response.body))


class Watching:
    Config = PluginConfig

    def __init__(self, config: PluginConfig) -> None: ...


class ClosedRaises(Watching):
    @hookimpl
    def exchange_closed(self, record: Any) -> None:
        raise RuntimeError("cannot remember")


class SamplesRaise(Watching):
    @hookimpl
    def samples(self) -> Iterator[Sample]:
        yield Sample("fine", 1.0, "A good one.")
        raise RuntimeError("cannot count")


class SamplesOfNonsense(Watching):
    @hookimpl
    def samples(self) -> Any:
        nan, infinite = float("nan"), float("inf")
        return [
            Sample("not_a_number", nan, "Nothing to divide by."),
            Sample("infinite", infinite, "Too much."),
            Sample("lines", 1.0, "One\nand another."),
            {"name": "dict"},
            Sample("text", "many", "A word."),  # type: ignore[arg-type]
            None,
        ]


class SamplesAreNone(Watching):
    @hookimpl
    def samples(self) -> Any:
        return None
