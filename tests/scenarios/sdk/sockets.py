"""A provider of WebSockets that a test tells what to say, and the way to it through a door."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.running import Running
from tests.scenarios.sdk.golden import trusting
from tests.scenarios.sdk.ledger import Ledger

HOST = "api.openai.com"
PATH = "/v1/realtime?model=gpt-realtime"
REFUSED = "&refuse"
"""At the end of a path that is refused."""
SOON_SECONDS = 3.0

Talk = Callable[[ServerConnection], Awaitable[None]]


class Provider:
    """Speaks as a test tells it to. ``met``: the last socket; ``over``: how it ended, as seen from here."""

    def __init__(self) -> None:
        self.talk: Talk = echo
        self.met: ServerConnection | None = None
        self.over: asyncio.Queue[ConnectionClosed] = asyncio.Queue()

    async def serve(self, connection: ServerConnection) -> None:
        self.met = connection
        try:
            await self.talk(connection)
            await connection.wait_closed()
            await connection.recv()
        except ConnectionClosed as closed:
            self.over.put_nowait(closed)

    def refuse(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path.endswith(REFUSED):
            response = connection.respond(HTTPStatus.UNAUTHORIZED, '{"error": {"message": "no such key"}}')
            response.headers["x-request-id"] = "r1"
            return response
        return None


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


class Between:
    """A sidecar between agents and *provider*, by one door."""

    def __init__(self, provider: Provider, sidecar: Running, ledger: Ledger, door: str) -> None:
        self.provider = provider
        self.sidecar = sidecar
        self.ledger = ledger
        self.door = door

    def opened(self, path: str = PATH, **options: Any) -> connect:
        """A socket of the agent's, to be entered or awaited."""
        given: dict[str, Any] = {
            "additional_headers": {"Authorization": "Bearer k"},
            "close_timeout": SOON_SECONDS,
        } | options
        if self.door == "connect":
            secure = trusting(self.sidecar)
            return connect(f"wss://{HOST}{path}", proxy=self.sidecar.proxy, ssl=secure, **given)
        base = f"{self.sidecar.proxy}/openai" if self.door == "base_url" else self.sidecar.port("openai")
        return connect(f"ws{base.removeprefix('http')}{path}", proxy=None, **given)

    async def ended(self) -> ConnectionClosed:
        async with asyncio.timeout(SOON_SECONDS):
            return await self.provider.over.get()
