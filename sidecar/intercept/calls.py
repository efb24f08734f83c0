"""One call of the agent, served: request to exchange, exchange to answer, answer to the wire, and a record at the end.

This is the only place where errors become answers.
"""

import asyncio
import logging
import random
import time
from typing import Protocol

from aiohttp import StreamReader
from aiohttp.http_parser import RawRequestMessage

from sidecar.body import Body
from sidecar.errors import CallError, PluginFailed
from sidecar.exchange import Exchange, Notes, Record, Request, Response
from sidecar.headers import Headers
from sidecar.intercept.connection import AgentConnection
from sidecar.intercept.incoming import UploadBody, request_body
from sidecar.intercept.outgoing import Delivery, error_response, refusal
from sidecar.intercept.relay import relay
from sidecar.routing import Destination, Routes
from sidecar.websocket import TRAFFIC

logger = logging.getLogger(__name__)

#: Headers by which SDKs say how long they wait, in seconds.
_DEADLINES = ("x-stainless-read-timeout", "x-stainless-timeout")


class Service(Protocol):
    """What answers the calls: one configuration in force."""

    routes: Routes
    tells: bool
    """Whether answers get our own header fields."""

    async def answer(self, exchange: Exchange) -> Response:
        """
        Raises:
            CallError: there is no answer.
        """
        ...

    def opened(self, exchange: Exchange) -> None: ...

    def closed(self, record: Record) -> None: ...

    def rejected(self, error: CallError) -> None:
        """A request was turned away before it became a call."""
        ...


async def serve(
    service: Service, connection: AgentConnection, message: RawRequestMessage, payload: StreamReader
) -> bool:
    """Serve one message; whether the connection can be kept.

    Raises:
        ConnectionError, asyncio.CancelledError: the agent has left; the call at the provider has been ended.
    """
    received, received_ns = time.monotonic(), time.time_ns()
    try:
        destination = service.routes.destination(connection.flow, message.path)
        stated = message.headers.get("Content-Length")
        body = await request_body(message, payload, None if stated is None else int(stated), connection.write)
    except CallError as error:
        service.rejected(error)
        connection.write(refusal(error.status, error.kind, str(error)))
        return False
    exchange = _exchange(message, destination, body, received, received_ns)
    delivery = Delivery(
        connection,
        exchange,
        http_1_0=message.version < (1, 1),
        bodiless=message.method == "HEAD",
        keep_alive=not message.should_close,
        told=service.tells,
    )
    service.opened(exchange)
    call = _Serving(service, exchange, delivery)
    try:
        await call.run(connection)
    finally:
        call.close(body)
    return delivery.keep_alive


def _exchange(
    message: RawRequestMessage, destination: Destination, body: Body, received: float, received_ns: int
) -> Exchange:
    provider, target = destination.provider, destination.target
    path, _, query = target.partition("?")
    dialect = provider.dialect
    deadline = float("inf")
    for name in _DEADLINES:
        if stated := message.headers.get(name):
            try:
                deadline = received + float(stated)
            except ValueError:
                continue
            break
    return Exchange(
        id=f"{random.getrandbits(128):032x}",
        request=Request(method=message.method, target=target, headers=Headers(message.raw_headers), body=body),
        candidates=(provider,),
        notes=Notes(received),
        call=None if dialect is None else dialect.recognise(message.method, path, query),
        socket=message.upgrade,
        door=destination.door,
        deadline=deadline,
        received_ns=received_ns,
    )


class _Serving:
    """The course of one call."""

    __slots__ = ("delivery", "error", "exchange", "outcome", "response", "service")

    def __init__(self, service: Service, exchange: Exchange, delivery: Delivery) -> None:
        self.service = service
        self.exchange = exchange
        self.delivery = delivery
        self.response: Response | None = None
        self.error: BaseException | None = None
        self.outcome = "completed"

    async def run(self, connection: AgentConnection) -> None:
        exchange, delivery = self.exchange, self.delivery
        try:
            try:
                self.response = response = await self.service.answer(exchange)
            except CallError as error:
                self._failed(error)
                self.response = response = error_response(exchange, error)
            except Exception as error:
                logger.exception("a call failed inside the sidecar; this is a defect")
                failure = PluginFailed("sidecar", f"{type(error).__name__}: {error}")
                self._failed(error)
                self.response = response = error_response(exchange, failure)
            if response.tunnel is not None:
                await relay(connection, exchange, response, told=self.service.tells)
                return
            await delivery.send(response)
        except (asyncio.CancelledError, ConnectionError) as error:
            self.outcome = "cancelled"
            self.error = self.error or error
            raise
        except Exception as error:
            self._failed(error)
            if not isinstance(error, CallError):
                logger.warning("an answer broke off: %s", error, exc_info=error)
        finally:
            if self.response is not None:
                await self.response.body.aclose()
            for body in exchange.notes.open_bodies:
                await body.aclose()

    def _failed(self, error: BaseException) -> None:
        self.outcome, self.error = "failed", error

    def close(self, body: Body) -> None:
        """Write the record, and let go of what the call held."""
        exchange, delivery, response = self.exchange, self.delivery, self.response
        upload = body if isinstance(body, UploadBody) else None
        request_bytes = len(body.data or b"") if upload is None else upload.received_bytes
        response_bytes = delivery.response_bytes
        if (traffic := exchange.notes.get(TRAFFIC)) is not None:
            request_bytes, response_bytes = traffic.agent_bytes, traffic.provider_bytes
        self.service.closed(
            Record(
                exchange=exchange,
                outcome=self.outcome,
                status=None if response is None else response.status,
                answered_by=None if response is None else response.answered_by,
                headers=Headers() if response is None else response.headers,
                error=self.error,
                ended=time.monotonic(),
                first_byte=delivery.first_byte,
                request_bytes=request_bytes,
                response_bytes=response_bytes,
                chunks=delivery.chunks,
                longest_gap_seconds=delivery.longest_gap_seconds,
                request_head=b"" if upload is None else upload.head,
                answer_tail=delivery.tail,
            )
        )
