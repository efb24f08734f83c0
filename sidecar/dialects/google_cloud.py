"""Google Cloud over HTTP/1.1: Speech-to-Text v1 and v2, and Text-to-Speech. (By gRPC, their default, neither is seen.)

Names come in camelCase and snake_case, enumerations as words and as numbers.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import msgspec
from msgspec import Raw, Struct

from sidecar.dialect import Call, Operation, Phrase
from sidecar.dialects import formats, members
from sidecar.dialects.family import Asked, Reader
from sidecar.dialects.fields import Pairs, path_value
from sidecar.dialects.google_errors import Error, GoogleFamily, phrase_status
from sidecar.failure import Kind
from sidecar.payload import Answer, Speech, Transcription, Usage

_RECOGNIZER = re.compile(r"/(v\w+)/projects/[^/]+/locations/[^/]+/recognizers/([^/:]+)(?::|%3A)recognize")
_EXACT = {
    f"/{version}/{path}": Call(operation=operation, endpoint=endpoint, route=f"/{version}/{path}")
    for versions, path, operation, endpoint in (
        (("v1", "v1p1beta1"), "speech:recognize", Operation.STT, "speech.recognize"),
        (("v1", "v1p1beta1"), "speech:longrunningrecognize", Operation.STT, "speech.longrunningrecognize"),
        (("v1", "v1beta1"), "text:synthesize", Operation.TTS, "text.synthesize"),
    )
    for version in versions
}

# In the order of their numbers in the API, from 0.
_V1_ENCODINGS = (
    *(None, "LINEAR16", "FLAC", "MULAW", "AMR", "AMR_WB", "OGG_OPUS"),
    *("SPEEX_WITH_HEADER_BYTE", "MP3", "WEBM_OPUS"),
)
_V2_ENCODINGS = (
    *(None, "LINEAR16", "MULAW", "ALAW", "AMR", "AMR_WB", "FLAC", "MP3", "OGG_OPUS"),
    *("WEBM_OPUS", "MP4_AAC", "M4A_AAC", "MOV_AAC"),
)
_TTS_ENCODINGS = (None, "LINEAR16", "MP3", "OGG_OPUS", None, "MULAW", "ALAW", "PCM", "M4A")
_UNSPECIFIED = "UNSPECIFIED"

_NO_RETRIES_OF_HOURS = {Kind.OVERLOADED: (429, "unavailable"), Kind.TIMEOUT: (500, "deadline_exceeded")}

_V1_FIELDS = frozenset(("encoding", "sampleRateHertz", "languageCode", "model", "enableWordTimeOffsets"))
_V2_FIELDS = frozenset(("autoDecodingConfig", "explicitDecodingConfig", "model"))
_INPUT_FIELDS = frozenset(("text", "ssml", "markup", "prompt"))
_VOICE_FIELDS = frozenset(("languageCode", "name", "modelName"))
_AUDIO_FIELDS = frozenset(("audioEncoding", "sampleRateHertz", "speakingRate"))

_enumeration = msgspec.json.Decoder(int | str | None).decode


def _encoding(config: members.Members, name: str, by_number: Sequence[str | None]) -> str | None:
    value = _enumeration(config.get(name, Raw(b"null")))
    if isinstance(value, int):
        return by_number[value] if 0 <= value < len(by_number) else None
    return None if value is None or value.endswith(_UNSPECIFIED) else value


def _read_recognize(asked: Asked) -> Transcription:
    request = members.camel(asked.json)
    config, audio = members.inner(request, "config"), members.inner(request, "audio")
    return Transcription(
        audio=members.audio(audio, "content"),
        audio_url=members.text(audio, "uri"),
        format=formats.of_encoding(_encoding(config, "encoding", _V1_ENCODINGS)),
        sample_rate=members.integer(config, "sampleRateHertz"),
        model=members.text(config, "model"),
        language=members.text(config, "languageCode"),
        timestamps=("word",) if members.flag(config, "enableWordTimeOffsets") else (),
        parameters=members.rest(config, _V1_FIELDS),
    )


def _read_recognize_v2(asked: Asked) -> Transcription:
    """A named recognizer has settings of its own on the server: it stands among the parameters."""
    request = members.camel(asked.json)
    config = members.inner(request, "config")
    decoding = members.inner(config, "explicitDecodingConfig")
    languages = members.texts(config, "languageCodes")
    single = len(languages) == 1 and languages[0] != "auto"
    recognizer: Pairs = (("recognizer", asked.call.model),) if asked.call.model else ()
    return Transcription(
        audio=members.audio(request, "content"),
        audio_url=members.text(request, "uri"),
        format=formats.of_encoding(_encoding(decoding, "encoding", _V2_ENCODINGS)),
        sample_rate=members.integer(decoding, "sampleRateHertz"),
        model=members.text(config, "model") or asked.call.model,
        language=languages[0] if single else None,
        timestamps=("word",) if members.flag(members.inner(config, "features"), "enableWordTimeOffsets") else (),
        parameters=recognizer + members.rest(config, _V2_FIELDS | {"languageCodes"} if single else _V2_FIELDS),
    )


def _read_synthesize(asked: Asked) -> Speech:
    """What they call LINEAR16 here has a WAV header; without one it is PCM."""
    request = members.camel(asked.json)
    said, voice = members.inner(request, "input"), members.inner(request, "voice")
    config = members.inner(request, "audioConfig")
    ssml = members.text(said, "ssml")
    encoding = _encoding(config, "audioEncoding", _TTS_ENCODINGS)
    return Speech(
        text=ssml or members.text(said, "text") or members.text(said, "markup") or _turns(said),
        ssml=ssml is not None,
        model=members.text(voice, "modelName"),
        voice=members.text(voice, "name"),
        language=members.text(voice, "languageCode"),
        format="wav" if encoding == "LINEAR16" else formats.of_encoding(encoding),
        sample_rate=members.integer(config, "sampleRateHertz"),
        speed=members.number(config, "speakingRate"),
        instructions=members.text(said, "prompt"),
        parameters=members.rest(said, _INPUT_FIELDS)
        + members.rest(voice, _VOICE_FIELDS)
        + members.rest(config, _AUDIO_FIELDS)
        + members.rest(request, ("input", "voice", "audioConfig")),
    )


class _Turn(Struct):
    text: str = ""


class _Turns(Struct):
    turns: list[_Turn] | None = None


_multi_speaker = msgspec.json.Decoder(_Turns | None).decode


def _turns(said: members.Members) -> str:
    markup = _multi_speaker(said.get("multiSpeakerMarkup", Raw(b"null")))
    return "\n".join([turn.text for turn in (markup and markup.turns) or ()])


class _Metadata(Struct):
    requestId: str | int | None = None
    totalBilledDuration: str | None = None


class _Document(Struct):
    """``name`` is that of an operation that goes on."""

    requestId: str | int | None = None
    totalBilledTime: str | None = None
    metadata: _Metadata | None = None
    name: str | None = None
    error: Error | None = None


_document = msgspec.json.Decoder(_Document).decode


@lru_cache(maxsize=256)
def _recognizer(path: str) -> Call | None:
    if (found := _RECOGNIZER.fullmatch(path)) is None:
        return None
    return Call(
        operation=Operation.STT,
        endpoint="speech.v2.recognize",
        route=f"/{found[1]}/projects/{{project}}/locations/{{location}}/recognizers/{{recognizer}}:recognize",
        model=None if found[2] == "_" else path_value(found[2]),
    )


class GoogleCloud(GoogleFamily):
    name: ClassVar[str] = "google_cloud"
    system: ClassVar[str] = "gcp.gen_ai"
    # The other way, a bearer token, lasts an hour: nothing to keep in a configuration.
    credential_header: ClassVar[str] = "x-goog-api-key"
    credential_format: ClassVar[str] = "{}"
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]] = {**GoogleFamily.refusals, **_NO_RETRIES_OF_HOURS}
    readers: ClassVar[Mapping[str, Reader]] = {
        "speech.recognize": _read_recognize,
        "speech.longrunningrecognize": _read_recognize,
        "speech.v2.recognize": _read_recognize_v2,
        "text.synthesize": _read_synthesize,
    }
    answer_members: ClassVar[tuple[str, ...]] = ("requestId", "totalBilledTime", "metadata")

    def recognise(self, method: str, path: str, query: str) -> Call | None:
        if method != "POST":
            return None
        return _EXACT.get(path) or _recognizer(path)

    def answer_of(self, call: Call, document: bytes | Raw) -> Answer:
        said = _document(document)
        metadata = said.metadata or _Metadata()
        request_id = said.requestId or metadata.requestId
        billed = said.totalBilledTime or metadata.totalBilledDuration
        return Answer(
            id=str(request_id) if request_id else said.name,
            usage=Usage(audio_seconds=float(billed.removesuffix("s"))) if billed else None,
            error_type=said.error.kind if said.error else None,
        )

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        """Never 503 or 504: Google's client for speech goes on retrying after those for 5000 seconds."""
        return phrase_status(_bearable(status), kind, message)

    def phrase_wait(self, status: int, kind: str, message: str, retry_after_seconds: float) -> Phrase:
        return phrase_status(_bearable(status), kind, message, retry_after_seconds)


def _bearable(status: int) -> int:
    return 500 if status in (503, 504) else status


DIALECT = GoogleCloud()
