"""Answers on their way back: what a target said, told as the agent's provider would have."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from sidecar import codings, sse
from sidecar.body import Body, StreamedBody
from sidecar.dialects.documents import UNREADABLE
from sidecar.errors import BodyTooLarge, UpstreamBroken, UpstreamError
from sidecar.exchange import Response
from sidecar.headers import Headers
from sidecar.sse import Event, EventTooLarge
from sidecar.translation.contract import Untranslatable
from sidecar.translation.transcription.accepted import TAKES
from sidecar.translation.transcription.languages import short
from sidecar.translation.transcription.neutral import Ask, Delta, Piece, Transcript, Wish
from sidecar.translation.transcription.wire import Hearing, Telling, Wire

EVENTS: Final = "text/event-stream"
#: What a whole answer may have at most: an hour of words with times has some three megabytes.
MOST_BYTES: Final = codings.UNPACKED_BYTES
#: Times from here on, in seconds, are none: four months.
_ENDLESS: Final = 1e7


class Answering(Struct, frozen=True):
    """Gives answers of *wire* to an agent who speaks *source*."""

    source: Wire
    wire: Wire
    ask: Ask
    """What the agent wants."""
    asked: Ask
    """What the target was asked for."""

    async def __call__(self, response: Response) -> Response:
        hearing = self.wire.hearing() if _is_stream(response) else None
        telling = self.source.telling(self.ask) if self.ask.stream else None
        if hearing is not None and telling is not None:
            pieces = _heard(_plain_chunks(response), hearing)
            body = StreamedBody(_told(pieces, telling, self._checked), wrapped=response.body)
            return _answer(response, EVENTS, body)
        if hearing is not None:
            transcript = await _last(_heard(_plain_chunks(response), hearing), response.body)
        else:
            transcript = self._whole(await _plain(response))
        transcript = self._checked(transcript)
        if telling is None:
            return _answer(response, *_in_memory(self.source.tell(transcript, self.ask)))
        events = [event.encode() for piece in _as_pieces(transcript) for event in telling(piece)]
        return _answer(response, EVENTS, Body(b"".join(events)))

    def _whole(self, data: bytes) -> Transcript:
        try:
            return self.wire.hear(data)
        except UNREADABLE:
            raise Untranslatable(f"it is no transcript of {TAKES[self.wire.dialect].provider}") from None

    def _checked(self, transcript: Transcript) -> Transcript:
        """With the recording's own length where a header tells it, and the language that the agent named.

        Raises:
            Untranslatable: something is not there that was asked for, or makes no sense.
        """
        asked, sound = self.asked, self.asked.sound
        _check_times(transcript)
        if transcript.text:
            timed = any(word.start is not None and word.end is not None for word in transcript.words)
            if asked.words is Wish.REQUIRED and not timed:
                raise Untranslatable("its words have no times")
            if asked.segments is Wish.REQUIRED and not (timed or transcript.segments):
                raise Untranslatable("it has no times")
            if asked.speakers and not any(one.speaker for one in transcript.timed):
                raise Untranslatable("it does not say who speaks")
        # what a header says is exact, but of MP3 it is an estimate, and providers bill whole seconds
        exact = sound.seconds is not None and sound.format != "mp3"
        seconds = sound.seconds if exact or transcript.seconds is None else transcript.seconds
        named = short(self.ask.languages[0]) if len(self.ask.languages) == 1 else None
        return replace(
            transcript,
            seconds=seconds,
            language=transcript.language or named,
            confidence=_sure(transcript.confidence),
            words=tuple(replace(word, confidence=_sure(word.confidence)) for word in transcript.words),
            segments=tuple(replace(one, confidence=_sure(one.confidence)) for one in transcript.segments),
        )


def _check_times(transcript: Transcript) -> None:
    times: Iterable[float | None] = (
        transcript.seconds,
        *(time for one in transcript.timed for time in (one.start, one.end)),
    )
    if any(time is not None and not (-_ENDLESS < time < _ENDLESS) for time in times):
        raise Untranslatable("its times make no sense")


def _sure(confidence: float | None) -> float | None:
    """Between 0 and 1: what is computed elsewhere may be a little more than that."""
    return None if confidence is None else min(max(confidence, 0.0), 1.0)


def _as_pieces(transcript: Transcript) -> list[Piece]:
    """A transcript that came whole, as a stream that says all of it at once."""
    text: list[Piece] = [Delta(transcript.text)] if transcript.text else []
    return [*text, *transcript.segments, transcript]


def _in_memory(told: tuple[str, bytes]) -> tuple[str, Body]:
    return told[0], Body(told[1])


def _answer(response: Response, content_type: str, body: Body) -> Response:
    """What the provider's other headers say is about its own account."""
    fields = [(b"Content-Type", content_type.encode())]
    if body.length is not None:
        fields.append((b"Content-Length", b"%d" % body.length))
    return replace(
        response,
        status=200,
        reason=None,
        headers=Headers(fields),
        body=body,
        chunked=body.length is None,
    )


def _is_stream(response: Response) -> bool:
    return (response.headers.get("content-type") or "").lower().lstrip().startswith(EVENTS)


def _coding(response: Response) -> str:
    return (response.headers.get("content-encoding") or "").strip().lower()


async def _plain(response: Response) -> bytes:
    """All of an answer without its content coding; lets go of it."""
    try:
        data = await response.body.read(MOST_BYTES)
    except BodyTooLarge:
        raise Untranslatable(f"it has more than {MOST_BYTES} bytes") from None
    plain = codings.unpacked(_coding(response), data, MOST_BYTES)
    if plain is None:
        raise Untranslatable("its content coding cannot be undone")
    return plain


async def _plain_chunks(response: Response) -> AsyncIterator[bytes]:
    """The same as it comes. It was asked for without a coding: one that has one nevertheless comes when it is whole."""
    if _coding(response) in ("", "identity"):
        async for chunk in response.body:
            yield chunk
        return
    try:
        yield await _plain(response)
    except Untranslatable as failure:
        raise UpstreamBroken(str(failure), begun=True) from None


async def _heard(chunks: AsyncIterator[bytes], hearing: Hearing) -> AsyncIterator[Piece]:
    """The pieces of a stream, the transcript last.

    Raises:
        UpstreamBroken: it ends without one, reports an error, or makes no sense.
    """
    reader, done = sse.Reader(MOST_BYTES), False
    try:
        async for chunk in chunks:
            for event in reader.feed(chunk):
                if not done and (piece := hearing(event)) is not None:
                    done = isinstance(piece, Transcript)
                    yield piece
        last = reader.end()
        if not done and last is not None and (piece := hearing(last)) is not None:
            done = isinstance(piece, Transcript)
            yield piece
    except UpstreamError:
        # after its last word nothing can be missing
        if not done:
            raise
    except EventTooLarge as failure:
        raise UpstreamBroken(str(failure), begun=True) from None
    except Untranslatable as failure:
        raise UpstreamBroken(str(failure), begun=True) from None
    except UNREADABLE:
        raise UpstreamBroken("an event of the stream cannot be read", begun=True) from None
    if not done:
        raise UpstreamBroken("the stream ended before the transcript did", begun=True)


async def _told(
    pieces: AsyncIterator[Piece], telling: Telling, checked: Callable[[Transcript], Transcript]
) -> AsyncIterator[bytes]:
    async for piece in pieces:
        if isinstance(piece, Transcript):
            try:
                piece = checked(piece)
            except Untranslatable as failure:
                raise UpstreamBroken(str(failure), begun=True) from None
        events: list[Event] = telling(piece)
        if events:
            yield b"".join([event.encode() for event in events])


async def _last(pieces: AsyncIterator[Piece], body: Body) -> Transcript:
    """The transcript at the end of a stream that nobody asked for; lets go of *body*."""
    transcript = Transcript(text="")
    try:
        async for piece in pieces:
            if isinstance(piece, Transcript):
                transcript = piece
    finally:
        await body.aclose()
    return transcript


async def untouched(response: Response) -> Response:
    return response


Answer = Callable[[Response], Awaitable[Response]]
