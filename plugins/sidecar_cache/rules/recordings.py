"""Endpoints that write down what is said in recordings."""

from typing import Any, Final

from sidecar_cache.rules import google
from sidecar_cache.rules.endpoint import Endpoint, Endpoints, LeftOut, Refusal, Takes
from sidecar_cache.rules.speech import GOOGLE_QUERY

_ELSEWHERE: Final = "the answer goes elsewhere"
_NAME: Final = ("form", "name of a file", "only its extension can decide how it is decoded, and is in the key")
_NUMBERS: Final = ("form", "spelling of numbers", "0 and 0.0 are one number, however the client writes it")
_SET: Final = ("form", "order of timestamp_granularities", "a set: order and repetition mean nothing")
_GRANULARITIES: Final = frozenset(("timestamp_granularities[]", "timestamp_granularities"))


def _is_true(value: Any) -> bool:
    return str(value).strip().lower() in ("true", "1", "yes")


_TRANSCRIPTIONS: Final = Endpoint(
    takes=Takes.FORM,
    numbers=frozenset(
        (
            "temperature",
            "chunking_strategy[threshold]",
            "chunking_strategy[prefix_padding_ms]",
            "chunking_strategy[silence_duration_ms]",
        )
    ),
    sets=_GRANULARITIES,
    otherwise=(_NAME, _NUMBERS, _SET),
)
_NULL: Final = "the word null, which the SDK sends for what it was not given"
_ELEVENLABS: Final = Endpoint(
    takes=Takes.FORM,
    query=(LeftOut("enable_logging", "whether the provider keeps what it was sent; the answer is the same"),),
    fields=tuple(
        LeftOut(name, _NULL, frozenset(("null",)))
        for name in ("webhook_metadata", "entity_detection", "entity_redaction")
    ),
    refusals=(Refusal("webhook", _is_true, _ELSEWHERE),),
    numbers=frozenset(("temperature", "num_speakers", "seed", "diarization_threshold")),
    otherwise=(_NAME, _NUMBERS),
)
_LISTEN: Final = Endpoint(
    takes=Takes.JSON | Takes.BYTES,
    query=(LeftOut("mip_opt_out", "whether the provider may learn from the call; the answer is the same"),),
)

ENDPOINTS: Final[Endpoints] = {
    **{
        (dialect, f"audio.{endpoint}"): _TRANSCRIPTIONS
        for dialect in ("openai", "azure_openai", "groq")
        for endpoint in ("transcriptions", "translations")
    },
    ("mistral", "audio.transcriptions"): _TRANSCRIPTIONS,
    ("elevenlabs", "speech-to-text"): _ELEVENLABS,
    ("deepgram", "listen"): _LISTEN,
    ("deepgram", "listen.v2"): _LISTEN,
    ("cartesia", "stt"): Endpoint(takes=Takes.FORM, sets=_GRANULARITIES, otherwise=(_NAME, _SET)),
    **{
        ("assemblyai", endpoint): Endpoint(takes=Takes.FORM, documents=frozenset(("config",)), otherwise=(_NAME,))
        for endpoint in ("transcribe", "transcribe.live")
    },
    ("azure_speech", "recognize"): Endpoint(takes=Takes.BYTES),
    ("azure_speech", "transcribe"): Endpoint(
        takes=Takes.FORM, documents=frozenset(("definition",)), otherwise=(_NAME,)
    ),
    ("google_cloud", "speech.recognize"): Endpoint(
        takes=Takes.JSON,
        query=GOOGLE_QUERY,
        rewrite=google.recognition,
        rewrite_by_samples=google.recognition_by_samples,
        otherwise=(google.CASING, google.ENUMERATIONS, google.BASE64),
    ),
    ("google_cloud", "speech.v2.recognize"): Endpoint(
        takes=Takes.JSON,
        query=GOOGLE_QUERY,
        rewrite=google.recognition_v2,
        rewrite_by_samples=google.recognition_v2_by_samples,
        otherwise=(google.CASING, google.BASE64),
    ),
    ("yandex", "stt.recognize"): Endpoint(takes=Takes.BYTES, account=frozenset(("folderId",))),
}
