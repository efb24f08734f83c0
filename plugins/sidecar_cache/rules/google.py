"""Google's JSON in one way: it takes names in two cases, enumerations as words and numbers, and bytes as base64."""

import binascii
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

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


def content(of: Any, member: str) -> None:
    """Puts a digest of what base64 stands for in its place. Everything else that may stand there stays itself."""
    if not isinstance(of, dict) or not isinstance(text := of.get(member), str):
        return
    try:
        encoded = text.encode("ascii").translate(_URL_SAFE)
        bare = encoded.rstrip(b"=")
        padded = bare + b"=" * (-len(bare) % 4)
        if encoded not in (bare, padded):
            raise ValueError("more padding than there is to fill")
        data = binascii.a2b_base64(padded, strict_mode=True)
    except ValueError:
        of[member] = f"as it is: {text}"
    else:
        of[member] = f"sha256: {hashlib.sha256(data).hexdigest()}"


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


def recognition_v2(request: Members) -> Members:
    request = camel(request)
    content(request, "content")
    return request


def synthesis(request: Members) -> Members:
    request = camel(request)
    _word(request.get("audioConfig"), "audioEncoding", _TTS_ENCODINGS)
    return request


def generation(request: Members) -> Members:
    """Gemini."""
    request = camel(request)
    turns = request.get("contents")
    for turn in turns if isinstance(turns, list) else (turns,):
        parts = turn.get("parts") if isinstance(turn, dict) else None
        for part in parts if isinstance(parts, list) else (parts,):
            if isinstance(part, dict):
                content(part.get("inlineData"), "data")
    return request
