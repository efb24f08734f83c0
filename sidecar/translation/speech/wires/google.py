"""Google Cloud's Text-to-Speech over REST: text or SSML in JSON, audio in JSON once it is whole."""

import base64
import re
from typing import ClassVar, Final

import msgspec
from msgspec import Raw

from sidecar.dialect import Call
from sidecar.exchange import Request
from sidecar.translation.contract import Inexpressible
from sidecar.translation.speech import languages, ssml
from sidecar.translation.speech.ask import Audio, Leave, Manner, SpeechAsk
from sidecar.translation.speech.offers import GOOGLE, Offer, Offers
from sidecar.translation.speech.reading import Given, Harmless, Query
from sidecar.translation.speech.wires.wire import JSON, Order, Wire, Written, audio_member, encoded

_NONE: Final[Harmless] = {}
_OF_VOICE: Final = {
    "ssmlGender": "chooses a voice, and another one is mapped",
    "customVoice": "chooses a voice, and another one is mapped",
    "voiceClone": "chooses a voice, and another one is mapped",
}
_OF_QUERY: Final = {
    "$alt": "how enumerations in the answer are written, of which there are none",
    "alt": "the same as $alt",
    "prettyPrint": "white space in the answer",
}
_VALUES: Final = {
    "customPronunciations": (b"{}",),
    "effectsProfileId": (b"[]",),
    "advancedVoiceOptions": (b"{}",),
    "enableTimePointing": (b"[]",),
}
#: In the order of their numbers in the API.
_ENCODINGS: Final = ("", "LINEAR16", "MP3", "OGG_OPUS", "", "MULAW", "ALAW", "PCM")
_USUAL_RATE: Final = 24000
_LIMIT_BYTES: Final = 5000  # [D] "Quotas and limits"
#: [D] marks in ``markup``.
_PAUSE: Final = re.compile(r"\[pause(?: short| long)?\]")
_encoding = msgspec.json.Decoder(int | str).decode


class Google(Wire):
    name: ClassVar[str] = "Google"
    endpoints: ClassVar[frozenset[str]] = frozenset(("text.synthesize",))
    offers: ClassVar[Offers] = GOOGLE
    speeds: ClassVar[tuple[float, float] | None] = (0.25, 2.0)  # [S]
    elements: ClassVar[ssml.Elements | None] = ssml.FULL
    streams: ClassVar[bool] = False

    def read(self, call: Call, request: Request) -> SpeechAsk:
        said = Given(request.body.data or b"", camel=True)
        given, voice, config = said.inner("input"), said.inner("voice"), said.inner("audioConfig")
        text, is_ssml, marked = _text(given)
        offer, rate_named = self._format(config)
        query = Query(request.query)
        timepoints = said.raw("enableTimePointing") if "enableTimePointing" in said else None
        return SpeechAsk(
            text=text,
            ssml=is_ssml,
            markup=marked,
            audio=offer.audio,
            rate_matters=rate_named or offer.audio.container == "raw",
            manner=Manner.DOCUMENT,
            model=voice.text("modelName"),
            voice=voice.text("name"),
            language=voice.text("languageCode") or None,
            speed=config.number("speakingRate") or None,
            pitch=config.number("pitch") or None,
            volume=config.number("volumeGainDb") or None,
            instructions=given.text("prompt") or None,
            timestamps=None if timepoints in (None, Raw(b"[]")) else "marks",
            extras=given.rest(_NONE, _VALUES)
            + voice.rest(_OF_VOICE)
            + config.rest(_NONE, _VALUES)
            + said.rest(_NONE, _VALUES)
            + query.rest(_OF_QUERY),
        )

    def _format(self, config: Given) -> tuple[Offer, bool]:
        raw, rate = config.raw("audioEncoding"), config.integer("sampleRateHertz")
        try:
            name = "" if raw is None else _encoding(raw)
            name = _ENCODINGS[name] if isinstance(name, int) and 0 <= name < len(_ENCODINGS) else name
        except msgspec.MsgspecError:
            name = ""
        words = {"audioEncoding": name, "sampleRateHertz": rate or _USUAL_RATE}
        found = next((offer for offer in self.offers if offer.named == words), None)
        if found is None:
            raise Inexpressible("format", "it is none that others have too")
        # what is not named is not asked for: the usual bit rate comes with the encoding
        return Offer(msgspec.structs.replace(found.audio, bit_rate=None), found.words), bool(rate)

    def write(self, ask: SpeechAsk, order: Order) -> Written:
        body = {
            "input": {
                **({"ssml": f"<speak>{ask.text}</speak>"} if ask.ssml else {"text": ask.text}),
                **({} if ask.instructions is None else {"prompt": ask.instructions}),
            },
            "voice": {
                "languageCode": ask.language,
                "name": order.voice,
                **({} if order.model is None else {"modelName": order.model}),
            },
            "audioConfig": {
                **order.offer.named,
                **({} if ask.speed is None else {"speakingRate": ask.speed}),
                **({} if ask.pitch is None else {"pitch": ask.pitch}),
                **({} if ask.volume is None else {"volumeGainDb": ask.volume}),
            },
        }
        return Written("/v1/text:synthesize", encoded(body))

    def lacks(self, feature: str, ask: SpeechAsk, order: Order) -> str | None:
        """[S] a prompt is for models that are prompted; the ranges of pitch and volume."""
        if feature == "instructions":
            return None if (order.model or "").startswith("gemini") else "only models called gemini take a prompt"
        if feature == "pitch" and ask.pitch is not None:
            return None if abs(ask.pitch) <= 20 else "it lies between -20 and 20 semitones"
        if feature == "volume" and ask.volume is not None:
            return None if -96 <= ask.volume <= 16 else "it lies between -96 and 16 dB"
        return super().lacks(feature, ask, order)

    def too_long(self, ask: SpeechAsk, order: Order) -> str | None:
        size = len(ask.text.encode()) + (len("<speak></speak>") if ask.ssml else 0)
        return None if size <= _LIMIT_BYTES else f"{self.name} takes {_LIMIT_BYTES} bytes, and there are {size}"

    def language(self, ask: SpeechAsk, order: Order, leave: Leave) -> str | None:
        known = languages.with_region(ask.language, order.voice)
        if known is None:
            raise Inexpressible("language", f"{self.name} wants one with its region, and none is known")
        return known

    def unmarked(self, text: str) -> str:
        return _PAUSE.sub("", text)

    def content_type(self, audio: Audio) -> str:
        return JSON

    def audio_of_document(self, document: bytes) -> bytes:
        return audio_member(document, "audioContent", "audio_content")

    def document_of_audio(self, ask: SpeechAsk, audio: bytes) -> bytes:
        return encoded({"audioContent": base64.b64encode(audio).decode()})


def _text(given: Given) -> tuple[str, bool, bool]:
    """What is to be spoken, whether that is SSML, and whether marks are in it that nobody else knows."""
    document = given.text("ssml")
    if document is None:
        if (text := given.text("text")) is not None:
            return text, False, False
        markup = given.text("markup") or ""
        return markup, False, _PAUSE.search(markup) is not None
    return *ssml.content(document), False
