"""Which answers may be kept. An error, a refusal, a cut-off or an empty answer given again would be worse than none.

Pure. Nothing of what an answer says stands in a reason.
"""

from msgspec import Struct

from sidecar import Chat, Exchange, Operation, Response, Speech, Transcription
from sidecar.codings import unpacked
from sidecar_cache.fitness.chat import check_chat
from sidecar_cache.fitness.documents import Unfit, document_of, events_of
from sidecar_cache.fitness.endings import ended
from sidecar_cache.fitness.speech import check_speech
from sidecar_cache.fitness.transcripts import check_transcript

__all__ = ["Judged", "judged", "objection"]


class Judged(Struct, frozen=True, gc=False):
    objection: str | None = None
    """Why the answer is not to be kept; None if nothing speaks against it."""
    audio_seconds: float = 0.0
    """How long it plays, if it is speech and says so."""


def objection(exchange: Exchange, response: Response, data: bytes) -> str | None:
    """Why an answer is not to be kept; None if nothing speaks against it.

    Args:
        data: the whole body of *response*, in the coding that it came in.
    """
    return judged(exchange, response, data).objection


def judged(exchange: Exchange, response: Response, data: bytes) -> Judged:
    """The same, and what was found out on the way."""
    try:
        return Judged(audio_seconds=_check(exchange, response, data) or 0.0)
    except Unfit as reason:
        return Judged(str(reason))


def _check(exchange: Exchange, response: Response, data: bytes) -> float | None:
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
    if media_type == "text/html":
        raise Unfit("content type text/html")
    if media_type == "text/event-stream" or media_type.endswith("json"):
        error_type = exchange.read_answer(headers, data).error_type
        if error_type is not None:
            raise Unfit(f"an error inside a 200: {error_type}")
    payload = exchange.payload
    if call.operation is Operation.TTS:
        return check_speech(
            payload if isinstance(payload, Speech) else None, dialect.name, call.endpoint, content_type, data
        )
    if call.operation is Operation.STT:
        asked = payload if isinstance(payload, Transcription) else None
        check_transcript(asked, call.endpoint, content_type, data)
    elif call.operation is Operation.CHAT:
        check_chat(payload if isinstance(payload, Chat) else None, call.endpoint, content_type, data)
    else:
        _check_other(call.endpoint, media_type, data)
    return None


def _check_other(endpoint: str, media_type: str, data: bytes) -> None:
    """What is known by name only: embeddings and the like."""
    if media_type == "text/event-stream":
        if not ended(endpoint, data):
            raise Unfit("the event stream has no proper end")
        for _ in events_of(data):
            pass
    elif media_type.endswith("json"):
        if document_of(data).get("error"):
            raise Unfit("an error inside a 200")
    else:
        raise Unfit(f"content type {media_type or 'unknown'}")
