"""Endpoints that speak."""

from typing import Final

from sidecar_cache.rules import google
from sidecar_cache.rules.endpoint import Endpoint, Endpoints, Groups, LeftOut, Refusal, Takes, told

_BUILT: Final = "the speech goes on from others that the provider keeps"
_ELSEWHERE: Final = "the answer goes elsewhere"
_DRAWN: Final = "how the answer is drawn; its values are the same"
_LOGGING: Final = "whether the provider keeps what it was sent; the answer is the same"

#: Google's, in queries.
GOOGLE_QUERY: Final = (
    LeftOut("prettyPrint", _DRAWN),
    LeftOut(
        "$alt",
        "whether enumerations in the answer are words or numbers: clients take either",
        frozenset(("json", "json;enum-encoding=int")),
    ),
)

_PLAIN: Final = Endpoint(takes=Takes.JSON)
#: Their SDKs accept one and the same kind of answer whatever kind of audio they ask for, and get that.
_ACCEPTING: Final = Endpoint(
    takes=Takes.JSON,
    ignores_accept=True,
    otherwise=(
        ("header", "accept", "the request says what kind of audio is wanted; the SDK accepts the same for all"),
    ),
)
_ELEVENLABS: Final = Endpoint(
    takes=Takes.JSON,
    query=(LeftOut("enable_logging", _LOGGING),),
    refusals=(
        Refusal("previous_request_ids", told, _BUILT),
        Refusal("next_request_ids", told, _BUILT),
    ),
)
_SPOKEN: Final = ("", ".stream", ".with-timestamps", ".stream.with-timestamps")


def _defaults(groups: Groups) -> None:
    """What Yandex says that it takes where nothing is said."""
    groups.setdefault("lang", [b"ru-RU"])
    form = groups.setdefault("format", [b"oggopus"])
    if form == [b"lpcm"]:
        groups.setdefault("sampleRateHertz", [b"48000"])


ENDPOINTS: Final[Endpoints] = {
    **{(dialect, "audio.speech"): _ACCEPTING for dialect in ("openai", "azure_openai", "groq")},
    ("mistral", "audio.speech"): _PLAIN,
    **{
        ("elevenlabs", f"{kind}{how}"): _ELEVENLABS
        for kind in ("text-to-speech", "text-to-dialogue")
        for how in _SPOKEN
    },
    **{
        ("deepgram", endpoint): Endpoint(takes=Takes.JSON, query=(LeftOut("mip_opt_out", _LOGGING),))
        for endpoint in ("speak", "speak.v2")
    },
    ("cartesia", "tts.bytes"): _ACCEPTING,
    ("cartesia", "tts.sse"): _PLAIN,
    ("assemblyai", "speech"): _PLAIN,
    ("azure_speech", "synthesize"): Endpoint(takes=Takes.BYTES, bytes_are="text"),
    ("google_cloud", "text.synthesize"): Endpoint(
        takes=Takes.JSON,
        query=GOOGLE_QUERY,
        rewrite=google.synthesis,
        otherwise=(google.CASING, google.ENUMERATIONS),
    ),
    ("yandex", "tts.synthesize"): Endpoint(
        takes=Takes.FORM,
        account=frozenset(("folderId",)),
        numbers=frozenset(("speed", "sampleRateHertz")),
        fill=_defaults,
        otherwise=(
            ("form", "lang=ru-RU", "the default, said or not"),
            ("form", "format=oggopus", "the default, said or not"),
            ("form", "sampleRateHertz=48000", "the default of format=lpcm, said or not"),
            ("form", "spelling of speed and sampleRateHertz", "numbers, however they are written"),
        ),
    ),
    ("yandex", "tts.v3.utteranceSynthesis"): _PLAIN,
}
