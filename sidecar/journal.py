"""The last calls, kept in memory, for ``sidecar tail`` and ``sidecar explain``.

A record is kept as it is and told only when somebody asks, so that a call costs next to nothing for being remembered.
What is told never has content or credentials in it: no bodies, no header values, no query strings.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from sidecar.errors import CallError
from sidecar.exchange import Record
from sidecar.headers import Headers
from sidecar.notes import AttemptRecord, Detail
from sidecar.payload import Chat, Speech, Transcription
from sidecar.traceparent import trace_id
from sidecar.websocket import TRAFFIC

#: What kept records may hold of their requests and answers, all together.
MAX_BYTES = 16 * 1024 * 1024
_RECORD_BYTES = 2048
_NO_HEADERS = Headers()
_HARMLESS = (b"content-type", b"traceparent")
_QUEUED = 1000


class AttemptTold(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt; times in seconds since the call came in."""

    provider: str
    number: int
    server: str
    peer: str = ""
    started_seconds: float
    connect_seconds: float | None = None
    """None for a reused connection."""
    dns_seconds: float | None = None
    """Of that time, as far as it is known: ``tcp_seconds`` and ``tls_seconds`` as well."""
    tcp_seconds: float | None = None
    tls_seconds: float | None = None
    tls: str = ""
    """``TLSv1.3``; empty where no TLS was made."""
    resumed: bool = False
    """Whether that TLS went on with a session of before."""
    requested_seconds: float | None = None
    first_byte_seconds: float | None = None
    ended_seconds: float | None = None
    status: int | None = None
    error: str | None = None
    error_kind: str | None = None
    dropped_trailers: tuple[str, ...] = ()


class VerdictTold(Struct, frozen=True, kw_only=True, omit_defaults=True):
    plugin: str
    outcome: str
    reason: str = ""
    at_seconds: float
    detail: dict[str, Detail] = {}


class FaultTold(Struct, frozen=True, kw_only=True):
    plugin: str
    hook: str
    reason: str
    action: str
    at_seconds: float


class CallTold(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call, as it is shown to people."""

    id: str
    trace_id: str
    """The same as the id, unless the agent brought a trace of its own."""
    at_ns: int
    """When it came in, ns since the epoch."""
    door: str
    provider: str
    operation: str
    endpoint: str = ""
    method: str
    path: str
    model: str | None = None
    voice: str | None = None
    language: str | None = None
    format: str | None = None
    stream: bool = False
    status: int | None = None
    outcome: str
    answered_by: str | None = None
    error: str | None = None
    error_kind: str | None = None
    """What sort of error it is: see `kind_of`."""
    first_byte_seconds: float | None = None
    duration_seconds: float
    request_bytes: int = 0
    response_bytes: int = 0
    chunks: int = 0
    longest_gap_seconds: float = 0.0
    messages_sent: int | None = None
    """Of a WebSocket: messages from the agent; ``messages_received`` from the provider."""
    messages_received: int | None = None
    close_code: int | None = None
    attempts: tuple[AttemptTold, ...] = ()
    verdicts: tuple[VerdictTold, ...] = ()
    faults: tuple[FaultTold, ...] = ()


def tell(record: Record) -> CallTold:
    """What can be shown of *record*."""
    exchange, call = record.exchange, record.exchange.call
    payload = record.payload
    traffic = exchange.notes.get(TRAFFIC)
    return CallTold(
        id=exchange.id,
        trace_id=trace_id(exchange),
        at_ns=exchange.received_ns,
        door=exchange.door,
        provider=exchange.provider.name,
        operation=exchange.operation.value,
        endpoint="" if call is None else call.endpoint,
        method=exchange.request.method,
        path=exchange.request.path,
        status=record.status,
        outcome=record.outcome,
        answered_by=record.answered_by,
        error=None if record.error is None else described(record.error),
        error_kind=None if record.error is None else kind_of(record.error),
        first_byte_seconds=record.first_byte_seconds,
        duration_seconds=record.duration_seconds,
        request_bytes=record.request_bytes,
        response_bytes=record.response_bytes,
        chunks=record.chunks,
        longest_gap_seconds=record.longest_gap_seconds,
        messages_sent=None if traffic is None else traffic.from_agent.messages,
        messages_received=None if traffic is None else traffic.from_provider.messages,
        close_code=None if traffic is None else traffic.close_code,
        attempts=tuple(_attempt_told(attempt, exchange.notes.received) for attempt in exchange.notes.attempts),
        verdicts=tuple(
            VerdictTold(
                plugin=verdict.plugin,
                outcome=verdict.outcome,
                reason=verdict.reason,
                at_seconds=verdict.at_seconds,
                detail=dict(verdict.detail),
            )
            for verdict in exchange.notes.verdicts
        ),
        faults=tuple(
            FaultTold(
                plugin=fault.plugin,
                hook=fault.hook,
                reason=fault.reason,
                action=fault.action,
                at_seconds=fault.at_seconds,
            )
            for fault in exchange.notes.faults
        ),
        **_asked(payload, None if call is None else call.model, None if call is None else call.voice),
    )


def _asked(payload: Chat | Speech | Transcription | None, model: str | None, voice: str | None) -> dict[str, Any]:
    asked: dict[str, Any] = {"model": model, "voice": voice}
    if payload is None:
        return asked
    asked["model"] = payload.model or model
    asked["stream"] = payload.stream
    if isinstance(payload, Speech):
        asked.update(voice=payload.voice or voice, language=payload.language, format=payload.format)
    elif isinstance(payload, Transcription):
        asked.update(language=payload.language, format=payload.format)
    return asked


def _attempt_told(attempt: AttemptRecord, received: float) -> AttemptTold:
    def since(moment: float) -> float | None:
        return moment - received if moment else None

    connecting = attempt.connecting
    secured = connecting is not None and bool(connecting.tls)
    return AttemptTold(
        provider=attempt.provider.name,
        number=attempt.number,
        server=str(attempt.provider.origin),
        peer=attempt.peer,
        started_seconds=attempt.started - received,
        connect_seconds=None if attempt.reused else attempt.connect_seconds,
        dns_seconds=None if connecting is None else connecting.dns_seconds,
        tcp_seconds=None if connecting is None else connecting.tcp_seconds,
        tls_seconds=None if connecting is None or not secured else connecting.tls_seconds,
        tls="" if connecting is None else connecting.tls,
        resumed=connecting is not None and connecting.resumed,
        requested_seconds=since(attempt.requested),
        first_byte_seconds=since(attempt.first_byte),
        ended_seconds=since(attempt.ended),
        status=attempt.status or None,
        error=None if attempt.error is None else described(attempt.error),
        error_kind=None if attempt.error is None else kind_of(attempt.error),
        dropped_trailers=attempt.trailers,
    )


def described(error: BaseException) -> str:
    """An error for people: our own say it all, others need their type."""
    if isinstance(error, CallError):
        return str(error)
    if isinstance(error, asyncio.CancelledError | ConnectionError):
        return "the agent left"
    return f"{type(error).__name__}: {error}"


def kind_of(error: BaseException) -> str:
    """The token of RFC 9209 section 2.3, ``agent_left``, or of other errors the type."""
    if isinstance(error, CallError):
        return error.kind
    if isinstance(error, asyncio.CancelledError | ConnectionError):
        return "agent_left"
    return type(error).__name__


def _slim(record: Record) -> Record:
    """*record* without what nobody is told: headers with the credentials among them, and the answer's end.

    What is kept is also what a call cannot use again while it is still in the processor's cache: the less, the faster.
    """
    exchange = record.exchange
    request = exchange.request
    for error in (record.error, *[attempt.error for attempt in exchange.notes.attempts]):
        if error is not None:  # its frames hold all that the call had in its hands
            error.__traceback__ = error.__context__ = error.__cause__ = None
    exchange = replace(exchange, request=replace(request, headers=_harmless(request.headers)))
    return replace(record, exchange=exchange, headers=_NO_HEADERS, answer_tail=b"")


def _harmless(headers: Headers) -> Headers:
    """What of a request's headers is needed to tell of it: how to read its body, and whose trace it belongs to."""
    template = headers.template
    if template is None or template.trace is not None:
        return Headers.from_block(headers.lines(*_HARMLESS))
    known = template.memo.get(_harmless)
    if not isinstance(known, Headers):
        known = template.memo[_harmless] = Headers.from_block(headers.lines(*_HARMLESS))
    return known


class Journal:
    """Keeps the last *calls* records and lets others follow."""

    def __init__(self, calls: int = 500) -> None:
        self._calls = calls
        self._records: deque[tuple[Record, int]] = deque()
        self._bytes = 0
        self._followers: set[asyncio.Queue[Record | None]] = set()

    @property
    def followed(self) -> bool:
        """Whether anybody waits for the next call."""
        return bool(self._followers)

    def add(self, record: Record) -> None:
        for queue in self._followers:
            if queue.full():  # a follower that does not keep up misses the oldest
                queue.get_nowait()
            queue.put_nowait(record)
        if not self._calls:
            return
        record = _slim(record)
        held = len(record.request_head) + _RECORD_BYTES
        if data := record.exchange.request.body.data:
            held += len(data)
        self._bytes += held
        self._records.append((record, held))
        while len(self._records) > self._calls or self._bytes > MAX_BYTES:
            self._bytes -= self._records.popleft()[1]

    def find(self, prefix: str) -> list[Record]:
        """The kept calls whose id begins with *prefix*, oldest first; ``last`` is the last one."""
        if prefix == "last":
            return self.last(1)
        return [record for record, _ in self._records if record.exchange.id.startswith(prefix)]

    def last(self, number: int) -> list[Record]:
        """Oldest first."""
        return [record for record, _ in self._records][-number:] if number else []

    async def follow(self) -> AsyncIterator[Record]:
        """Each call as it ends, from now on, until the sidecar stops."""
        queue: asyncio.Queue[Record | None] = asyncio.Queue(_QUEUED)
        self._followers.add(queue)
        try:
            while (record := await queue.get()) is not None:
                yield record
        finally:
            self._followers.discard(queue)

    def close(self) -> None:
        """Let the followers go."""
        for queue in self._followers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(None)
