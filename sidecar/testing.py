"""A kit for those who write plugins: a call, a provider that says what the test tells it to, and what came of it.

::

    played = await play(Shout(ShoutConfig()), call("openai", "/v1/audio/speech", {"input": "hello"}), answer(b"..."))
    assert played.body == b"..."
    assert played.passed_on[0].payload.text == "HELLO"

No sockets, no sidecar: a plugin's layers are called as the sidecar would call them, but nothing stands guard over them,
so that what they raise reaches the test.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec
from msgspec import Struct

from sidecar import __version__
from sidecar.body import Body, StreamedBody
from sidecar.dialects import load
from sidecar.dispatch import Dispatch
from sidecar.exchange import (
    Attempt,
    Exchange,
    Fault,
    Notes,
    Origin,
    Provider,
    Record,
    Request,
    Response,
    Verdict,
)
from sidecar.guard import Guard
from sidecar.headers import Headers
from sidecar.hookspecs import Runtime
from sidecar.host import Host, Loaded, check_class
from sidecar.stack import bare, compose
from sidecar.watchdog import Watchdog

#: How an answer comes: a response, an error to be raised, or a function of the attempt that gives either.
Scripted = Response | Exception | Callable[[Attempt], Response | Exception]


def provider(dialect: str, name: str | None = None, **fields: Any) -> Provider:
    """A provider that speaks *dialect*, under its dialect's name unless *name* is given."""
    return Provider(
        name=name or dialect, origin=Origin("https", f"{dialect}.example", 443), dialect=load(dialect), **fields
    )


def call(
    dialect: str,
    target: str,
    body: Any = b"",
    *,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    to: Sequence[Provider] = (),
    socket: bool = False,
) -> Exchange:
    """An exchange as the sidecar makes it of a request.

    Args:
        target: path and query at the provider: ``/v1/chat/completions``.
        body: bytes as they are, a `Body`, or anything else as JSON.
        to: the candidates; one provider of *dialect* if there are none.
    """
    fields = {"Host": "agent", **(headers or {})}
    if not isinstance(body, bytes | Body):
        body = msgspec.json.encode(body)
        fields.setdefault("Content-Type", "application/json")
    whole = body if isinstance(body, Body) else Body(body)
    if whole.length is not None:
        fields.setdefault("Content-Length", str(whole.length))
    candidates = tuple(to) or (provider(dialect),)
    speaking = load(dialect)
    path, _, query = target.partition("?")
    received = time.monotonic()
    return Exchange(
        id=f"{int(received * 1e9):032x}",
        request=Request(
            method=method,
            target=target,
            headers=Headers((name.encode(), value.encode()) for name, value in fields.items()),
            body=whole,
        ),
        provider=candidates[0],
        candidates=candidates,
        notes=Notes(received),
        call=speaking.recognise(method, path, query),
        socket=socket,
        received_ns=time.time_ns(),
    )


def answer(body: Any = b"", status: int = 200, **headers: str) -> Response:
    """A provider's answer: bytes as they are, a list of bytes as a stream of chunks, anything else as JSON."""
    fields = dict(headers)
    if isinstance(body, list) and all(isinstance(chunk, bytes) for chunk in body):
        return Response(status=status, headers=Headers.of(**fields), body=streamed(body), chunked=True)
    if not isinstance(body, bytes | Body):
        body = msgspec.json.encode(body)
        fields.setdefault("content_type", "application/json")
    return Response(status=status, headers=Headers.of(**fields), body=body if isinstance(body, Body) else Body(body))


def streamed(chunks: Iterable[bytes], error: Exception | None = None) -> Body:
    """A body that comes chunk by chunk and then, if there is an *error*, breaks."""

    async def coming() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
            await asyncio.sleep(0)
        if error is not None:
            raise error

    return StreamedBody(coming())


class Played(Struct, frozen=True, kw_only=True):
    """What came of a call."""

    response: Response
    body: bytes
    chunks: tuple[bytes, ...]
    passed_on: tuple[Exchange, ...]
    """What the exchange layers called on with."""
    attempts: tuple[Attempt, ...]
    """What reached the provider."""
    record: Record

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return self.record.verdicts

    @property
    def faults(self) -> tuple[Fault, ...]:
        return self.record.faults


class Stage:
    """A plugin in service, for more calls than one: ``async with Stage(plugin) as stage: await stage.play(…)``.

    Args:
        plugin: what is tested; further ones may stand around it.
        guarded: whether the sidecar's guard stands over the layers, as it does in service.
    """

    def __init__(self, *plugins: object, guarded: bool = False) -> None:
        self._watchdog = Watchdog(0.01)
        self._guarded = guarded
        self._host = Host(
            Loaded(type(plugin).__name__.lower(), plugin, None, Guard(type(plugin).__name__, watchdog=self._watchdog))
            for plugin in plugins
        )
        for plugin in plugins:
            check_class(type(plugin).__name__, type(plugin))
        self._lifespans = AsyncExitStack()

    async def __aenter__(self) -> "Stage":
        for loaded, lifespan in self._host.implementations("lifespan"):
            runtime = Runtime(name=loaded.label, version=__version__, digest="test")
            await self._lifespans.enter_async_context(lifespan(runtime))
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._lifespans.aclose()
        self._watchdog.close()

    async def play(self, exchange: Exchange, *answers: Scripted, leave_after: int | None = None) -> Played:
        """Have *exchange* answered; the provider gives *answers* in turn, the last one for ever.

        Args:
            leave_after: the agent leaves after so many chunks of the answer.

        Raises:
            Exception: what a layer or the scripted provider raised.
        """
        passed_on: list[Exchange] = []
        attempts: list[Attempt] = []

        async def upstream(attempt: Attempt) -> Response:
            attempts.append(attempt)
            scripted = answers[min(len(attempts), len(answers)) - 1] if answers else answer()
            said = scripted(attempt) if callable(scripted) else scripted
            if isinstance(said, Exception):
                raise said
            attempt.record.status = said.status
            return msgspec.structs.replace(said, answered_by=said.answered_by or attempt.provider.name)

        dispatch = Dispatch(self._stack("around_attempt", upstream, exchange))

        async def innermost(passed: Exchange) -> Response:
            passed_on.append(passed)
            return await dispatch(passed)

        response = await self._stack("around_exchange", innermost, exchange)(exchange)
        chunks: list[bytes] = []
        outcome, error = "completed", None
        try:
            async for chunk in response.body:
                if len(chunks) == leave_after:
                    outcome = "cancelled"
                    break
                chunks.append(chunk)
        except Exception as broken:
            outcome, error = "failed", broken
        await response.body.aclose()
        record = Record(
            exchange=exchange,
            outcome=outcome,
            status=response.status,
            answered_by=response.answered_by,
            headers=response.headers,
            error=error,
            ended=time.monotonic(),
            chunks=len(chunks),
            response_bytes=sum(map(len, chunks)),
            answer_tail=b"".join(chunks),
        )
        for _, closed in self._host.implementations("exchange_closed"):
            closed(record)
        await asyncio.sleep(0)  # what a plugin does behind the agent's back gets its turn
        return Played(
            response=response,
            body=b"".join(chunks),
            chunks=tuple(chunks),
            passed_on=tuple(passed_on),
            attempts=tuple(attempts),
            record=record,
        )

    def _stack(self, hook: str, innermost: Any, exchange: Exchange) -> Any:
        standing = self._host.standing_around(hook, exchange.operation, socket=exchange.socket)
        return compose(
            [
                (getattr(loaded.plugin, hook), getattr(loaded.guard, hook) if self._guarded else bare)
                for loaded in standing
            ],
            innermost,
        )


async def play(plugin: object, exchange: Exchange, *answers: Scripted, leave_after: int | None = None) -> Played:
    """One call on a `Stage` of its own."""
    async with Stage(plugin) as stage:
        return await stage.play(exchange, *answers, leave_after=leave_after)
