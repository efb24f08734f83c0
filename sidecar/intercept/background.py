"""The door for calls that the sidecar makes itself, for a plugin that refreshes, compares or prepares something.

They pass the same layers as an agent's, are traced and accounted for like them, and their answers end here.
"""

import asyncio
import random
import time
from collections.abc import Awaitable
from typing import Protocol

from sidecar.body import Body
from sidecar.errors import BodyTooLarge
from sidecar.exchange import Exchange, Record, Request, Response
from sidecar.headers import Headers
from sidecar.intercept.calls import let_go
from sidecar.intercept.outgoing import TAIL_BYTES
from sidecar.notes import Notes
from sidecar.provider import Provider

DOOR = "background"


class Answering(Protocol):
    """What answers calls."""

    def answer(self, exchange: Exchange) -> Awaitable[Response]: ...

    def opened(self, exchange: Exchange) -> None: ...

    def closed(self, record: Record) -> None: ...


class Background:
    def __init__(self, service: Answering) -> None:
        self._service = service

    def exchange(self, provider: Provider, request: Request, *, patience_seconds: float = 120.0) -> Exchange:
        """A call that nobody has made yet: what is put into its notes now, layers will find there."""
        dialect, received = provider.dialect, time.monotonic()
        return Exchange(
            id=f"{random.getrandbits(128):032x}",
            request=request,
            provider=provider,
            candidates=(provider,),
            notes=Notes(received),
            call=None if dialect is None else dialect.recognise(request.method, request.path, request.query),
            door=DOOR,
            deadline=received + patience_seconds,
            received_ns=time.time_ns(),
        )

    async def call(self, exchange: Exchange, max_bytes: int) -> Response:
        """The answer to *exchange*, its body in memory.

        Raises:
            CallError: there is none, or not in time.
            BodyTooLarge: it has more than *max_bytes*.
        """
        service, response, data = self._service, None, bytearray()
        outcome, first_byte, chunks = "completed", 0.0, 0
        failure: BaseException | None = None
        service.opened(exchange)
        try:
            response = await service.answer(exchange)
            async for chunk in response.body:
                first_byte = first_byte or time.monotonic()
                chunks += 1
                data += chunk
                if len(data) > max_bytes:
                    raise BodyTooLarge(max_bytes)
        except BaseException as error:
            outcome, failure = "cancelled" if isinstance(error, asyncio.CancelledError) else "failed", error
            raise
        finally:
            try:
                await let_go(exchange, response)
            finally:
                service.closed(
                    Record(
                        exchange=exchange,
                        outcome=outcome,
                        status=None if response is None else response.status,
                        answered_by=None if response is None else response.answered_by,
                        headers=Headers() if response is None else response.headers,
                        error=failure,
                        ended=time.monotonic(),
                        first_byte=first_byte,
                        request_bytes=exchange.request.body.length or 0,
                        response_bytes=len(data),
                        chunks=chunks,
                        answer_tail=bytes(data[-TAIL_BYTES:]),
                    )
                )
        return response.with_body(Body(bytes(data)))
