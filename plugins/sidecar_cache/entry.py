"""What is kept of an answer, which answers may be kept, and how one is given again. No I/O."""

import re
import time
import zlib
from typing import Final

import msgspec
from msgspec import Struct

from sidecar import Body, Exchange, Headers, Response

#: Headers of an answer that belong to its content. All others told of one particular call at the provider.
_KEPT: Final = (b"content-type", b"content-encoding", b"content-language", b"content-disposition")
#: How the event streams of all dialects end when they end well: their last event has this. In what is said, quotes are
#: escaped, so that none of it can be taken for one of these.
_TERMINAL: Final = re.compile(
    rb'(?m)^data: ?\[DONE\]\s*$|"done"\s*:\s*true|"finishReason"\s*:|"type"\s*:\s*"(?:message_stop|response\.completed'
    rb'|speech\.audio\.done|transcript\.text\.done|transcription\.done)"'
)
#: How a model ends that had its say. All else (length, safety, an error) is no answer to give again.
_FINISHED: Final = frozenset(
    ("stop", "end_turn", "stop_sequence", "tool_use", "tool_calls", "function_call", "completed", "complete", "eos")
)
#: What of a compressed answer is unpacked to look into it.
_UNPACKED_BYTES: Final = 32 * 1024 * 1024
_ENTRY_BYTES = 512
_ANY: Final = msgspec.json.Decoder(msgspec.Raw)


class Entry(Struct, frozen=True, gc=False):
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
    block = response.headers.lines(*_KEPT)
    if not response.chunked:
        block += b"Content-Length: %d\r\n" % len(data)
    return Entry(response.status, block, data, response.chunked, time.monotonic())


def objection(exchange: Exchange, response: Response, data: bytes) -> str | None:
    """Why an answer is not to be kept; None if nothing speaks against it.

    An error, a refusal, a cut-off or an empty answer given again would be worse than none.
    """
    if response.status != 200:
        return f"status {response.status}"
    headers = response.headers
    if b"no-store" in (headers.get_bytes(b"cache-control") or b"").lower():
        return "the provider forbids it"
    if not data:
        return "empty"
    if exchange.call is None or exchange.provider.dialect is None:
        return "unknown call"
    media_type = (headers.get_bytes(b"content-type") or b"").decode("latin-1").partition(";")[0].strip().lower()
    if media_type.startswith("audio/"):
        return None
    plain = data
    if (coding := headers.get("content-encoding")) is not None:
        unpacked = _unpacked(coding.strip().lower(), data)
        if unpacked is None:
            return f"coded as {coding}, which cannot be looked into"
        plain, headers = unpacked, headers.without("content-encoding")
    if media_type == "text/event-stream":
        if _TERMINAL.search(_last_event(plain)) is None:
            return "the event stream has no proper end"
    elif media_type.endswith("json"):
        try:
            _ANY.decode(plain)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return "not valid JSON"
    elif not media_type.startswith(("text/", "application/octet-stream")):
        return f"content type {media_type or 'unknown'}"
    answer = exchange.read_answer(headers, plain)
    if answer.error_type is not None:
        return f"an error inside a 200: {answer.error_type}"
    for reason in answer.finish_reasons:
        if reason.lower() not in _FINISHED:
            return f"finished by {reason}"
    return None


def _unpacked(coding: str, data: bytes) -> bytes | None:
    """*data* unpacked; None if it cannot be."""
    if coding == "identity":
        return data
    if coding not in ("gzip", "x-gzip", "deflate"):
        return None
    unpacking = zlib.decompressobj(zlib.MAX_WBITS | 32)
    try:
        plain = unpacking.decompress(data, _UNPACKED_BYTES)
    except zlib.error:
        return None
    return plain if unpacking.eof else None


def _last_event(stream: bytes) -> bytes:
    """The last event of *stream*."""
    whole = stream.rstrip()
    start = max(whole.rfind(b"\n\n"), whole.rfind(b"\n\r\n"), 0)
    return whole[start:]
