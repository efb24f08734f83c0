"""A WebSocket as the handlers of an emulated provider see it: recorded, and failing on demand."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import WSMsgType, web

from sidecar.lab.faults import Fault
from sidecar.lab.journal import Received
from sidecar.lab.reply import Refusal, Trouble, dumps
from sidecar.lab.writing import Line, forever


class SocketEnded(Exception):
    """A fault ended the talk."""


class Socket:
    """Messages both ways. Iterate it for what the client sends: text as ``str``, audio as ``bytes``."""

    def __init__(self, socket: web.WebSocketResponse, line: Line, received: Received, fault: Fault | None) -> None:
        self._socket = socket
        self._line = line
        self._received = received
        self._fault = (
            fault if fault is not None and fault.name in ("stall", "cut", "close", "short", "close-code") else None
        )
        self._sent = 0

    async def send(self, message: object) -> None:
        """A JSON message."""
        text = dumps(message).decode()
        await self._before_sending()
        await self._socket.send_str(text)
        self._received.add_frame("server", text)

    async def send_bytes(self, data: bytes) -> None:
        await self._before_sending()
        await self._socket.send_bytes(data)
        self._received.add_frame("server", data)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        await self._socket.close(code=code, message=reason.encode())

    async def __aiter__(self) -> AsyncIterator[str | bytes]:
        async for message in self._socket:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                self._received.add_frame("client", message.data)
                yield message.data

    async def _before_sending(self) -> None:
        fault = self._fault
        self._sent += 1
        if fault is None:
            return
        after = 1 if fault.name == "close-code" or fault.size is None else fault.size
        if self._sent <= after:
            return
        if fault.name == "stall":
            await forever()
        elif fault.name == "cut":
            await self._line.reset()
        elif fault.name == "close":
            await self._line.close()
        else:
            await self.close(fault.size or 1011 if fault.name == "close-code" else 1000)
        raise SocketEnded


def message_of(data: str) -> dict[str, Any]:
    """A client's text message, which must be a JSON object.

    Raises:
        Refusal: it is none.
    """
    try:
        value = json.loads(data)
    except ValueError:
        raise Refusal(Trouble.INVALID, "The message is not valid JSON.") from None
    if not isinstance(value, dict):
        raise Refusal(Trouble.INVALID, "The message must be a JSON object.")
    return value


async def cancelled(task: "asyncio.Task[None] | None") -> None:
    """Cancel *task* and wait until it has ended."""
    if task is None:
        return
    task.cancel()
    await asyncio.wait([task])
