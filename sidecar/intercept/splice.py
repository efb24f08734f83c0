"""Two connections joined byte for byte, with back-pressure and half-close passed on."""

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import cast


class Splice:
    """Joins two transports. ``done`` is set when both are closed; the counts are bytes from agent and provider.

    Args:
        on_agent_bytes, on_provider_bytes: see what has been passed on; one that raises is not called again.
    """

    def __init__(
        self,
        *,
        on_agent_bytes: Callable[[bytes], None] | None = None,
        on_provider_bytes: Callable[[bytes], None] | None = None,
    ) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.agent = Side(self, on_agent_bytes)
        self.provider = Side(self, on_provider_bytes)
        self.agent.far, self.provider.far = self.provider, self.agent
        self.first_lost: Side | None = None
        """Whose connection ended first."""

    def side_lost(self) -> None:
        if self.agent.lost and self.provider.lost and not self.done.done():
            self.done.set_result(None)

    def abort(self) -> None:
        for side in (self.agent, self.provider):
            if side.transport is not None:
                side.transport.abort()


class Side(asyncio.Protocol):
    """One of the two. It can be made the protocol of a live transport by `attach`, or be connected afresh.

    Until the far side has its transport too, reading is paused.
    """

    def __init__(self, splice: Splice, observe: Callable[[bytes], None] | None) -> None:
        self.far: Side
        self.transport: asyncio.Transport | None = None
        self.lost = False
        self.ended = False
        """Whether it has said all it has to say."""
        self.received_bytes = 0
        self.pending = b""
        """What came before the far side had its transport: uvloop reads on when told to pause at the very start."""
        self._broken = False
        self._splice = splice
        self._observe = observe

    def attach(self, transport: asyncio.Transport, rest: bytes = b"") -> None:
        """Take over *transport*; *rest* came by it before."""
        transport.set_protocol(self)
        self.connection_made(transport)
        if rest:
            self.data_received(rest)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        if transport.is_closing():
            self.connection_lost(None)
        elif self.far._broken:
            transport.abort()
        elif self.far.transport is None and not self.far.lost:
            transport.pause_reading()
        else:
            self._catch_up(transport)

    def _catch_up(self, transport: asyncio.Transport) -> None:
        """Pass on what the far side has said, and done, while *transport* was not there."""
        if self.far.pending:
            transport.write(self.far.pending)
            self.far.pending = b""
        if self.far.transport is None:  # it has gone already
            transport.close()
            return
        if self.far.ended and transport.can_write_eof():
            transport.write_eof()
        transport.resume_reading()
        if not self.far.transport.is_closing():
            self.far.transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self.received_bytes += len(data)
        if self.far.transport is not None:
            self.far.transport.write(data)
        else:
            self.pending += data
        if self._observe is not None:
            try:
                self._observe(data)
            except Exception:
                self._observe = None

    def eof_received(self) -> bool:
        self._end()
        far = self.far.transport
        if far is None:  # it will be told when it is there
            return not self.far.lost
        if not far.can_write_eof():
            return False
        far.write_eof()
        return not self.far.ended  # where both have ended there is nothing to stay open for

    def _end(self) -> None:
        self.ended = True
        if self._splice.first_lost is None:
            self._splice.first_lost = self

    def connection_lost(self, exc: Exception | None) -> None:
        if self.lost:
            return
        self.lost, self.transport, self._broken = True, None, exc is not None
        self._end()
        far = self.far.transport
        if far is not None:
            if exc is None:
                far.close()
            else:  # the far side must not take a break for an end
                reset(far)
        self._splice.side_lost()

    def pause_writing(self) -> None:
        if self.far.transport is not None:
            self.far.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.far.transport is not None and not self.far.transport.is_closing():
            self.far.transport.resume_reading()


def reset(transport: asyncio.Transport) -> None:
    """Close with RST: an end that nobody can take for a clean one."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
