"""The nouns: what travels through the sidecar. No I/O, and frozen: a layer that fails is bypassed with the exchange
that it was given, which works only because nobody could change it. Changes are made by ``with_…``.
"""

import asyncio

from msgspec import Struct
from msgspec.structs import replace

from sidecar.body import EMPTY, Body
from sidecar.dialect import Call, Operation
from sidecar.headers import Headers
from sidecar.notes import AttemptRecord, Detail, Fault, Notes, Verdict
from sidecar.payload import Answer, Payload, edited
from sidecar.provider import Provider


class Request(Struct, frozen=True, kw_only=True, eq=False):
    """What goes out to a provider, byte for byte. ``target`` is path and query in origin form."""

    method: str
    target: str
    headers: Headers = Headers()
    body: Body = EMPTY

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def with_headers(self, headers: Headers) -> "Request":
        return replace(self, headers=headers)

    def with_target(self, target: str) -> "Request":
        return replace(self, target=target)

    def with_body(self, body: Body | bytes) -> "Request":
        """Another body, and a ``Content-Length`` that fits it."""
        body = Body(body) if isinstance(body, bytes) else body
        headers = self.headers.without("transfer-encoding")
        if body.length is None:
            headers = headers.without("content-length").adding("Transfer-Encoding", "chunked")
        else:
            headers = headers.with_field("Content-Length", str(body.length))
        return replace(self, headers=headers, body=body)


class Exchange(Struct, frozen=True, kw_only=True, eq=False):
    """One provider call of the agent, from interception to the last byte of its answer."""

    id: str
    """32 hexadecimal digits, unique; also the trace's id unless the agent brought its own."""
    request: Request
    provider: Provider
    """Whom the agent called. What it sent to identify itself is for this one alone."""
    candidates: tuple[Provider, ...]
    """Whom to try, best first; never empty."""
    notes: Notes
    call: Call | None = None
    """None for what no dialect knows."""
    socket: bool = False
    """Whether the agent asks to upgrade to a WebSocket."""
    door: str = "base_url"
    """How it came in: base_url, port, forward, connect, transparent."""
    deadline: float = float("inf")
    """Monotonic; the agent gives up by then."""
    received_ns: int = 0
    """Wall-clock time at which it came in, in ns since the epoch."""
    spoken: Call | None = None
    """What the request is in the candidates' dialect, where it has been translated into that."""

    @property
    def operation(self) -> Operation:
        return Operation.PASSTHROUGH if self.call is None else self.call.operation

    @property
    def payload(self) -> Payload | None:
        """What is asked for; None if nothing is known of it or its body is still on its way (see `loaded`)."""
        body, call, dialect = self.request.body, self.call, self.provider.dialect
        if self.spoken is not None:
            call, dialect = self.spoken, self.candidates[0].dialect
        if call is None or dialect is None or body.data is None:
            return None
        cached = self.notes._payload
        if cached is None or cached[0] is not body:
            cached = (body, dialect.read(call, self.request.query, self.request.headers, body.data))
            if not self.notes.released:
                self.notes._payload = cached
        return cached[1]

    def read_answer(self, headers: Headers, data: bytes) -> Answer:
        """What an answer says of itself.

        Args:
            headers: of the answer.
            data: its body, or how that ended. Who asks for less than others did before gets what they were told.
        """
        dialect, call = self.provider.dialect, self.call
        if dialect is None or call is None or not data:
            return Answer()
        known = self.notes._answer
        if known is None or not known[0].endswith(data):
            known = (data, dialect.read_answer(call, headers, data))
            if not self.notes.released:
                self.notes._answer = known
        return known[1]

    async def loaded(self, limit: int) -> "Exchange":
        """The same with its request body in memory, if that has at most *limit* bytes.

        A layer that must know the whole request before it can act waits here; all others let the upload flow.
        """
        body = await self.request.body.buffered(limit)
        return self if body is self.request.body else self.with_request(replace(self.request, body=body))

    def with_request(self, request: Request) -> "Exchange":
        return replace(self, request=request)

    def with_candidates(self, *candidates: Provider) -> "Exchange":
        return replace(self, candidates=candidates)

    def with_translation(self, candidate: Provider, request: Request, call: Call) -> "Exchange":
        """The same asked of *candidate* alone, in its dialect: what *request* is there, *call* says."""
        return replace(self, candidates=(candidate,), request=request, spoken=call)

    def with_fields(self, **changes: object) -> "Exchange":
        """Top-level fields of a JSON request replaced; everything else keeps its bytes."""
        data = self.request.body.data
        assert data is not None, "only a loaded exchange can be edited"
        return self.with_request(self.request.with_body(edited(data, changes)))

    def note(self, plugin: str, outcome: str, reason: str = "", **detail: Detail) -> None:
        """Leave a verdict."""
        self.notes.verdicts.append(Verdict(plugin, outcome, reason, detail, self.notes.since()))


class Attempt(Struct, frozen=True, kw_only=True, eq=False):
    """One try of an exchange against one provider: ``request`` is what that provider will be sent."""

    exchange: Exchange
    provider: Provider
    request: Request
    record: AttemptRecord

    @property
    def call(self) -> Call | None:
        """What the request is in the provider's dialect; None for what that does not know."""
        return self.exchange.spoken or self.exchange.call

    def with_request(self, request: Request) -> "Attempt":
        return replace(self, request=request)


class Tunnel(Struct, frozen=True, eq=False):
    """The far end of a call that was upgraded: from here on bytes flow both ways. Reading is paused."""

    transport: asyncio.Transport
    rest: bytes = b""
    """What came after the answer's head."""


class Response(Struct, frozen=True, kw_only=True, eq=False):
    """An answer whose headers are here and whose body is still on its way."""

    status: int
    headers: Headers = Headers()
    body: Body = EMPTY
    reason: str | None = None
    """The reason phrase; None for the standard one."""
    answered_by: str = ""
    """A provider's name, or the plugin's that answered instead."""
    chunked: bool = False
    """Whether the body goes out in chunks even if its length is known: it came like that."""
    tunnel: Tunnel | None = None
    """Of a 101 answer."""

    def with_headers(self, headers: Headers) -> "Response":
        return replace(self, headers=headers)

    def with_body(self, body: Body) -> "Response":
        return replace(self, body=body)


class Record(Struct, frozen=True, kw_only=True, eq=False):
    """What is known of an exchange once it is over."""

    exchange: Exchange
    outcome: str
    """completed; cancelled (the agent left); failed (no answer, or one that broke off)."""
    status: int | None = None
    answered_by: str | None = None
    headers: Headers = Headers()
    """Of the answer."""
    error: BaseException | None = None
    ended: float = 0.0
    """Monotonic."""
    first_byte: float = 0.0
    """When the first byte of the answer's body went to the agent; monotonic, 0.0 if none did."""
    request_bytes: int = 0
    response_bytes: int = 0
    chunks: int = 0
    longest_gap_seconds: float = 0.0
    """Between two chunks of the answer."""
    request_head: bytes = b""
    """How a request began whose body was not kept."""
    answer_tail: bytes = b""
    """How the answer's body ended, for what it says of itself (usage); bounded."""

    @property
    def duration_seconds(self) -> float:
        return self.ended - self.exchange.notes.received

    @property
    def first_byte_seconds(self) -> float | None:
        return self.first_byte - self.exchange.notes.received if self.first_byte else None

    @property
    def attempts(self) -> tuple[AttemptRecord, ...]:
        return tuple(self.exchange.notes.attempts)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return tuple(self.exchange.notes.verdicts)

    @property
    def faults(self) -> tuple[Fault, ...]:
        return tuple(self.exchange.notes.faults)

    @property
    def payload(self) -> Payload | None:
        """The exchange's, or as much of it as the kept beginning of the request tells."""
        exchange = self.exchange
        if (payload := exchange.payload) is not None or not self.request_head:
            return payload
        dialect, call = exchange.provider.dialect, exchange.call
        if dialect is None or call is None:
            return None
        request = exchange.request
        return dialect.read(call, request.query, request.headers, self.request_head, complete=False)

    @property
    def answer(self) -> Answer:
        """What the provider's answer says of itself."""
        return self.exchange.read_answer(self.headers, self.answer_tail)
