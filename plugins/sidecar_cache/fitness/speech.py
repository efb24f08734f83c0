"""Answers that speak: whether what came is sound, all of it, and of a length that fits the text."""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from sidecar import Speech
from sidecar_cache.audio import HEADERLESS, Sound, headerless_sound, sound_of
from sidecar_cache.fitness.documents import Document, Unfit, events_of, objects_of
from sidecar_cache.fitness.endings import ended
from sidecar_cache.fitness.lengths import plausible_seconds

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


def check_speech(asked: Speech | None, family: str, endpoint: str, content_type: str, data: bytes) -> float | None:
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
        audio = _audio_in(events_of(data))
    elif media_type.endswith("json"):
        audio = _audio_in(objects_of(data))
    elif media_type.startswith("audio/") or media_type in _BYTES_TYPES or media_type in ("video/mp4", "video/webm"):
        audio = data
    else:
        raise Unfit(f"content type {media_type}")
    if not audio:
        raise Unfit("there is no audio in it")
    sound = _sound(asked, family, content_type, audio)
    if sound.flaw:
        raise Unfit(f"broken {sound.container or 'audio'}: {sound.flaw}")
    if asked is not None and sound.seconds is not None:
        _check_length(asked, sound.seconds)
    return sound.seconds


def check_samples(content_type: str, data: bytes) -> None:
    """The same for audio that a language model gives among other things."""
    sound = _sound(None, "", content_type, data)
    if sound.flaw or not data:
        raise Unfit(f"broken {sound.container or 'audio'}: {sound.flaw or 'it is empty'}")


def _check_length(asked: Speech, seconds: float) -> None:
    low, high = plausible_seconds(asked.text, ssml=asked.ssml, speed=asked.speed, instructions=asked.instructions)
    if not low <= seconds <= high:
        raise Unfit(f"it plays for {seconds:.2f} s where its text takes {low:.2f} to {high:.2f} s")


def _sound(asked: Speech | None, family: str, content_type: str, audio: bytes) -> Sound:
    wanted = (asked.format if asked else None) or ""
    samples = wanted if wanted in HEADERLESS else ""
    if samples == "pcm" and family == "mistral":
        samples = "pcm_f32le"
    found = Sound() if samples else sound_of(audio)
    if found.container:
        return found
    if _TEXT.match(audio[:_BEGINNING_BYTES]):
        return Sound("", "it is text")
    samples = samples or _HEADERLESS_TYPES.get(content_type.partition(";")[0].strip(), "")
    if samples:
        return headerless_sound(audio, samples, _rate(asked, family, content_type), _channels(content_type))
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


def _audio_in(documents: Iterable[Document]) -> bytes:
    pieces = []
    for document in documents:
        chunk = (document.get("result") or {}).get("audioChunk") if isinstance(document.get("result"), dict) else None
        if isinstance(chunk, dict):
            document = chunk
        elif document.get("error"):
            raise Unfit("an error inside a 200")
        said = next((document[name] for name in _MEMBERS if name in document), None)
        if isinstance(said, str):
            pieces.append(from_base64(said))
    return b"".join(pieces)


def from_base64(text: str) -> bytes:
    try:
        return msgspec.convert(text, bytes)
    except msgspec.MsgspecError:
        raise Unfit("the audio in it is not valid base64") from None
