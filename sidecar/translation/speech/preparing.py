"""A neutral request made into one that a target can say: checked, and what may be left out left out. No I/O."""

from typing import Final

from msgspec.structs import replace

from sidecar.translation.contract import Inexpressible, Target
from sidecar.translation.speech import languages, ssml
from sidecar.translation.speech.ask import FEATURES, Leave, SpeechAsk
from sidecar.translation.speech.choosing import offer_for
from sidecar.translation.speech.wires import WIRES
from sidecar.translation.speech.wires.wire import Order, Wire

#: Dialects that speak with the same voices and models.
_FAMILY: Final = frozenset(("openai", "azure_openai"))
_NORMAL: Final = 1.0
#: How everybody speaks who is told nothing.
_CALM: Final = "neutral"


def related(one: str, other: str) -> bool:
    """Whether what one dialect says is said in the other with hardly a change."""
    return one == other or {one, other} <= _FAMILY


def wire_of(dialect: str) -> Wire:
    """
    Raises:
        Inexpressible: nobody speaks in that dialect.
    """
    wire = WIRES.get(dialect)
    if wire is None:
        raise Inexpressible("call", f"there is no speech in {dialect} that could be asked for")
    return wire


def prepared(ask: SpeechAsk, target: Target, leave: Leave) -> tuple[SpeechAsk, Order]:
    """What of *ask* is said to *target*, and what is asked of it besides.

    Raises:
        Inexpressible: something cannot be said, and may not be left out.
    """
    wire = wire_of(target.dialect.name)
    if not ask.text.strip():
        raise Inexpressible("text", "there is none")
    order = Order(_model(ask, target, wire), _voice(ask, target), offer_for(ask, wire.offers, leave, wire.name))
    for extra in ask.extras:
        if extra.harmless is None:
            leave.without(extra.name, "only its own provider knows what it means")
        else:
            leave.note(extra.name)
    if ask.timestamps is not None:
        leave.without("timestamps", f"{wire.name} does not tell times of {ask.timestamps}")
    ask = _text(ask, wire, leave)
    ask = _language(ask, order, wire, leave)
    ask = _features(ask, order, wire, leave)
    ask = _speed(ask, order, wire, leave)
    if (reason := wire.too_long(ask, order)) is not None:
        raise Inexpressible("length", reason)
    return ask, order


def _voice(ask: SpeechAsk, target: Target) -> str:
    name = target.dialect.name
    voice = target.voice or (ask.voice if related(ask.dialect, name) else None)
    if voice is None and name == "deepgram":
        voice = target.model
    if voice is None:
        raise Inexpressible("voice", f"no voice is mapped for {name}")
    return voice


def _model(ask: SpeechAsk, target: Target, wire: Wire) -> str | None:
    model = target.model or (ask.model if related(ask.dialect, target.dialect.name) else None)
    if model is None and wire.needs_model:
        raise Inexpressible("model", f"no model is mapped for {target.dialect.name}")
    return model


def _text(ask: SpeechAsk, wire: Wire, leave: Leave) -> SpeechAsk:
    if ask.markup:
        leave.without("markup", "there are marks in the text that only its own provider understands")
        ask = replace(ask, text=wire_of(ask.dialect).unmarked(ask.text), markup=False)
    if ask.ssml:
        markup = ssml.fragment(ask.text)
        plain = f"{wire.name} takes plain text"
        reason = plain if wire.elements is None else ssml.refused(markup, wire.elements)
        if reason is None:
            return ask
        leave.without("ssml", reason)
        ask = replace(ask, text=markup.text, ssml=False)
    if wire.misread(ask.text):
        leave.without("markup", f"{wire.name} would take something in the text for a mark")
    return ask


def _language(ask: SpeechAsk, order: Order, wire: Wire, leave: Leave) -> SpeechAsk:
    spoken = languages.of_voice(order.voice)
    if languages.differ(ask.language, spoken):
        leave.without("language", f"the mapped voice speaks {spoken}")
        ask = replace(ask, language=spoken)
    return replace(ask, language=wire.language(ask, order, leave))


def _features(ask: SpeechAsk, order: Order, wire: Wire, leave: Leave) -> SpeechAsk:
    for feature in FEATURES:
        if getattr(ask, feature) is None:
            continue
        if (reason := wire.lacks(feature, ask, order)) is None:
            continue
        if feature == "emotion" and ask.emotion == _CALM:
            leave.note(feature)
        else:
            leave.without(feature, reason)
        ask = replace(ask, **{feature: None})
    return ask


def _speed(ask: SpeechAsk, order: Order, wire: Wire, leave: Leave) -> SpeechAsk:
    """By leave, a pace outside what there is becomes the nearest."""
    if ask.speed is None or ask.speed == _NORMAL:
        return replace(ask, speed=None)
    paces = wire.paces(order)
    if paces is None or (reason := wire.without_speed(ask, order)) is not None:
        leave.without("speed", f"{wire.name} has one pace" if paces is None else str(reason))
        return replace(ask, speed=None)
    slowest, fastest = paces
    if slowest <= ask.speed <= fastest:
        return ask
    leave.without("speed", f"{wire.name} speaks at {slowest:g} to {fastest:g} times the usual pace")
    return replace(ask, speed=min(max(ask.speed, slowest), fastest))
