"""The listener: accepts connections, has their first bytes looked at, keeps them, and ends them in good order."""

import asyncio
import errno
import logging
import socket
import ssl

from sidecar.errors import CallError
from sidecar.intercept.flow import BASE_URL, Flow
from sidecar.intercept.greeting import Application, Greeting, reset_socket
from sidecar.intercept.lean import Kept
from sidecar.intercept.turn import Turn
from sidecar.watchdog import Watchdog

logger = logging.getLogger(__name__)

#: Accepted at a time, so that calls under way get their turn.
_AT_A_TIME = 64
#: How often resting connections are looked at.
_PATIENCE_TICK_SECONDS = 5.0


class Listener:
    """Serves one listening socket. *flow* is what it knows of every connection."""

    def __init__(self, application: Application, sock: socket.socket, flow: Flow = BASE_URL) -> None:
        self.patience = Watchdog(_PATIENCE_TICK_SECONDS)
        self._application = application
        self._sock = sock
        self._flow = flow
        self.loop = asyncio.get_running_loop()
        self.turn = Turn(self.loop)
        self._greeting = Greeting(application, self)
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections: set[Kept] = set()
        self._open = 0
        self._accepting = False

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._sock.getsockname()[:2]
        return host, port

    @property
    def max_head_bytes(self) -> int:
        return self._application.max_head_bytes

    # -- accepting ---------------------------------------------------------------------------------------------------

    def start(self) -> None:
        self._sock.setblocking(False)
        self._resume()

    def _resume(self) -> None:
        if not self._accepting and self._sock.fileno() >= 0:
            self._accepting = True
            self.loop.add_reader(self._sock, self._accept)

    def _pause(self) -> None:
        if self._accepting:
            self._accepting = False
            self.loop.remove_reader(self._sock)

    def _accept(self) -> None:
        for _ in range(_AT_A_TIME):
            try:
                sock, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                logger.error("cannot accept connections: %s; trying again in 0.1 s", error.strerror)
                self._pause()
                self.loop.call_later(0.1, self._resume)
                return
            sock.setblocking(False)
            task = self.loop.create_task(self._greet(sock))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            self._open += 1
            if self._open >= self._application.max_connections:  # the backlog holds the rest
                self._pause()
                return

    async def _greet(self, sock: socket.socket) -> None:
        handed_over = False
        try:
            handed_over = await self._greeting.introduce(sock, self._flow)
        except TimeoutError:
            reset_socket(sock)
        except CallError as error:
            self._application.service.rejected(error)
            logger.warning("reset a connection: %s", error)
            reset_socket(sock)
        except (OSError, ssl.SSLError) as error:
            logger.debug("a connection ended before it could be served: %s", error)
        except asyncio.CancelledError:
            reset_socket(sock)
            raise
        except Exception:
            logger.exception("a connection could not be served; this is a defect of the sidecar")
        finally:
            if not handed_over:
                sock.close()
                self._left()

    def _left(self) -> None:
        self._open -= 1
        if self._open < self._application.max_connections:
            self._resume()

    # -- keeping -----------------------------------------------------------------------------------------------------

    def connection_opened(self, connection: Kept) -> None:
        self._connections.add(connection)

    def connection_closed(self, connection: Kept) -> None:
        self._connections.discard(connection)
        flow = connection.flow
        serving = self._sock.fileno() >= 0  # else it was us who closed
        if flow.tls and flow.host is not None and not connection.requests and serving:
            reason = "it closed the connection after our certificate, without a request"
            self._application.distrusted(flow.host, reason)
        self._left()

    # -- the end -----------------------------------------------------------------------------------------------------

    def stop_accepting(self) -> None:
        self._pause()
        self._sock.close()

    async def shutdown(self, grace_seconds: float) -> None:
        """End all connections: resting ones at once, busy ones after their call, all of them after the grace."""
        for task in self._tasks - self._greeting.splicing:
            task.cancel()
        connections = list(self._connections)
        for connection in connections:
            connection.finish()
        spliced = list(self._greeting.splicing)
        if spliced:
            await asyncio.wait(spliced, timeout=grace_seconds)
        await asyncio.gather(*(connection.ended(grace_seconds) for connection in connections))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.patience.close()
