"""An answer of one provider, given in the dialect of another: a stream as it flows, anything else once it is whole."""

import zlib
from collections.abc import AsyncIterator, Iterable
from typing import Final

from sidecar.body import Body, StreamedBody
from sidecar.codings import unpacked
from sidecar.dialects.documents import UNREADABLE
from sidecar.errors import BodyTooLarge, UpstreamBroken, UpstreamError
from sidecar.exchange import Response
from sidecar.headers import Headers
from sidecar.translation.chat.events import Event, Failed, gathered
from sidecar.translation.chat.wire import EVENT_BYTES, Agent, StreamReader, Wire, Writer
from sidecar.translation.contract import Untranslatable

#: Of an answer that comes whole, unpacked.
WHOLE_BYTES: Final = 64 << 20
_ZLIB_OR_GZIP: Final = zlib.MAX_WBITS | 32


async def given(response: Response, spoken: Wire, own: Wire, agent: Agent, said: Iterable[Event] = ()) -> Response:
    """*response*, which is *spoken* in one wire, in the *own* one of *agent*.

    Args:
        said: what the agent has been told already, of which this is the rest.

    Raises:
        Untranslatable: it is an error, or no answer.
        UpstreamError: the provider broke off.
    """
    writer = own.writer(agent)
    for event in said:
        writer.write(event)
    coding = (response.headers.get("content-encoding") or "").strip().lower()
    if agent.stream and _is_event_stream(response.headers):
        try:
            unpacking = _Unpacking(coding)
        except Untranslatable:
            await response.body.aclose()
            raise
        flowing = _flowing(response.body, unpacking, spoken.reader(), writer)
        body: Body = StreamedBody(flowing, wrapped=response.body)
    else:
        events = await _whole(response.body, coding, spoken)
        body = Body(_streamed(events, writer) if agent.stream else writer.whole(gathered(events)))
    return Response(
        status=200,
        headers=_headers(writer, agent),
        body=body,
        answered_by=response.answered_by,
        chunked=agent.stream,
    )


async def _whole(body: Body, coding: str, spoken: Wire) -> list[Event]:
    try:
        data = unpacked(coding, await body.read(WHOLE_BYTES), WHOLE_BYTES)
    except BodyTooLarge:
        raise Untranslatable(f"the answer is larger than {WHOLE_BYTES} bytes") from None
    if data is None:
        raise Untranslatable("the answer's content coding cannot be undone")
    try:
        events = spoken.read_whole(data)
    except UNREADABLE:
        raise Untranslatable("the answer cannot be read") from None
    if any(isinstance(event, Failed) for event in events):
        raise Untranslatable("the provider gave up in the middle of its answer")
    return events


def _streamed(events: Iterable[Event], writer: Writer) -> bytes:
    """A whole answer for an agent that waits for pieces."""
    return b"".join([writer.write(event) for event in events]) + writer.end()


async def _flowing(body: Body, unpacking: "_Unpacking", reader: StreamReader, writer: Writer) -> AsyncIterator[bytes]:
    """
    Raises:
        UpstreamBroken: the stream is none, or ends before the answer does.
    """
    ended = False
    try:
        async for chunk in body:
            out = b"".join([writer.write(event) for event in reader.feed(unpacking.feed(chunk))])
            if reader.closed and reader.complete and not ended:
                out, ended = out + writer.end(), True
            if out:
                yield out
            if reader.broken is not None:
                raise reader.broken
            if reader.failed:
                return
    except UpstreamError:
        if not ended:  # what comes after an answer that has said it is over does not matter
            raise
    if not ended:
        out = b"".join([writer.write(event) for event in reader.end()])
        if reader.broken is not None:
            if out:
                yield out
            raise reader.broken
        yield out if reader.failed else out + writer.end()


class _Unpacking:
    """A content coding undone as it comes.

    Raises:
        Untranslatable: it is one that cannot be undone.
    """

    def __init__(self, coding: str) -> None:
        if coding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise Untranslatable("the answer's content coding cannot be undone")
        self._undoing = None if coding in ("", "identity") else zlib.decompressobj(_ZLIB_OR_GZIP)

    def feed(self, chunk: bytes) -> bytes:
        """
        Raises:
            UpstreamBroken: it is not coded as it says.
        """
        if self._undoing is None:
            return chunk
        try:
            plain = self._undoing.decompress(chunk, EVENT_BYTES)
        except zlib.error:
            raise UpstreamBroken("the answer is not coded as it says", begun=True) from None
        if self._undoing.unconsumed_tail:
            raise UpstreamBroken(f"a piece of the answer unpacks to more than {EVENT_BYTES} bytes", begun=True)
        return plain


def _is_event_stream(headers: Headers) -> bool:
    return (headers.get("content-type") or "").lower().startswith("text/event-stream")


def _headers(writer: Writer, agent: Agent) -> Headers:
    """What a provider says of its limits, and how it calls its requests, means nothing to another's SDK."""
    if agent.stream:
        return Headers.of(content_type=writer.stream_type, cache_control="no-cache")
    return Headers.of(content_type=writer.whole_type)
