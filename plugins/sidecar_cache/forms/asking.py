"""Which form of an answer a request asks for, and a kept answer in that form."""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sidecar import Chat, Exchange, Headers, Speech, Transcription
from sidecar.codings import unpacked
from sidecar_cache.entry import Entry
from sidecar_cache.forms import chat, gemini, messages, responses, spoken
from sidecar_cache.forms.pieces import UNREADABLE, Unconvertible, documents
from sidecar_cache.forms.renewal import Stamps, stamps_of
from sidecar_cache.rules.headers import Accepted, coding_named

WHOLE, EVENTS, LIST, AUDIO = "whole", "events", "list", "audio"

_KINDS: Final = {
    "agents.completions": "chat",
    "audio.speech": "speech",
    "audio.transcriptions": "transcription",
    "chat.completions": "chat",
    "generateContent": "gemini",
    "messages": "messages",
    "responses": "responses",
    "streamGenerateContent": "gemini",
}
#: Those whose clients tell answers or tool calls apart by identifiers in them.
_IDENTIFIED: Final = frozenset(("chat", "gemini", "messages", "responses"))
_AUDIO_TYPES: Final = {
    "aac": b"audio/aac",
    "flac": b"audio/flac",
    "mp3": b"audio/mpeg",
    "opus": b"audio/opus",
    "pcm": b"audio/pcm",
    "wav": b"audio/wav",
}


class Wanted(Struct, frozen=True, gc=False):
    """The form that a request asks for."""

    kind: str
    form: str
    """whole, events, list (Gemini's streams without ``alt=sse``), audio."""
    family: str
    """The dialect's name."""
    usage: bool = False
    """Whether a stream is to say what was used."""
    audio_type: bytes = b"application/octet-stream"


class _StreamOptions(Struct):
    include_usage: bool | None = None


class _Options(Struct):
    stream_options: _StreamOptions | None = None


_options = msgspec.json.Decoder(_Options).decode


def wanted_of(exchange: Exchange) -> Wanted | None:
    """The form that *exchange* asks for; None where the endpoint knows only one, or the request cannot be read."""
    call, dialect, payload = exchange.call, exchange.provider.dialect, exchange.payload
    kind = None if call is None else _KINDS.get(call.endpoint)
    if kind is None or call is None or dialect is None or payload is None:
        return None
    if isinstance(payload, Speech):
        form = EVENTS if payload.stream else WHOLE if dialect.name == "mistral" else AUDIO
        media_type = _AUDIO_TYPES.get(payload.format or "", Wanted.__struct_defaults__[-1])
        return Wanted(kind, form, dialect.name, audio_type=media_type)
    if isinstance(payload, Transcription):
        # the oldest model knows no streams, and answers as if none had been asked for
        streams = payload.stream and not (payload.model or "").startswith("whisper")
        return Wanted(kind, EVENTS if streams else WHOLE, dialect.name)
    if kind == "gemini":
        sse = "alt=sse" in exchange.request.query.split("&")
        return Wanted(kind, (EVENTS if sse else LIST) if call.stream else WHOLE, dialect.name)
    if not payload.stream:
        return Wanted(kind, WHOLE, dialect.name)
    return Wanted(kind, EVENTS, dialect.name, usage=kind == "chat" and _asks_usage(exchange, payload))


def _asks_usage(exchange: Exchange, payload: Chat) -> bool:
    data = exchange.request.body.data or b""
    if b"include_usage" not in data:
        return False
    try:
        options = _options(data).stream_options
    except UNREADABLE:
        return False
    return bool(options and options.include_usage)


def given_as(entry: Entry, wanted: Wanted) -> Entry:
    """*entry* in the form *wanted*: itself if it has that, else a new one, which may be remembered.

    Raises:
        Unconvertible: it cannot be given so; the message says why.
    """
    present = form_of(entry, wanted.kind)
    try:
        if present == wanted.form:
            return _with_usage_as(entry, wanted) if wanted.kind == "chat" and present == EVENTS else entry
        data = _convert(_plain_data(entry), present, wanted)
    except UNREADABLE:
        raise Unconvertible("what is kept cannot be read") from None
    return _rewritten(entry, data, _content_type(wanted), chunked=wanted.form != WHOLE, streamed=wanted.form != WHOLE)


def plainly(entry: Entry) -> Entry:
    """*entry* without content coding, which every agent takes: only so can identifiers in it be renewed."""
    headers = Headers.from_block(entry.block)
    if headers.get_bytes(b"content-encoding") is None:
        return entry
    content_type = headers.get_bytes(b"content-type") or b""
    data = _plain_data(entry)
    return _rewritten(entry, data, content_type, chunked=entry.chunked, streamed=entry.about.streamed)


def is_accepted(entry: Entry, accepted: Accepted) -> bool:
    """Whether an agent understands *entry* in the content coding that it has."""
    coding = Headers.from_block(entry.block).get("content-encoding")
    return coding is None or coding_named(coding) in accepted.known


def stamps_in(entry: Entry, endpoint: str) -> Stamps:
    """What is to be renewed in *entry* each time it is given; none if it is coded (see `plainly`)."""
    kind = _KINDS.get(endpoint, "")
    if kind not in _IDENTIFIED or Headers.from_block(entry.block).get_bytes(b"content-encoding") is not None:
        return Stamps()
    present = form_of(entry, kind)
    try:
        if present == LIST:
            return stamps_of(gemini.of_list(entry.data))
        return stamps_of(documents(entry.data) if present == EVENTS else (entry.data,))
    except UNREADABLE:
        return Stamps()


def form_of(entry: Entry, kind: str) -> str:
    """The form that *entry* has."""
    content_type = (Headers.from_block(entry.block).get_bytes(b"content-type") or b"").lower()
    if content_type.startswith(b"text/event-stream"):
        return EVENTS
    if content_type.partition(b";")[0].rstrip().endswith(b"json"):
        return LIST if kind == "gemini" and entry.data[:16].lstrip()[:1] == b"[" else WHOLE
    return AUDIO if kind == "speech" else ""


def _with_usage_as(entry: Entry, wanted: Wanted) -> Entry:
    """Mistral says it unasked, and always in the same place."""
    if wanted.family == "mistral":
        return entry
    data = _plain_data(entry)
    told = chat.tells_usage(data)
    if told == wanted.usage:
        return entry
    if wanted.usage:
        raise Unconvertible("the stream does not say what was used")
    return _rewritten(entry, chat.without_usage(data), _content_type(wanted), chunked=True, streamed=True)


def _plain_data(entry: Entry) -> bytes:
    coding = Headers.from_block(entry.block).get("content-encoding")
    data = entry.data if coding is None else unpacked(coding, entry.data)
    if data is None:
        raise Unconvertible(f"it is coded as {coding}")
    return data


def _rewritten(entry: Entry, data: bytes, content_type: bytes, *, chunked: bool, streamed: bool) -> Entry:
    others = Headers.from_block(entry.block).without("content-type", "content-encoding").block
    about = replace(entry.about, streamed=streamed)
    block = b"Content-Type: %b\r\n%b" % (content_type, others)
    return replace(entry, block=block, data=data, chunked=chunked, cuts=b"", gaps=b"", about=about)


def _content_type(wanted: Wanted) -> bytes:
    if wanted.form == EVENTS:
        return b"text/event-stream" if wanted.kind == "gemini" else b"text/event-stream; charset=utf-8"
    if wanted.form == AUDIO:
        return wanted.audio_type
    return b"application/json; charset=UTF-8" if wanted.kind == "gemini" else b"application/json"


def _convert(data: bytes, present: str, wanted: Wanted) -> bytes:
    if wanted.kind == "gemini":
        return _gemini(data, present, wanted.form)
    if wanted.kind == "chat" and (present, wanted.form) == (WHOLE, EVENTS):
        return chat.events(data, wanted.family, usage=wanted.usage)
    if wanted.kind == "speech":
        return _speech(data, present, wanted)
    if wanted.kind == "transcription" and (present, wanted.form) == (WHOLE, EVENTS):
        return spoken.transcript_events(data, wanted.family)
    converter = _CONVERTERS.get((wanted.kind, present, wanted.form))
    if converter is None:
        raise Unconvertible(
            f"a {wanted.kind} answer that is {present or 'of another kind'} has no form of {wanted.form}"
        )
    return converter(data)


_CONVERTERS: Final[dict[tuple[str, str, str], Callable[[bytes], bytes]]] = {
    ("chat", EVENTS, WHOLE): chat.whole,
    ("responses", EVENTS, WHOLE): responses.whole,
    ("responses", WHOLE, EVENTS): responses.events,
    ("messages", EVENTS, WHOLE): messages.whole,
    ("messages", WHOLE, EVENTS): messages.events,
    ("transcription", EVENTS, WHOLE): spoken.transcript,
}


def _gemini(data: bytes, present: str, form: str) -> bytes:
    chunks = gemini.of_events(data) if present == EVENTS else gemini.of_list(data) if present == LIST else [data]
    if form == WHOLE:
        return gemini.of_chunks(chunks)
    return gemini.events(chunks) if form == EVENTS else gemini.listed(chunks)


def _speech(data: bytes, present: str, wanted: Wanted) -> bytes:
    audio = {EVENTS: spoken.audio_of_events, WHOLE: spoken.json_audio}.get(present, bytes)(data)
    if wanted.form == EVENTS:
        return spoken.events_of_audio(audio, wanted.family)
    return spoken.audio_json(audio) if wanted.form == WHOLE else audio
