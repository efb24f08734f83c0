"""ElevenLabs: the voice in the path, the form of the audio in the query."""

import base64
import re
from collections.abc import Mapping
from typing import ClassVar, Final
from urllib.parse import quote, urlencode

from sidecar.dialect import Call
from sidecar.exchange import Request
from sidecar.payload import Usage
from sidecar.translation.contract import Inexpressible
from sidecar.translation.speech import languages
from sidecar.translation.speech.ask import Audio, Leave, Manner, SpeechAsk
from sidecar.translation.speech.offers import ELEVENLABS, Offers
from sidecar.translation.speech.reading import Given, Query
from sidecar.translation.speech.wires.wire import Order, Wire, Written, audio_member, encoded

_OF_A_VOICE: Final = "tunes a voice, and another one is mapped"
_SETTINGS: Final = dict.fromkeys(
    ("stability", "similarity_boost", "style", "use_speaker_boost", "clone_strength"), _OF_A_VOICE
)
_HARMLESS: Final = {"use_pvc_as_ivc": _OF_A_VOICE}
_VALUES: Final = {
    "apply_text_normalization": (b'"auto"',),
    "apply_language_text_normalization": (b"false",),
    "pronunciation_dictionary_locators": (b"[]",),
    "previous_text": (b'""',),
    "next_text": (b'""',),
    "previous_request_ids": (b"[]",),
    "next_request_ids": (b"[]",),
    "audio_effects": (b"{}",),
}
_QUERY_VALUES: Final = {
    "enable_logging": ("true",),
    # up to 3 it is about time alone; 4 turns the normalizer off
    "optimize_streaming_latency": ("0", "1", "2", "3"),
}
_USUAL_FORMAT: Final = "mp3_44100_128"
_PATH: Final = "text-to-speech"
_MANNERS: Final = {
    _PATH: Manner.BYTES,
    f"{_PATH}.stream": Manner.BYTES,
    f"{_PATH}.with-timestamps": Manner.DOCUMENT,
    f"{_PATH}.stream.with-timestamps": Manner.LINES,
}
_TYPES: Final = {"mp3": "audio/mpeg", "ogg": "audio/ogg", "wav": "audio/wav"}
_RAW_TYPES: Final = {"mulaw": "audio/basic", "alaw": "audio/x-alaw-basic"}
#: [D] "What's the maximum amount of characters": by how the model's name begins.
_LIMITS: Final = (
    ("eleven_flash_v2_5", 40000),
    ("eleven_turbo_v2_5", 40000),
    ("eleven_flash_v2", 30000),
    ("eleven_turbo_v2", 30000),
    ("eleven_v3", 5000),
)
_USUAL_LIMIT: Final = 10000
#: The model where none is named; neither it nor its like take a language ([S] ``language_code``).
_MULTILINGUAL: Final = "eleven_multilingual"
_MOST_SEED: Final = 2**32 - 1
_BREAK: Final = re.compile(r"<(?:break|phoneme)\b[^<>]*>|</phoneme>")
#: [D] audio tags, of the models from the third version on.
_TAG: Final = re.compile(r"\[[a-z][a-z ]{1,30}\]", re.IGNORECASE)
_TAGGED_MODELS: Final = ("eleven_v3", "eleven_v4")


class ElevenLabs(Wire):
    name: ClassVar[str] = "ElevenLabs"
    endpoints: ClassVar[frozenset[str]] = frozenset(_MANNERS)
    offers: ClassVar[Offers] = ELEVENLABS
    speeds: ClassVar[tuple[float, float] | None] = (0.7, 1.2)  # [D] "Voice settings"

    def read(self, call: Call, request: Request) -> SpeechAsk:
        said, query = Given(request.body.data or b""), Query(request.query)
        named = query.text("output_format")
        audio = self._audio(named or _USUAL_FORMAT)
        settings, text, model = said.inner("voice_settings"), said.text("text") or "", said.text("model_id")
        manner = _MANNERS[call.endpoint]
        return SpeechAsk(
            text=text,
            audio=audio if named else Audio(audio.codec, audio.container, audio.rate),
            rate_matters=named is not None,
            manner=Manner.FILE if manner is Manner.BYTES and audio.container == "wav" else manner,
            model=model,
            voice=call.voice,
            language=said.text("language_code") or None,
            speed=settings.number("speed"),
            seed=said.integer("seed"),
            timestamps="characters" if call.endpoint.endswith("with-timestamps") else None,
            markup=_marked(text, model),
            extras=settings.rest(_SETTINGS) + said.rest(_HARMLESS, _VALUES) + query.rest({}, _QUERY_VALUES),
        )

    def _audio(self, name: str) -> Audio:
        found = next((offer.audio for offer in self.offers if offer.named["output_format"] == name), None)
        if found is None:
            raise Inexpressible("format", "it is none of those that its provider has")
        return found

    def write(self, ask: SpeechAsk, order: Order) -> Written:
        body = {
            "text": ask.text,
            **({} if order.model is None else {"model_id": order.model}),
            **({} if ask.language is None else {"language_code": ask.language}),
            **({} if ask.speed is None else {"voice_settings": {"speed": ask.speed}}),
            **({} if ask.seed is None else {"seed": ask.seed}),
        }
        way = "" if order.offer.whole else "/stream"
        path = f"/v1/text-to-speech/{quote(order.voice, safe='')}{way}"
        return Written(f"{path}?{urlencode(order.offer.words)}", encoded(body))

    def lacks(self, feature: str, ask: SpeechAsk, order: Order) -> str | None:
        if feature == "seed" and ask.seed is not None:
            return None if 0 <= ask.seed <= _MOST_SEED else f"it lies between 0 and {_MOST_SEED}"
        return super().lacks(feature, ask, order)

    def too_long(self, ask: SpeechAsk, order: Order) -> str | None:
        model = order.model or _MULTILINGUAL
        return self.longer(ask, next((limit for name, limit in _LIMITS if model.startswith(name)), _USUAL_LIMIT))

    def language(self, ask: SpeechAsk, order: Order, leave: Leave) -> str | None:
        """Where the model takes none, it goes by the text."""
        if ask.language is None:
            return None
        if (order.model or _MULTILINGUAL).startswith(_MULTILINGUAL):
            leave.note("language")
            return None
        return languages.primary(ask.language)

    def misread(self, text: str) -> bool:
        return _BREAK.search(text) is not None

    def unmarked(self, text: str) -> str:
        return _TAG.sub("", _BREAK.sub(" ", text))

    def content_type(self, audio: Audio) -> str:
        return _TYPES.get(audio.container) or _RAW_TYPES.get(audio.codec, "audio/pcm")

    def answer_headers(self, ask: SpeechAsk, usage: Usage) -> Mapping[str, str]:
        return {} if usage.characters is None else {"character-cost": str(usage.characters)}

    def audio_of_document(self, document: bytes) -> bytes:
        """One document, or several, each on a line of its own."""
        return b"".join([audio_member(line, "audio_base64") for line in document.strip().split(b"\n")])

    def document_of_audio(self, ask: SpeechAsk, audio: bytes) -> bytes:
        """Without times: who asks for them has allowed that."""
        said = {"audio_base64": base64.b64encode(audio).decode(), "alignment": None, "normalized_alignment": None}
        return encoded(said) + (b"\n" if ask.manner is Manner.LINES else b"")


def _marked(text: str, model: str | None) -> bool:
    tagged = (model or "").startswith(_TAGGED_MODELS)
    return _BREAK.search(text) is not None or (tagged and _TAG.search(text) is not None)
