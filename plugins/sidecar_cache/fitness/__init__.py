"""Which answers may be kept. An error, a refusal, a cut-off or an empty answer given again would be worse than none.

Pure. Nothing of what an answer says stands in a reason. Long answers are judged a slice at a time.
"""

from typing import Final

from msgspec import Struct

from sidecar import Answer, Chat, Exchange, Headers, Operation, Response, Speech, Transcription
from sidecar.codings import unpacked
from sidecar_cache.fitness.chat import check_chat
from sidecar_cache.fitness.documents import LARGE_BYTES, Unfit, document_of, each_event, event_of
from sidecar_cache.fitness.endings import ended
from sidecar_cache.fitness.speech import check_speech
from sidecar_cache.fitness.transcripts import check_transcript
from sidecar_cache.slices import Slices

__all__ = ["Judged", "judged"]

#: So many events of a long stream's end, and of its beginning, are read for what it says of itself.
_ENDS_EVENTS: Final = 4


class Judged(Struct, frozen=True, gc=False):
    objection: str | None = None
    """Why the answer is not to be kept; None if nothing speaks against it."""
    audio_seconds: float = 0.0
    """How long it plays, if it is speech and says so."""


def judged(exchange: Exchange, response: Response, data: bytes) -> Slices[Judged]:
    """Whether an answer may be kept.

    Args:
        data: the whole body of *response*, in the coding that it came in.
    """
    try:
        return Judged(audio_seconds=(yield from _check(exchange, response, data)) or 0.0)
    except Unfit as reason:
        return Judged(str(reason))


def _check(exchange: Exchange, response: Response, data: bytes) -> Slices[float | None]:
    if response.status != 200:
        raise Unfit(f"status {response.status}")
    headers, call, dialect = response.headers, exchange.call, exchange.provider.dialect
    if b"no-store" in (headers.get_bytes(b"cache-control") or b"").lower():
        raise Unfit("the provider forbids it")
    if not data:
        raise Unfit("empty")
    if call is None or dialect is None:
        raise Unfit("unknown call")
    content_type = (headers.get_bytes(b"content-type") or b"").decode("latin-1").strip().lower()
    media_type = content_type.partition(";")[0].strip()
    if (coding := headers.get("content-encoding")) is not None:
        plain = unpacked(coding, data)
        if plain is None:
            raise Unfit(f"coded as {coding}, which cannot be looked into")
        data, headers = plain, headers.without("content-encoding")
        if len(data) > LARGE_BYTES:
            yield
    if media_type == "text/html":
        raise Unfit("content type text/html")
    if media_type == "text/event-stream" or media_type.endswith("json"):
        yield from _check_error(exchange, headers, data, streams=media_type == "text/event-stream")
    payload = exchange.payload
    if call.operation is Operation.TTS:
        asked = payload if isinstance(payload, Speech) else None
        return (yield from check_speech(asked, dialect.name, call.endpoint, content_type, data))
    if call.operation is Operation.STT:
        heard = payload if isinstance(payload, Transcription) else None
        yield from check_transcript(heard, call.endpoint, content_type, data)
    elif call.operation is Operation.CHAT:
        yield from check_chat(payload if isinstance(payload, Chat) else None, call.endpoint, content_type, data)
    else:
        yield from _check_other(call.endpoint, media_type, data)
    return None


def _check_error(exchange: Exchange, headers: Headers, data: bytes, *, streams: bool) -> Slices[None]:
    """Raises `Unfit` where the dialect finds an error. Of a long stream its middle is left to who reads all of it."""
    call, dialect = exchange.call, exchange.provider.dialect
    assert call is not None
    assert dialect is not None
    if streams and len(data) > LARGE_BYTES:
        for piece in _ends_of(data):
            _refuse(dialect.read_answer(call, headers, piece))
            yield
        return
    _refuse(exchange.read_answer(headers, data))
    if len(data) > LARGE_BYTES:
        yield


def _ends_of(stream: bytes) -> tuple[bytes, bytes]:
    """The last few events of *stream*, and the first few; all of it where it is cut in an unusual way."""
    separator = b"\r\n\r\n" if b"\r\n\r\n" in stream[:4096] else b"\n\n"
    begin, end = 0, len(stream.rstrip())
    for _ in range(_ENDS_EVENTS):
        begin = stream.find(separator, begin) + len(separator)
        end = stream.rfind(separator, 0, end)
        if begin < len(separator) or end < 0:
            return stream, b""
    return stream[end + len(separator) :], stream[:begin]


def _refuse(read: Answer) -> None:
    if read.error_type is not None:
        raise Unfit(f"an error inside a 200: {read.error_type}")


def _check_other(endpoint: str, media_type: str, data: bytes) -> Slices[None]:
    """What is known by name only: embeddings and the like."""
    if media_type == "text/event-stream":
        if not ended(endpoint, data):
            raise Unfit("the event stream has no proper end")
        yield from each_event(data, event_of)
    elif media_type.endswith("json"):
        if document_of(data).get("error"):
            raise Unfit("an error inside a 200")
    else:
        raise Unfit(f"content type {media_type or 'unknown'}")
