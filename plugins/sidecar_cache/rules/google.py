"""Google's JSON in one way: it takes names in two cases, enumerations as words and numbers, and bytes as base64."""

import binascii
import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from sidecar_cache.rules import samples
from sidecar_cache.rules.endpoint import Members
from sidecar_cache.rules.unsuitable import Unsuitable

#: Members whose values are messages of Google's own. All others may be a map with names of the caller's, where
#: ``user_name`` and ``userName`` are two things (the properties of a schema, the arguments of a function).
_MESSAGES: Final = frozenset(
    (
        *("adaptation", "advancedVoiceOptions", "audio", "audioConfig", "autoDecodingConfig", "config"),
        *("customClasses", "customPronunciations", "customVoice", "denoiserConfig", "diarizationConfig"),
        *("explicitDecodingConfig", "features", "input", "items", "multiSpeakerMarkup", "phraseSets", "phrases"),
        *("pronunciations", "speechContexts", "transcriptNormalization", "translationConfig", "turns", "voice"),
        *("voiceClone", "contents", "fileData", "functionCall", "functionCallingConfig", "functionDeclarations"),
        *("functionResponse", "generationConfig", "inlineData", "multiSpeakerVoiceConfig", "parts"),
        *("prebuiltVoiceConfig", "safetySettings", "speakerVoiceConfigs", "speechConfig", "systemInstruction"),
        *("thinkingConfig", "toolConfig", "tools", "voiceConfig"),
    )
)
#: In the order of their numbers in the API.
_STT_ENCODINGS: Final = (
    *("ENCODING_UNSPECIFIED", "LINEAR16", "FLAC", "MULAW", "AMR", "AMR_WB", "OGG_OPUS"),
    *("SPEEX_WITH_HEADER_BYTE", "MP3", "WEBM_OPUS"),
)
_TTS_ENCODINGS: Final = (
    *("AUDIO_ENCODING_UNSPECIFIED", "LINEAR16", "MP3", "OGG_OPUS", None, "MULAW", "ALAW", "PCM", "M4A"),
)
_BASE64: Final = "base64 in one spelling: its bytes are in the key"
_CASING: Final = "Google takes names in both cases: they are in the key in one"
_NUMBERS: Final = "Google takes enumerations as words and as numbers: they are in the key as words"

#: What is left out of the key by these rewritings, for the table.
CASING: Final = ("body", "case of names (snake_case)", _CASING)
ENUMERATIONS: Final = ("body", "numbers of encodings", _NUMBERS)
BASE64: Final = ("body", "spelling of base64", _BASE64)


def camel(members: Members) -> Members:
    """The names of a message in camelCase, and those of the messages in it.

    Raises:
        Unsuitable: a name is there in both cases.
    """
    found = {_camel(name): value for name, value in members.items()}
    if len(found) < len(members):
        raise Unsuitable("the request names a member twice, in two cases")
    for name, value in found.items():
        if name in _MESSAGES:
            if isinstance(value, dict):
                found[name] = camel(value)
            elif isinstance(value, list):
                found[name] = [camel(each) if isinstance(each, dict) else each for each in value]
    return found


@lru_cache(maxsize=1024)
def _camel(name: str) -> str:
    first, *others = name.split("_")
    # a name with an odd underscore is none of theirs
    return first + "".join([word[:1].upper() + word[1:] for word in others]) if first and all(others) else name


def content(of: Any, member: str) -> bytes | None:
    """Puts a digest of what base64 stands for in its place, and gives that. Everything else that may stand there stays
    itself, and is None.
    """
    if not isinstance(of, dict) or not isinstance(text := of.get(member), str):
        return None
    try:
        encoded = text.encode("ascii").translate(_URL_SAFE)
        bare = encoded.rstrip(b"=")
        padded = bare + b"=" * (-len(bare) % 4)
        if encoded not in (bare, padded):
            raise ValueError("more padding than there is to fill")
        data = binascii.a2b_base64(padded, strict_mode=True)
    except ValueError:
        of[member] = f"as it is: {text}"
        return None
    of[member] = f"sha256: {hashlib.sha256(data).hexdigest()}"
    return data


_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")


def _word(of: Any, member: str, words: Sequence[str | None]) -> None:
    if isinstance(of, dict) and type(at := of.get(member)) is int and 0 <= at < len(words) and words[at]:
        of[member] = words[at]


def recognition(request: Members) -> Members:
    """The first version of Speech-to-Text."""
    request = camel(request)
    _word(request.get("config"), "encoding", _STT_ENCODINGS)
    content(request.get("audio"), "content")
    return request


def recognition_by_samples(request: Members) -> Members:
    """The same, WAV and FLAC known by their samples, and by nothing that only says again what stands in them.

    Google reads encoding and rate off the head of such a file, and refuses a call that says otherwise
    (cloud.google.com/speech-to-text/docs/reference/rest/v1/RecognitionConfig).
    """
    request = camel(request)
    config, audio = request.get("config"), request.get("audio")
    _word(config, "encoding", _STT_ENCODINGS)
    data = content(audio, "content")
    found = None if data is None else samples.read(data)
    if data is None or found is None or not _is_heard(found):
        return request
    if not (isinstance(config, dict) and isinstance(audio, dict)):
        return request
    encoding, rate = config.get("encoding"), config.get("sampleRateHertz")
    if encoding in (None, _STT_ENCODINGS[0], _CONTAINERS[data[:4]]) and rate in (None, 0, found.rate):
        audio["content"] = _digest(found)
        config.pop("encoding", None)
        config.pop("sampleRateHertz", None)
    return request


def recognition_v2(request: Members) -> Members:
    request = camel(request)
    content(request, "content")
    return request


def recognition_v2_by_samples(request: Members) -> Members:
    """The same, WAV and FLAC known by their samples where the head of a file is heeded at all."""
    request = camel(request)
    config, data = request.get("config"), content(request, "content")
    heeded = isinstance(config, dict) and "autoDecodingConfig" in config and "explicitDecodingConfig" not in config
    found = samples.read(data) if data is not None and heeded else None
    if found is not None and _is_heard(found):
        request["content"] = _digest(found)
    return request


#: What Google calls what is in them, by how files begin.
_CONTAINERS: Final = {b"RIFF": "LINEAR16", b"fLaC": "FLAC"}
#: By how files begin, the media types that say so.
_MEDIA_TYPES: Final = {
    b"RIFF": frozenset(("audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave")),
    b"fLaC": frozenset(("audio/flac", "audio/x-flac")),
}


def _is_heard(found: samples.Samples) -> bool:
    """Whether Google understands such samples in either container."""
    return (found.width, found.kind) == (16, samples.PCM)


def _digest(found: samples.Samples) -> str:
    digest = hashlib.sha256(found.head + b"\0")
    digest.update(found.data)
    return f"samples: {digest.hexdigest()}"


def synthesis(request: Members) -> Members:
    request = camel(request)
    _word(request.get("audioConfig"), "audioEncoding", _TTS_ENCODINGS)
    return request


def generation(request: Members) -> Members:
    """Gemini."""
    request = camel(request)
    for blob in _blobs(request):
        content(blob, "data")
    return request


def generation_by_samples(request: Members) -> Members:
    """The same, WAV and FLAC known by their samples where their media type says that they are such."""
    request = camel(request)
    for blob in _blobs(request):
        data = content(blob, "data")
        named = blob.get("mimeType") if isinstance(blob, dict) else None
        if data is None or not isinstance(named, str) or named.lower() not in _MEDIA_TYPES.get(data[:4], ()):
            continue
        if (found := samples.read(data)) is not None:
            blob |= {"data": _digest(found), "mimeType": "samples"}
    return request


def _blobs(request: Members) -> Iterator[Any]:
    """What the turns of *request* have in base64, or stands in its place."""
    turns = request.get("contents")
    for turn in turns if isinstance(turns, list) else (turns,):
        parts = turn.get("parts") if isinstance(turn, dict) else None
        for part in parts if isinstance(parts, list) else (parts,):
            if isinstance(part, dict):
                yield part.get("inlineData")
