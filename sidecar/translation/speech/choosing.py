"""Which of a provider's offers is nearest to what an agent asked for, without a codec having to run."""

from typing import Final

from sidecar.translation.contract import Inexpressible
from sidecar.translation.speech.ask import Audio, Leave, Manner, SpeechAsk
from sidecar.translation.speech.offers import Offer, Offers

#: Samples that become each other by arithmetic alone.
_WIDTHS: Final = frozenset(("pcm_s16le", "pcm_f32le"))
_BARE: Final = frozenset(("raw", "wav"))
#: Manners in which an answer that comes only when it is whole is a loss of time.
_FLOWING: Final = frozenset((Manner.BYTES, Manner.EVENTS, Manner.LINES))


def offer_for(ask: SpeechAsk, offers: Offers, leave: Leave, provider: str) -> Offer:
    """The offer to ask *provider* for.

    Where the agent named no bit rate, that is the provider's affair, as it was its own provider's before.

    Raises:
        Inexpressible: ``format``; or ``sample_rate``, ``bit_rate`` where these alone are another and the audio says so
            itself, which may be allowed.
    """
    alike = [offer for offer in offers if _becomes(offer.audio, ask.audio)]
    if not alike:
        raise Inexpressible("format", f"{provider} gives no {_kind(ask.audio)}")
    right = [offer for offer in alike if offer.audio.rate == ask.audio.rate]
    if not right:
        rates = sorted({offer.audio.rate for offer in alike})
        reason = f"{provider} gives {_kind(ask.audio)} at {', '.join(map(str, rates))} Hz and not at {ask.audio.rate}"
        if ask.rate_matters:
            raise Inexpressible("format", reason)
        leave.without("sample_rate", reason)
        nearest = min(rates, key=lambda rate: (rate < ask.audio.rate, abs(rate - ask.audio.rate)))
        right = [offer for offer in alike if offer.audio.rate == nearest]
    if ask.audio.bit_rate is not None:
        right = _at_bit_rate(right, ask.audio.bit_rate, leave, provider)
    return min(right, key=lambda offer: _work(offer, ask))


def _at_bit_rate(offers: list[Offer], wanted: int, leave: Leave, provider: str) -> list[Offer]:
    if exact := [offer for offer in offers if offer.audio.bit_rate == wanted]:
        return exact
    leave.without("bit_rate", f"{provider} does not give {_kind(offers[0].audio)} at {wanted} bit/s")
    return sorted(offers, key=lambda offer: abs((offer.audio.bit_rate or wanted) - wanted))


def _becomes(given: Audio, wanted: Audio) -> bool:
    if given.codec == wanted.codec:
        return given.container == wanted.container or (given.container in _BARE and wanted.container in _BARE)
    return given.codec in _WIDTHS and wanted.codec in _WIDTHS


def _work(offer: Offer, ask: SpeechAsk) -> tuple[bool, bool, bool]:
    """What has to be done to what is given, the dearest first."""
    given, wanted = offer.audio, ask.audio
    late = offer.whole and ask.manner in _FLOWING
    # in events, which have a last one, many give only what has no header
    nearest = "raw" if ask.manner is Manner.EVENTS and wanted.container in _BARE else wanted.container
    return given.codec != wanted.codec, late, given.container != nearest


def _kind(audio: Audio) -> str:
    return str(audio).partition(" at ")[0]
