"""One call of the agent, served: request to exchange, exchange to answer, answer to the wire, and a record at the end.

This is the only place where errors become answers.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable
from typing import NamedTuple, Protocol

from sidecar.dialect import Call
from sidecar.errors import CallError, PluginFailed
from sidecar.exchange import Exchange, Record, Request, Response
from sidecar.intercept.flow import Flow
from sidecar.intercept.incoming import AgentSide, Incoming, UploadBody
from sidecar.intercept.outgoing import Delivery, error_response, refusal
from sidecar.intercept.relay import relay
from sidecar.notes import Notes
from sidecar.provider import Provider
from sidecar.routing import Routes
from sidecar.watchdog import NEVER

logger = logging.getLogger(__name__)

#: Headers by which SDKs say how long they wait, in seconds.
_DEADLINES = frozenset((b"x-stainless-read-timeout", b"x-stainless-timeout"))


class Service(Protocol):
    """What answers the calls: one configuration in force."""

    routes: Routes
    tells: bool
    """Whether answers get our own header fields."""

    def answer(self, exchange: Exchange) -> Awaitable[Response]:
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

    def expect(self, provider: Provider) -> None:
        """A call to *provider* is likely soon."""
        ...


async def serve(service: Service, side: AgentSide, incoming: Incoming) -> bool:
    """Serve one request; whether the connection can be kept.

    Raises:
        ConnectionError, asyncio.CancelledError: the agent has left; the call at the provider has been ended.
    """
    received, received_ns = time.monotonic(), time.time_ns()
    template = incoming.headers.template
    if template is not None and template.route is not None and template.route[0] is service:
        route: _Route = template.route[1]
    else:
        try:
            route = _routed(service, side.flow, incoming)
        except CallError as refused:
            service.rejected(refused)
            side.write(refusal(refused.status, refused.kind, str(refused)))
            return False
        if template is not None:
            template.route = (service, route)
    exchange = Exchange(
        id=f"{random.getrandbits(128):032x}",
        request=Request(method=incoming.method, target=route.target, headers=incoming.headers, body=incoming.body),
        provider=route.provider,
        candidates=route.candidates,
        notes=Notes(received),
        call=route.call,
        socket=incoming.socket,
        door=route.door,
        deadline=received + route.patience_seconds,
        received_ns=received_ns,
    )
    delivery = Delivery(
        side,
        exchange,
        http_1_0=incoming.http_1_0,
        bodiless=incoming.method == "HEAD",
        keep_alive=incoming.keep_alive,
        told=service.tells,
    )
    service.opened(exchange)
    response: Response | None = None
    outcome: str = "completed"
    error: BaseException | None = None
    try:
        try:
            response = await service.answer(exchange)
        except CallError as failure:
            outcome, error = "failed", failure
            response = error_response(exchange, failure)
        except Exception as defect:
            logger.exception("a call failed inside the sidecar; this is a defect")
            outcome, error = "failed", defect
            response = error_response(exchange, PluginFailed("sidecar", f"{type(defect).__name__}: {defect}"))
        if response.tunnel is not None:
            delivery.begun = True
            await relay(side, exchange, response, told=service.tells)
        elif response.body.data is not None and not response.chunked:
            delivery.send_whole(response, response.body.data)
            if side.full:
                await side.drain()
        else:
            await delivery.send(response)
    except asyncio.CancelledError as left:
        outcome, error = "cancelled", error or left
        raise
    except Exception as broken:
        if isinstance(broken, ConnectionError) and not delivery.reading:  # what failed was writing to the agent
            outcome, error = "cancelled", error or broken
            raise
        outcome, error = "failed", broken
        delivery.keep_alive = False
        if not isinstance(broken, CallError):
            logger.warning("an answer broke off: %s", broken, exc_info=broken)
        if not delivery.begun:
            message = f"the answer cannot be written: {type(broken).__name__}: {broken}"
            side.write(refusal(502, PluginFailed.kind, message))
    finally:
        try:
            if exchange.notes.open_bodies or (response is not None and response.body.data is None):
                await let_go(exchange, response)
        finally:
            upload = incoming.body
            if isinstance(upload, UploadBody):
                sent, head = upload.received_bytes, upload.head
            else:
                sent, head = upload.length or 0, b""
            service.closed(delivery.record(response, outcome, error, request_bytes=sent, request_head=head))
    return delivery.keep_alive


async def let_go(exchange: Exchange, response: Response | None) -> None:
    """Close every body of an answer that may still be open, whatever comes of closing the others."""
    cancelled: asyncio.CancelledError | None = None
    for body in (*(() if response is None else (response.body,)), *exchange.notes.open_bodies):
        try:
            await body.aclose()
        except asyncio.CancelledError as error:
            cancelled = error
        except Exception:
            logger.warning("a body could not be closed", exc_info=True)
    if cancelled is not None:
        raise cancelled


class _Route(NamedTuple):
    """What the head of a request decides."""

    provider: Provider
    candidates: tuple[Provider, ...]
    target: str
    call: Call | None
    door: str
    patience_seconds: float
    """How long the agent waits for an answer."""


def _routed(service: Service, flow: Flow, incoming: Incoming) -> _Route:
    """
    Raises:
        NoRoute, Forbidden: there is nowhere to go.
    """
    destination = service.routes.destination(flow, incoming.target)
    provider, target = destination.provider, destination.target
    path, _, query = target.partition("?")
    call = None if provider.dialect is None else provider.dialect.recognise(incoming.method, path, query)
    patience = NEVER
    for name, value, *_ in incoming.headers.marks:
        if name in _DEADLINES and value.replace(b".", b"", 1).isdigit():
            patience = float(value)
    return _Route(provider, (provider,), target, call, destination.door, patience)
