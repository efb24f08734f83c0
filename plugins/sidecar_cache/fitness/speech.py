"""Answers that speak: whether what came is sound, all of it, and of a length that fits the text."""

import re
from typing import Final

import msgspec

from sidecar import Speech
from sidecar_cache.audio import HEADERLESS, Sound, headerless_sound, sound_of
from sidecar_cache.fitness.documents import (
    LARGE_BYTES,
    Document,
    Unfit,
    each_event,
    event_of,
    objects_of,
)
from sidecar_cache.fitness.endings import ended
from sidecar_cache.fitness.lengths import plausible_seconds
from sidecar_cache.slices import Slices

#: Where JSON answers have their audio: Google's, Mistral's, ElevenLabs', and in events OpenAI's and Cartesia's.
_MEMBERS: Final = ("audioContent", "audio_data", "audio_base64", "audio", "data", "delta")
#: What headerless samples are, by media type.
_HEADERLESS_TYPES: Final = {
    "audio/alaw": "alaw",
    "audio/basic": "mulaw",
    "audio/l16": "pcm",
    "audio/mulaw": "mulaw",
    "audio/pcm": "pcm",
    "audio/pcma": "alaw",
    "audio/pcmu": "mulaw",
    "audio/raw": "pcm",
    "audio/x-alaw-basic": "alaw",
    "audio/x-mulaw": "mulaw",
    "audio/x-pcm": "pcm",
}
#: Kinds of files of which something can be told.
_FILES: Final = frozenset(("aac", "flac", "m4a", "mp3", "ogg", "opus", "wav", "webm"))
_RATE: Final = re.compile(r"rate=\"?(\d+)")
_CHANNELS: Final = re.compile(r"channels=\"?(\d+)")
_BYTES_TYPES: Final = frozenset(("", "application/octet-stream", "binary/octet-stream"))
_TEXT: Final = re.compile(rb"[\t\n\r\x20-\x7e]{32,}|\s*[<{\[]")
_BEGINNING_BYTES: Final = 256
_MISTRAL_RATE: Final = 24000
#: To find out how long it takes to be spoken is a slice of its own.
_LONG_TEXT: Final = 500


def check_speech(
    asked: Speech | None, family: str, endpoint: str, content_type: str, data: bytes
) -> Slices[float | None]:
    """How long it plays, in seconds, if that is known.

    Args:
        content_type: of the answer, in lower case, with its parameters.

    Raises:
        Unfit: it is not to be kept.
    """
    media_type = content_type.partition(";")[0].strip()
    if media_type == "text/event-stream":
        if not ended(endpoint, data):
            raise Unfit("the event stream has no proper end")
        said = _Said()
        yield from each_event(data, lambda event: said.take(event_of(event)))
        audio = said.audio
    elif media_type.endswith("json"):
        audio = yield from _audio_in(data)
    elif media_type.startswith("audio/") or media_type in _BYTES_TYPES or media_type in ("video/mp4", "video/webm"):
        audio = data
    else:
        raise Unfit(f"content type {media_type}")
    if not audio:
        raise Unfit("there is no audio in it")
    sound = yield from _sound(asked, family, content_type, audio)
    if sound.flaw:
        raise Unfit(f"broken {sound.container or 'audio'}: {sound.flaw}")
    if asked is not None and sound.seconds is not None:
        if len(asked.text) > _LONG_TEXT:
            yield
        _check_length(asked, sound.seconds)
    return sound.seconds


def check_samples(content_type: str, data: bytes) -> Slices[None]:
    """The same for audio that a language model gives among other things."""
    sound = yield from _sound(None, "", content_type, data)
    if sound.flaw or not data:
        raise Unfit(f"broken {sound.container or 'audio'}: {sound.flaw or 'it is empty'}")


def _check_length(asked: Speech, seconds: float) -> None:
    low, high = plausible_seconds(asked.text, ssml=asked.ssml, speed=asked.speed, instructions=asked.instructions)
    if not low <= seconds <= high:
        raise Unfit(f"it plays for {seconds:.2f} s where its text takes {low:.2f} to {high:.2f} s")


def _sound(asked: Speech | None, family: str, content_type: str, audio: bytes) -> Slices[Sound]:
    wanted = (asked.format if asked else None) or ""
    samples = wanted if wanted in HEADERLESS else ""
    if samples == "pcm" and family == "mistral":
        samples = "pcm_f32le"
    found = Sound() if samples else (yield from sound_of(audio))
    if found.container:
        return found
    if _TEXT.match(audio[:_BEGINNING_BYTES]):
        return Sound("", "it is text")
    samples = samples or _HEADERLESS_TYPES.get(content_type.partition(";")[0].strip(), "")
    if samples:
        rate, channels = _rate(asked, family, content_type), _channels(content_type)
        return (yield from headerless_sound(audio, samples, rate, channels))
    declared = wanted or content_type.partition(";")[0].rpartition("/")[2]
    if wanted in _FILES:
        return Sound(wanted, "it does not begin as such a file")
    return Sound(declared)


def _rate(asked: Speech | None, family: str, content_type: str) -> int | None:
    if (told := _RATE.search(content_type)) is not None:
        return int(told[1])
    rate = asked.sample_rate if asked else None
    return _MISTRAL_RATE if rate is None and family == "mistral" else rate


def _channels(content_type: str) -> int:
    told = _CHANNELS.search(content_type)
    return int(told[1]) if told else 1


class _Said:
    """The audio that JSON documents have, one after another."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    @property
    def audio(self) -> bytes:
        return b"".join(self._pieces)

    def take(self, document: Document) -> None:
        result = document.get("result")
        chunk = result.get("audioChunk") if isinstance(result, dict) else None
        if isinstance(chunk, dict):
            document = chunk
        elif document.get("error"):
            raise Unfit("an error inside a 200")
        said = next((document[name] for name in _MEMBERS if name in document), None)
        if isinstance(said, str):
            self._pieces.append(from_base64(said))


def _audio_in(text: bytes) -> Slices[bytes]:
    said = _Said()
    for document in objects_of(text):
        if len(text) > LARGE_BYTES:
            yield
        said.take(document)
    return said.audio


def from_base64(text: str) -> bytes:
    try:
        return msgspec.convert(text, bytes)
    except msgspec.MsgspecError:
        raise Unfit("the audio in it is not valid base64") from None
