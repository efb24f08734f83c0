"""A provider's answer made into audio of the form that was asked for: while it flows, or once it is whole."""

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from sidecar import codings, sse
from sidecar.body import Body, StreamedBody
from sidecar.dialect import Call, Dialect
from sidecar.dialects import formats
from sidecar.errors import BodyTooLarge, UpstreamBroken
from sidecar.exchange import Response
from sidecar.headers import Headers
from sidecar.payload import Usage
from sidecar.translation.contract import Untranslatable
from sidecar.translation.speech.ask import Audio
from sidecar.translation.speech.rewrapping import Rewrapping
from sidecar.translation.speech.wires.wire import JSON, Wire

#: The most that an answer may have which must be whole before anything can be made of it.
WHOLE_BYTES: Final = 64 << 20
#: The most that one event may have.
_EVENT_BYTES: Final = 16 << 20
#: Slices in which a whole answer is worked on, so that nothing else waits long.
_SLICE_BYTES: Final = 1 << 16
_AUDIO_TYPES: Final = ("audio/", "video/mp4", "video/webm", "application/octet-stream", "binary/octet-stream")
#: Codecs and containers, in the words of `formats`, that cannot be samples.
_BLOCKS: Final = frozenset(("aac", "flac", "m4a", "mp3", "ogg", "opus", "webm"))
_NOTHING: Final = Usage()


class Heard:
    """What a provider says: ``audio`` in the codec that was wanted, samples without a WAV header.

    Reading it raises `sidecar.errors.UpstreamBroken` where the answer ends early or turns out to be none; closing it
    closes the answer.
    """

    def __init__(self, audio: Body, usage: Usage = _NOTHING, answered_by: str = "") -> None:
        self.audio = audio
        self.usage = usage
        """Known at the end of the audio."""
        self.answered_by = answered_by


class Hearing:
    """How one answer is to be heard.

    Args:
        wire, dialect, call: of the provider that was asked.
        given: the form in which it gives its audio.
        wanted: the one in which it is wanted.
    """

    def __init__(self, wire: Wire, dialect: Dialect, call: Call, given: Audio, wanted: Audio) -> None:
        self._wire = wire
        self._dialect = dialect
        self._call = call
        self._given = given
        self._wanted = wanted

    async def hear(self, response: Response) -> Heard:
        """
        Args:
            response: of status 2xx.

        Raises:
            Untranslatable: there is no audio in it.
            sidecar.errors.UpstreamError: it was to be whole first, and broke off.
        """
        headers, body = response.headers, response.body
        usage = self._dialect.read_answer(self._call, headers, b"").usage or _NOTHING
        heard = Heard(body, usage, response.answered_by)
        try:
            if body.length == 0:
                raise Untranslatable("the answer is empty")
            body = await self._decoded(headers, body)
            media_type = (headers.get("content-type") or "").partition(";")[0].strip().lower()
            if media_type == "text/event-stream":
                audio = self._of_events(body, heard)
            elif media_type.endswith("json"):
                document = await _whole(body)
                audio = _sliced(self._wire.audio_of_document(document))
            elif not media_type or media_type.startswith(_AUDIO_TYPES):
                self._check(media_type)
                audio = aiter(body)
            else:
                raise Untranslatable(f"{self._wire.name} answered with {_shown(media_type)}")
        except BaseException:
            await response.body.aclose()
            raise
        heard.audio = StreamedBody(self._rewrapped(audio), wrapped=response.body)
        return heard

    def _check(self, media_type: str) -> None:
        """Samples without a header do not show what they are: servers that pay no heed to formats say it at best."""
        said = formats.of_media_type(media_type)
        if said in _BLOCKS and self._given.sample_bytes is not None:
            raise Untranslatable(f"the answer is {said} where {self._given.codec} was asked for")

    async def _decoded(self, headers: Headers, body: Body) -> Body:
        """None was asked for; where one came all the same, it is undone."""
        coding = (headers.get("content-encoding") or "identity").strip().lower()
        if coding == "identity":
            return body
        plain = codings.unpacked(coding, await _whole(body), WHOLE_BYTES)
        if plain is None:
            raise UpstreamBroken("its content coding cannot be undone", begun=True)
        return Body(plain)

    async def _of_events(self, body: Body, heard: Heard) -> AsyncIterator[bytes]:
        reader, done = sse.Reader(_EVENT_BYTES), False
        async for chunk in body:
            for event in reader.feed(chunk):
                piece = self._wire.audio_of_event(event)
                if piece.audio:
                    yield piece.audio
                if piece.done:
                    done = True
                    heard.usage = self._dialect.read_answer(self._call, _IN_JSON, event.data).usage or heard.usage
        if not done:
            raise UpstreamBroken("the event stream ends without its last event", begun=True)

    async def _rewrapped(self, audio: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        rewrapping = Rewrapping(self._given, self._wanted)
        try:
            while (chunk := await anext(audio, None)) is not None:  # it is an iterator already
                if piece := rewrapping.feed(chunk):
                    yield piece
            if piece := rewrapping.finish():
                yield piece
        except (Untranslatable, sse.EventTooLarge) as error:
            raise UpstreamBroken(f"the answer is not the audio that was asked for: {error}", begun=True) from None
        finally:
            if close := getattr(audio, "aclose", None):
                await close()


_IN_JSON: Final = Headers.of(content_type=JSON)


async def _whole(body: Body) -> bytes:
    try:
        return await body.read(WHOLE_BYTES)
    except BodyTooLarge:
        raise Untranslatable(f"the answer has more than {WHOLE_BYTES} bytes") from None


async def _sliced(audio: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(audio), _SLICE_BYTES):
        yield audio[at : at + _SLICE_BYTES]
        await asyncio.sleep(0)


def _shown(media_type: str) -> str:
    tellable = len(media_type) <= 60 and media_type.isascii() and media_type.isprintable()
    return media_type if tellable else "something else"
