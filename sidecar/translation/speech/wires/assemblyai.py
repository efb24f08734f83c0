"""AssemblyAI's speech: JSON in, audio out, and what it is in headers."""

from collections.abc import Mapping
from typing import ClassVar, Final

from sidecar.dialect import Call
from sidecar.exchange import Request
from sidecar.payload import Usage
from sidecar.translation.contract import Inexpressible
from sidecar.translation.speech import languages
from sidecar.translation.speech.ask import Audio, Leave, Manner, SpeechAsk
from sidecar.translation.speech.offers import ASSEMBLYAI, Offers
from sidecar.translation.speech.reading import Given
from sidecar.translation.speech.wires.wire import Order, Wire, Written, encoded

_VALUES: Final = {
    "speed": (b"1", b"1.0"),
    "word_boundaries": (b"false",),
    "extend_biometric_consent": (b"false",),
}
_ENCODINGS: Final = {"pcm_s16le": "pcm_s16le", "pcm_mulaw": "mulaw", "pcm_alaw": "alaw", "mp3": "mp3"}
_ALIASES: Final = {"mulaw": "pcm_mulaw", "alaw": "pcm_alaw"}
_USUAL_RATE: Final = 24000
#: [S] six, by their English names.
_LANGUAGES: Final = {
    "en": "english",
    "es": "spanish",
    "de": "german",
    "fr": "french",
    "it": "italian",
    "pt": "portuguese",
}
_TAGS: Final = {name: tag for tag, name in _LANGUAGES.items()}
_TYPES: Final = {"mp3": "audio/mpeg", "wav": "audio/wav"}
_RAW_TYPES: Final = {"pcm_s16le": "audio/pcm", "mulaw": "audio/basic", "alaw": "audio/x-alaw-basic"}


class AssemblyAI(Wire):
    name: ClassVar[str] = "AssemblyAI"
    endpoints: ClassVar[frozenset[str]] = frozenset(("speech",))
    offers: ClassVar[Offers] = ASSEMBLYAI
    longest: ClassVar[int | None] = 5000  # [D]

    def read(self, call: Call, request: Request) -> SpeechAsk:
        said = Given(request.body.data or b"")
        audio, rate_named = self._format(said)
        language = said.text("language")
        if language is not None and (language := _TAGS.get(language.lower())) is None:
            raise Inexpressible("language", "it is none of those that its provider has")
        return SpeechAsk(
            text=said.text("text") or "",
            audio=audio,
            rate_matters=rate_named or audio.container == "raw",
            manner=Manner.BYTES if said.flag("stream") else Manner.FILE,
            model=said.text("model_id"),
            voice=said.text("voice_id"),
            language=language,
            extras=said.rest({}, _VALUES),
        )

    def _format(self, said: Given) -> tuple[Audio, bool]:
        encoding = said.text("encoding") or "pcm_s16le"
        container, rate, bits = said.text("container"), said.integer("sample_rate"), said.integer("bit_rate")
        words: dict[str, str | int] = {
            "encoding": _ALIASES.get(encoding, encoding),
            **({} if encoding == "mp3" and container is None else {"container": container or "raw"}),
            "sample_rate": rate or _USUAL_RATE,
        }
        for offer in self.offers:
            named = offer.named
            usual = {name: value for name, value in named.items() if name != "bit_rate"}
            if usual == words and bits in (None, named.get("bit_rate")):
                audio = offer.audio
                return (audio if bits else Audio(audio.codec, audio.container, audio.rate)), rate is not None
        raise Inexpressible("format", "it is none of those that its provider has")

    def write(self, ask: SpeechAsk, order: Order) -> Written:
        body = {
            "text": ask.text,
            "voice_id": order.voice,
            **({} if order.model is None else {"model_id": order.model}),
            **({} if ask.language is None else {"language": ask.language}),
            **order.offer.named,
            "stream": ask.manner not in (Manner.FILE, Manner.DOCUMENT),
        }
        return Written("/v1/speech", encoded(body))

    def language(self, ask: SpeechAsk, order: Order, leave: Leave) -> str | None:
        if ask.language is None:
            return None
        name = _LANGUAGES.get(languages.primary(ask.language))
        if name is None:
            leave.without("language", f"{self.name} does not speak it")
        return name

    def content_type(self, audio: Audio) -> str:
        if audio.container != "raw":
            return _TYPES[audio.container]
        return f"{_RAW_TYPES[audio.codec]};rate={audio.rate};channels=1"

    def answer_headers(self, ask: SpeechAsk, usage: Usage) -> Mapping[str, str]:
        """What its SDK tells of the audio, so that it need not be looked into."""
        audio = ask.audio
        names = {codec: name for name, codec in _ENCODINGS.items()}
        characters = len(ask.text) if usage.characters is None else usage.characters
        return {
            **({} if ask.model is None else {"X-TTS-Model": ask.model}),
            **({} if ask.voice is None else {"X-TTS-Voice-Id": ask.voice}),
            **({} if ask.language is None else {"X-TTS-Language": _LANGUAGES[languages.primary(ask.language)]}),
            "X-TTS-Encoding": names[audio.codec],
            "X-TTS-Sample-Rate": str(audio.rate),
            **({} if audio.codec == "mp3" else {"X-TTS-Container": audio.container}),
            "X-TTS-Billed-Characters": str(characters),
        }
