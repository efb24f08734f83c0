"""A provider that says what the test tells it to, and keeps what it heard."""

import inspect
import time
from collections.abc import Awaitable, Callable, Sequence

from msgspec.structs import replace

from sidecar.body import Body, tap
from sidecar.credentials import identified
from sidecar.errors import CallError, UpstreamBroken, UpstreamError
from sidecar.exchange import Attempt, Exchange, Request, Response, Tunnel
from sidecar.notes import AttemptRecord
from sidecar.websocket import TRAFFIC, SocketTraffic

Said = Response | Exception
#: How an answer comes: a response, an error to be raised, or a function of the attempt, async or not, that makes one.
Scripted = Said | Callable[[Attempt], Said | Awaitable[Said]]

_BY_THE_TEST = "scripted by the test"


class ScriptedProvider:
    """Gives *answers* in turn, the last one for ever."""

    def __init__(self, answers: Sequence[Scripted]) -> None:
        self._answers = answers or (Response(status=200),)
        self.attempts: list[Attempt] = []
        self.sent: list[Request] = []

    async def send(self, attempt: Attempt) -> Response:
        """What the upstream does in service; see `sidecar.upstream.Upstream`."""
        answer = self._answers[min(len(self.attempts), len(self._answers) - 1)]
        self.attempts.append(attempt)
        said = answer(attempt) if callable(answer) else answer
        if inspect.isawaitable(said):
            said = await said
        if isinstance(said, UpstreamError) and not said.sent:
            raise scripted(said)  # it was not even reached
        request, record = identified(attempt), attempt.record
        record.peer = f"192.0.2.1:{attempt.provider.origin.port}"
        self.sent.append(replace(request, body=Body(b"".join([chunk async for chunk in request.body]))))
        record.requested = time.monotonic()
        if isinstance(said, Exception):
            raise scripted(said)
        record.status, record.first_byte = said.status, time.monotonic()
        return replace(said, body=_noted(said.body, record), answered_by=attempt.provider.name)


class Talk(Tunnel, frozen=True, eq=False):
    """What is exchanged over a socket: numbers of messages, no bytes."""

    sent: int = 0
    received: int = 0
    close_code: int | None = None

    def take_place(self, exchange: Exchange) -> None:
        """
        Raises:
            UpstreamBroken: nobody said goodbye.
        """
        traffic = SocketTraffic()
        traffic.from_agent.messages, traffic.from_provider.messages = self.sent, self.received
        traffic.from_provider.close_code = self.close_code
        exchange.notes.put(TRAFFIC, traffic)
        if self.close_code is None:
            raise scripted(UpstreamBroken("the provider closed the socket without a close frame", begun=True))


def scripted(error: Exception) -> Exception:
    """*error*, marked as one that is no plugin's mistake."""
    if not is_scripted(error):
        error.add_note(_BY_THE_TEST)
    return error


def is_scripted(error: BaseException) -> bool:
    return _BY_THE_TEST in getattr(error, "__notes__", ())


def _noted(body: Body, record: AttemptRecord) -> Body:
    """*body*; how much of it came and when it ended is written down as a client does."""

    def on_chunk(chunk: bytes) -> None:
        record.body_bytes += len(chunk)

    def on_end(error: BaseException | None) -> None:
        record.ended = time.monotonic()
        if isinstance(error, CallError):
            record.error = error

    return tap(body, on_chunk, on_end)
