"""Azure Speech over REST: SSML in the body, the form of the audio in a header."""

import re
from typing import ClassVar, Final
from urllib.parse import urlencode

from sidecar.dialect import Call
from sidecar.exchange import Request
from sidecar.translation.contract import Inexpressible
from sidecar.translation.speech import languages, ssml
from sidecar.translation.speech.ask import Audio, Leave, Manner, SpeechAsk
from sidecar.translation.speech.offers import AZURE, Offers
from sidecar.translation.speech.reading import Query
from sidecar.translation.speech.wires.wire import Order, Wire, Written

_OUTPUT: Final = "X-Microsoft-OutputFormat"
_TYPES: Final = {
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "webm": "audio/webm; codec=opus",
    "wav": "audio/wav",
    "raw": "audio/basic",
}
_SPEAK: Final = '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis"{} xml:lang={}>'
_STYLES_ARE_KNOWN: Final = ' xmlns:mstts="https://www.w3.org/2001/mstts"'
_EXPRESS: Final = "mstts:express-as"
#: [D] "style" of mstts:express-as. One that a voice lacks is passed over in silence.
_STYLE_NAMES = """
    advertisement_upbeat affectionate angry assistant calm chat cheerful customerservice depressed disgruntled
    documentary-narration embarrassed empathetic envious excited fearful friendly gentle hopeful lyrical
    narration-professional narration-relaxed newscast newscast-casual newscast-formal poetry-reading sad serious
    shouting sports_commentary sports_commentary_excited terrified unfriendly whispering
"""
_STYLES: Final = frozenset(_STYLE_NAMES.split())
#: [D] "rate" is a multiplier, or a change in percent with or without a sign; "pitch" a change in semitones.
_MULTIPLIER: Final = re.compile(r"\d{1,2}(\.\d{1,4})?")
_CHANGE: Final = re.compile(r"([+-]?\d{1,3}(?:\.\d{1,4})?)%")
_SEMITONES: Final = re.compile(r"([+-]\d{1,2}(?:\.\d{1,4})?)st")
#: Audio is cut off after ten minutes without a word ([D] "Azure TTS REST"); nobody speaks slower than this.
_MOST_SECONDS: Final = 600
_CHARACTERS_PER_SECOND: Final = 12
#: From here on, the scripts of which one character takes as long as three letters.
_IDEOGRAPHS: Final = "\u2e80"


class Azure(Wire):
    name: ClassVar[str] = "Azure Speech"
    endpoints: ClassVar[frozenset[str]] = frozenset(("synthesize",))
    offers: ClassVar[Offers] = AZURE
    speeds: ClassVar[tuple[float, float] | None] = (0.5, 2.0)  # [D] "rate"
    elements: ClassVar[ssml.Elements | None] = ssml.FULL

    def read(self, call: Call, request: Request) -> SpeechAsk:
        try:
            markup = ssml.parsed((request.body.data or b"").decode())
        except UnicodeDecodeError:
            raise Inexpressible("ssml", "it is not well-formed") from None
        root = markup.root
        voice = markup.only_child(root, "voice")
        if root.name != "speak" or voice is None:
            raise Inexpressible("voice", "not one voice alone speaks")
        within, emotion = _style(markup, voice)
        within, speed, pitch = _prosody(markup, within)
        plain = ssml.is_plain(markup, within)
        audio, query = self._format(request), Query(request.query)
        return SpeechAsk(
            text=markup.text if plain else markup.inside(within),
            ssml=not plain,
            audio=audio,
            manner=Manner.FILE if audio.container == "wav" else Manner.BYTES,
            model=query.text("deploymentId"),
            voice=voice.attributes.get("name"),
            language=voice.attributes.get("xml:lang") or root.attributes.get("xml:lang"),
            speed=speed,
            pitch=pitch,
            emotion=emotion,
            extras=query.rest({}),
        )

    def _format(self, request: Request) -> Audio:
        name = (request.headers.get(_OUTPUT) or "").lower()
        found = next((offer for offer in self.offers if offer.named[_OUTPUT] == name), None)
        if found is None:
            raise Inexpressible("format", "it is none that others have too")
        return found.audio

    def write(self, ask: SpeechAsk, order: Order) -> Written:
        language, name = ssml.quoted(ask.language or ""), ssml.quoted(order.voice)
        inner = ask.text if ask.ssml else ssml.escaped(ask.text)
        prosody = [
            *([] if ask.speed is None else [f'rate="{(ask.speed - 1) * 100:+.2f}%"']),
            *([] if ask.pitch is None else [f'pitch="{ask.pitch:+.2f}st"']),
        ]
        if prosody:
            inner = f"<prosody {' '.join(prosody)}>{inner}</prosody>"
        if ask.emotion is not None:
            inner = f"<{_EXPRESS} style={ssml.quoted(ask.emotion)}>{inner}</{_EXPRESS}>"
        head = _SPEAK.format("" if ask.emotion is None else _STYLES_ARE_KNOWN, language)
        query = "" if order.model is None else f"?{urlencode({'deploymentId': order.model})}"
        return Written(
            f"/cognitiveservices/v1{query}",
            f"{head}<voice name={name}>{inner}</voice></speak>".encode(),
            (("Content-Type", "application/ssml+xml"), *((key, str(value)) for key, value in order.offer.words)),
        )

    def lacks(self, feature: str, ask: SpeechAsk, order: Order) -> str | None:
        if feature == "pitch" and ask.pitch is not None:
            return None if -12 <= ask.pitch <= 7 else "it lies between half and one and a half of the voice's own"
        if feature == "emotion":
            return None if ask.emotion in _STYLES else "it is none of the styles there"
        return super().lacks(feature, ask, order)

    def too_long(self, ask: SpeechAsk, order: Order) -> str | None:
        letters = len(ask.text) + 2 * sum(character >= _IDEOGRAPHS for character in ask.text)
        if letters / _CHARACTERS_PER_SECOND <= _MOST_SECONDS * (ask.speed or 1.0):
            return None
        return f"{self.name} speaks for {_MOST_SECONDS} seconds at most, and this may take longer"

    def language(self, ask: SpeechAsk, order: Order, leave: Leave) -> str | None:
        known = languages.with_region(ask.language, order.voice)
        if known is None:
            raise Inexpressible("language", f"{self.name} wants one with its region, and none is known")
        return known

    def content_type(self, audio: Audio) -> str:
        return _TYPES[audio.container]


def _style(markup: ssml.Markup, within: ssml.Element) -> tuple[ssml.Element, str | None]:
    """What is inside a style that is meant for all of it, and that style."""
    express = markup.only_child(within, _EXPRESS)
    if express is None or set(express.attributes) != {"style"}:
        return within, None
    return express, express.attributes["style"]


def _prosody(markup: ssml.Markup, within: ssml.Element) -> tuple[ssml.Element, float | None, float | None]:
    """What is inside a pace and a pitch that are meant for all of it, and these as factor and in semitones."""
    prosody = markup.only_child(within, "prosody")
    if prosody is None or not prosody.attributes.keys() <= {"rate", "pitch"}:
        return within, None, None
    rate, pitch = prosody.attributes.get("rate"), prosody.attributes.get("pitch")
    speed = None if rate is None else _factor(rate)
    semitones = None if pitch is None else _SEMITONES.fullmatch(pitch)
    if (rate is not None and speed is None) or (pitch is not None and semitones is None):
        return within, None, None
    return prosody, speed, None if semitones is None else float(semitones[1])


def _factor(rate: str) -> float | None:
    if _MULTIPLIER.fullmatch(rate):
        return float(rate)
    found = _CHANGE.fullmatch(rate)
    return None if found is None else round(1 + float(found[1]) / 100, 4)
