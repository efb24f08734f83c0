"""What one dialect can say of another, found out by asking for it."""

import time
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from sidecar import dialects
from sidecar.body import Body
from sidecar.exchange import Exchange, Request
from sidecar.headers import Headers
from sidecar.notes import Notes
from sidecar.provider import Origin, Provider
from sidecar.translation.contract import Inexpressible, Target
from sidecar.translation.speech import asked, translate
from sidecar.translation.speech.ask import Leave, Manner, SpeechAsk
from sidecar.translation.speech.offers import Offer
from sidecar.translation.speech.wires import WIRES
from sidecar.translation.speech.wires.wire import JSON, Order, Written

_YES: Final = "yes"
_TEXT: Final = "We are open until four."
_MARKED: Final = 'We are open <break time="300ms"/> until four.'
#: A voice of each, as they are called there; they speak English.
_VOICES: Final = {
    "assemblyai": "aai-jane",
    "azure_openai": "alloy",
    "azure_speech": "en-US-JennyNeural",
    "cartesia": "694f9389-aac1-45b6-b726-9d9369183238",
    "deepgram": "aura-2-thalia-en",
    "elevenlabs": "JBFqnCBsd6RMkjVDRZzb",
    "google_cloud": "en-US-Wavenet-A",
    "groq": "autumn",
    "mistral": "en_paul_neutral",
    "openai": "alloy",
    "yandex": "john",
}
#: A model of each that must have one, or can do more with one.
_MODELS: Final = {
    "azure_openai": "gpt-4o-mini-tts",
    "cartesia": "sonic-3",
    "elevenlabs": "eleven_flash_v2_5",
    "groq": "playai-tts",
    "mistral": "voxtral-mini-tts-3-0",
    "openai": "gpt-4o-mini-tts",
}
_SPEEDS: Final = (0.5, 0.8, 1.2, 1.5, 2.0)
_LENGTHS: Final = (1000, 3000, 4500, 9000)
_OTHER_BIT_RATE: Final = "bit_rate:"


def expressible(source: str, target: str) -> dict[str, str]:
    """See `sidecar.translation.speech.expressible`."""
    if source not in WIRES or target not in WIRES:
        return {}
    plain = SpeechAsk(
        dialect=source,
        text=_TEXT,
        audio=WIRES[source].offers[0].audio,
        voice=_VOICES[source],
        model=_MODELS.get(source),
        language="en-US",
    )
    answers = {offer: _said(source, replace(plain, audio=offer.audio), offer, target) for offer in WIRES[source].offers}
    shared = next((offer for offer, answer in answers.items() if answer == _YES), WIRES[source].offers[0])
    found = {"text": answers[shared]} | _formats(answers)
    for feature, ask, attribute in _features(replace(plain, audio=shared.audio)):
        if (exchange := _exchange(source, ask, shared)) is not None and _is_asked(exchange, ask, attribute):
            found[feature] = _translated(exchange, target)
    if found["text"] == _YES:
        found["streaming"] = _YES if WIRES[target].streams else "it comes once it is whole"
    return found


def _formats(answers: dict[Offer, str]) -> dict[str, str]:
    """By kind, at which rates it can be had; and of kinds at various bit rates, whether these can be chosen."""
    rates: dict[str, dict[int, str]] = {}
    bit_rates: dict[str, str] = {}
    for offer, answer in answers.items():
        kind, at = str(offer.audio).partition(" at ")[0], offer.audio.rate
        known = rates.setdefault(kind, {})
        if known.get(at) != _YES:
            known[at] = _YES if answer.startswith(_OTHER_BIT_RATE) else answer
        if offer.audio.bit_rate is not None and (answer == _YES or answer.startswith(_OTHER_BIT_RATE)):
            bit_rates[kind] = answer if bit_rates.get(kind, _YES) == _YES else bit_rates[kind]
    found = {}
    for kind, known in rates.items():
        there = sorted(rate for rate, answer in known.items() if answer == _YES)
        missing = [answer for answer in known.values() if answer != _YES]
        if there and missing:
            found[kind] = f"at {', '.join(map(str, there))} Hz alone"
        else:
            found[kind] = missing[0] if missing else _YES
        if kind in bit_rates:
            found[f"bit rate of {kind}"] = bit_rates[kind]
    return found


def _features(plain: SpeechAsk) -> Iterator[tuple[str, SpeechAsk, str]]:
    """Features, requests that ask for each, and what of the request it stands in."""
    source = plain.dialect
    for speed in _SPEEDS:
        yield f"speed {speed:g}", replace(plain, speed=speed), "speed"
    yield "ssml", replace(plain, text=_MARKED, ssml=True), "ssml"
    yield "language", plain, "language"
    yield "instructions", replace(plain, instructions="Warm and calm.", model=_prompted(source)), "instructions"
    yield "emotion", replace(plain, emotion="friendly" if source in ("azure_speech", "yandex") else "happy"), "emotion"
    yield "pitch", replace(plain, pitch=2.0), "pitch"
    yield "volume", replace(plain, volume=3.0), "volume"
    yield "seed", replace(plain, seed=7), "seed"
    yield "events", replace(plain, manner=Manner.EVENTS), "manner"
    for length in _LENGTHS:
        yield f"{length} characters", replace(plain, text=("Open. " * length)[: length - 1] + "."), "text"
    yield "timestamps", replace(plain, timestamps="characters"), "timestamps"


def _prompted(source: str) -> str | None:
    return "gemini-2.5-flash-tts" if source == "google_cloud" else _MODELS.get(source)


def _exchange(source: str, ask: SpeechAsk, offer: Offer) -> Exchange | None:
    """An agent's call that asks for *ask*; None where *source* has no way to."""
    wire, order = WIRES[source], Order(ask.model, ask.voice or "", offer)
    try:
        written = _timed(source, wire.write(replace(ask, language=wire.language(ask, order, Leave())), order), ask)
    except Inexpressible:
        return None
    dialect = dialects.load(source)
    headers = Headers((name.encode(), value.encode()) for name, value in (("Content-Type", JSON), *written.headers))
    request = Request(method="POST", target=written.target, headers=headers, body=Body(written.body))
    provider = Provider(name=source, origin=Origin("https", f"{source}.example", 443), dialect=dialect)
    return Exchange(
        id="0" * 32,
        request=request,
        provider=provider,
        candidates=(provider,),
        notes=Notes(time.monotonic()),
        call=dialect.recognise("POST", request.path, request.query),
    )


def _timed(source: str, written: Written, ask: SpeechAsk) -> Written:
    """As nobody asks a target for times, this one way of asking stands here."""
    if ask.timestamps is None or source != "elevenlabs":
        return written
    path, _, query = written.target.partition("?")
    return Written(f"{path}/with-timestamps?{query}", written.body, written.headers)


def _is_asked(exchange: Exchange, ask: SpeechAsk, attribute: str) -> bool:
    """Whether the request says of *attribute* what it was to say."""
    try:
        found = getattr(asked(exchange), attribute)
    except Inexpressible:
        return False
    return found is not None if attribute == "language" else bool(found == getattr(ask, attribute))


def _said(source: str, ask: SpeechAsk, offer: Offer, target: str) -> str:
    exchange = _exchange(source, ask, offer)
    return "it cannot be asked for" if exchange is None else _translated(exchange, target)


def _translated(exchange: Exchange, target: str) -> str:
    try:
        translate(exchange, Target(dialect=dialects.load(target), model=_MODELS.get(target), voice=_VOICES[target]))
    except Inexpressible as error:
        return str(error)
    return _YES
