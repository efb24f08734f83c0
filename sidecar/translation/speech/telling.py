"""Audio told to the agent as its own provider tells it."""

import re
from collections.abc import AsyncIterator
from typing import Final

from sidecar.body import Body, StreamedBody
from sidecar.exchange import Response
from sidecar.headers import Headers
from sidecar.translation.contract import Untranslatable
from sidecar.translation.speech import riff
from sidecar.translation.speech.ask import Manner, SpeechAsk
from sidecar.translation.speech.hearing import WHOLE_BYTES, Heard
from sidecar.translation.speech.wires.wire import EVENT_STREAM, JSON, Wire

#: The most audio of one event: whole samples of any width, and whole groups of base64.
_EVENT_BYTES: Final = 12 << 10
_TELLABLE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,198}[\x21-\x7e])?")


async def told(ask: SpeechAsk, wire: Wire, heard: Heard) -> Response:
    """*heard* as the answer to *ask*, whose dialect *wire* is: at once where it flows, else once it is whole.

    Raises:
        Untranslatable: it has to be whole, and is too large or no audio.
        sidecar.errors.UpstreamError: it has to be whole, and breaks off.
    """
    try:
        if ask.manner in (Manner.FILE, Manner.DOCUMENT):
            return await _whole(ask, wire, heard)
    except BaseException:
        await heard.audio.aclose()
        raise
    if ask.manner is Manner.BYTES:
        flow, media_type = _headed(ask, heard), wire.content_type(ask.audio)
    elif ask.manner is Manner.LINES:
        flow, media_type = _lines(ask, wire, heard), JSON
    else:
        flow, media_type = _events(ask, wire, heard), EVENT_STREAM
    return _response(ask, wire, heard, media_type, StreamedBody(flow, wrapped=heard.audio))


async def _whole(ask: SpeechAsk, wire: Wire, heard: Heard) -> Response:
    pieces, size = [], 0
    async for piece in heard.audio:
        pieces.append(piece)
        size += len(piece)
        if size > WHOLE_BYTES:
            raise Untranslatable(f"the answer has more than {WHOLE_BYTES} bytes")
    await heard.audio.aclose()
    audio = b"".join((_header(ask, size), *pieces))
    if ask.manner is Manner.FILE:
        return _response(ask, wire, heard, wire.content_type(ask.audio), Body(audio))
    return _response(ask, wire, heard, JSON, Body(wire.document_of_audio(ask, audio)))


def _header(ask: SpeechAsk, size: int | None) -> bytes:
    audio = ask.audio
    return riff.header(audio.codec, audio.rate, size) if audio.container == "wav" else b""


async def _headed(ask: SpeechAsk, heard: Heard) -> AsyncIterator[bytes]:
    """The header goes out with the first of the audio: before that, nothing has been said."""
    header = _header(ask, None)
    async for piece in heard.audio:
        yield header + piece
        header = b""


async def _events(ask: SpeechAsk, wire: Wire, heard: Heard) -> AsyncIterator[bytes]:
    async for piece in _pieces(ask, heard):
        yield wire.events_of_audio(ask, piece)
    yield wire.last_events(ask, heard.usage)


async def _lines(ask: SpeechAsk, wire: Wire, heard: Heard) -> AsyncIterator[bytes]:
    async for piece in _pieces(ask, heard):
        yield wire.document_of_audio(ask, piece)


async def _pieces(ask: SpeechAsk, heard: Heard) -> AsyncIterator[bytes]:
    """Of a size for events; samples come whole, since clients take each event for itself."""
    async for piece in _headed(ask, heard):
        for at in range(0, len(piece), _EVENT_BYTES):
            yield piece[at : at + _EVENT_BYTES]


def _response(ask: SpeechAsk, wire: Wire, heard: Heard, media_type: str, body: Body) -> Response:
    headers = {"Content-Type": media_type, **wire.answer_headers(ask, heard.usage)}
    tellable = {name: value for name, value in headers.items() if _TELLABLE.fullmatch(value)}
    if body.data is not None:
        tellable["Content-Length"] = str(len(body.data))
    return Response(
        status=200,
        headers=Headers((name.encode(), value.encode()) for name, value in tellable.items()),
        body=body,
        answered_by=heard.answered_by,
        chunked=body.data is None,
    )
