"""What is kept of an answer, which answers may be kept, and how one is given again. No I/O."""

import time
from typing import Final

import msgspec
from msgspec import Struct

from sidecar import Body, Call, Exchange, Headers, Response
from sidecar.dialect import Dialect

#: Headers of an answer that belong to its content. All others told of one particular call at the provider.
_KEPT: Final = frozenset((b"content-type", b"content-encoding", b"content-language", b"content-disposition"))
#: How the event streams of all dialects end when they end well.
_TERMINAL: Final = (
    b"[DONE]",
    b"message_stop",
    b"response.completed",
    b".done",
    b'"done":true',
    b'"done": true',
    b"finishReason",
    b"transcription.done",
)
_ENTRY_BYTES = 512


class Entry(Struct, frozen=True):
    """A kept answer. ``block`` is what is kept of its headers, as they stand on the wire."""

    status: int
    block: bytes
    data: bytes
    chunked: bool
    stored: float
    """Monotonic."""

    @property
    def held_bytes(self) -> int:
        return len(self.data) + len(self.block) + _ENTRY_BYTES

    def replayed(self, plugin: str, now: float, ttl_seconds: float) -> Response:
        """The answer again, with what RFC 9111 and RFC 9211 ask for: its age, and that it is from a cache."""
        age = int(now - self.stored)
        block = b"%bAge: %d\r\nCache-Status: agent-sidecar; hit; ttl=%d\r\n" % (
            self.block,
            age,
            max(int(ttl_seconds) - age, 0),
        )
        headers = Headers.passing(block, None if self.chunked else len(self.data))
        return Response(
            status=self.status, headers=headers, body=Body(self.data), chunked=self.chunked, answered_by=plugin
        )


def entry_of(response: Response, data: bytes) -> Entry:
    lines = [b"%b: %b\r\n" % field for field in response.headers.fields if field[0].lower() in _KEPT]
    if not response.chunked:
        lines.append(b"Content-Length: %d\r\n" % len(data))
    return Entry(response.status, b"".join(lines), data, response.chunked, time.monotonic())


def objection(exchange: Exchange, response: Response, data: bytes) -> str | None:
    """Why an answer is not to be kept; None if nothing speaks against it.

    An error, a refusal, a cut-off or an empty answer given again would be worse than none.
    """
    call, dialect = exchange.call, exchange.provider.dialect
    if response.status != 200:
        return f"status {response.status}"
    if "no-store" in (response.headers.get("cache-control") or ""):
        return "the provider forbids it"
    if not data:
        return "empty"
    if call is None or dialect is None:
        return "unknown call"
    media_type = (response.headers.get("content-type") or "").partition(";")[0].strip().lower()
    if response.headers.get("content-encoding") not in (None, "identity"):
        return None
    if media_type == "text/event-stream":
        if not any(mark in data[-4096:] for mark in _TERMINAL):
            return "the event stream has no proper end"
    elif media_type.endswith("json"):
        try:
            msgspec.json.decode(data, type=msgspec.Raw)
            msgspec.json.decode(data)
        except msgspec.DecodeError:
            return "not valid JSON"
    elif not media_type.startswith(("audio/", "text/", "application/octet-stream")):
        return f"content type {media_type or 'unknown'}"
    return _objection_of_dialect(dialect, call, response, data) if not media_type.startswith("audio/") else None


def _objection_of_dialect(dialect: Dialect, call: Call, response: Response, data: bytes) -> str | None:
    answer = dialect.read_answer(call, response.headers, data)
    if answer.error_type is not None:
        return f"an error inside a 200: {answer.error_type}"
    for reason in answer.finish_reasons:
        if reason.lower() in ("length", "content_filter", "max_tokens", "refusal", "safety"):
            return f"finished by {reason}"
    return None
