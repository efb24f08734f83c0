"""The agent's end of the connection, which may leave."""

import asyncio

from sidecar.headers import Headers
from sidecar.intercept.flow import BASE_URL


class AgentDouble:
    """Takes what is written to it apart again. An `sidecar.intercept.incoming.AgentSide`.

    Args:
        leave_after: so many chunks of the answer it waits for.
    """

    flow = BASE_URL
    full = False

    def __init__(self, leave_after: int | None) -> None:
        self.headers: Headers | None = None
        self.chunks: list[bytes] = []
        self._leave_after = leave_after

    def write(self, *parts: bytes) -> None:
        """One head with what comes with it, or one chunk; `sidecar.intercept.outgoing` writes them so."""
        data = b"".join(parts)
        if self.headers is None:
            head, _, data = data.partition(b"\r\n\r\n")
            self.headers = Headers.from_block(head.partition(b"\r\n")[2] + b"\r\n")
        elif "transfer-encoding" in self.headers:
            data = data.partition(b"\r\n")[2][:-2]
        if len(self.chunks) == self._leave_after:
            raise ConnectionResetError("the agent left")
        if data:
            self.chunks.append(data)

    async def drain(self) -> None:
        """It takes everything at once."""

    def close_after_flush(self) -> None:
        """There is no connection."""

    def reset(self) -> None:
        """There is no connection."""

    def take_over(self) -> tuple[asyncio.Transport, bytes]:
        raise NotImplementedError("no frames are made here")
