"""Calls to speak, said in the dialect of another provider.

A request is read into what it asks for (`ask.SpeechAsk`), of which the target is told all or nothing but what
``Target.may_lose`` allows; an answer is audio in the form that the agent asked for (`hearing.Heard`), told to it as its
own provider tells it. No codec runs: a target that has no such form is none for the call.

What may be lost goes by these names: ssml, markup, language, speed, pitch, volume, instructions, emotion, seed,
timestamps, sample_rate, bit_rate, and the fields that only the agent's provider knows.
"""

from collections.abc import Awaitable, Callable

from msgspec import Struct
from msgspec.structs import replace

from sidecar.body import Body
from sidecar.dialect import Call
from sidecar.exchange import Exchange, Request, Response
from sidecar.headers import Headers
from sidecar.translation.contract import Inexpressible, Target, Translated
from sidecar.translation.speech.ask import Audio, Leave, Manner, Original, SpeechAsk
from sidecar.translation.speech.hearing import Heard, Hearing
from sidecar.translation.speech.preparing import prepared, related, wire_of
from sidecar.translation.speech.same import has_place_for_text, rewritten
from sidecar.translation.speech.telling import told
from sidecar.translation.speech.wires import WIRES
from sidecar.translation.speech.wires.wire import JSON, Written

__all__ = [
    "DIALECTS",
    "Audio",
    "Heard",
    "Manner",
    "SpeechAsk",
    "Spoken",
    "asked",
    "expressible",
    "spoken",
    "tell",
    "translate",
]

#: The dialects that have speech.
DIALECTS = tuple(WIRES)

_AGENT = "agent-sidecar"


class Spoken(Struct, frozen=True, kw_only=True, eq=False):
    """A call to speak as it goes out to a target."""

    request: Request
    """Without any credential."""
    call: Call
    hear: Callable[[Response], Awaitable[Heard]]
    """Gives the audio in an answer of status 2xx, in the codec of ``SpeechAsk.audio``; see `hearing.Hearing.hear`."""
    lost: tuple[str, ...] = ()


def translate(exchange: Exchange, target: Target) -> Translated:
    """The call of *exchange*, which is loaded, for *target*.

    Raises:
        Inexpressible: it cannot be said there.
    """
    source, call = exchange.provider.dialect, exchange.call
    if source is None or call is None or call.socket:
        raise Inexpressible("call", "only calls that are known can be said in another dialect")
    if related(source.name, target.dialect.name):
        request = rewritten(exchange.request, call, source.name, target)
        return Translated(request=request, call=_recognised(request, target), answer=_untouched)
    ask = asked(exchange)
    said = spoken(ask, target)

    async def answer(response: Response) -> Response:
        return await tell(ask, await said.hear(response))

    return Translated(request=said.request, call=said.call, answer=answer, lost=said.lost)


def asked(exchange: Exchange) -> SpeechAsk:
    """What *exchange* asks for, in no provider's words. Its request's body is in memory.

    Raises:
        Inexpressible: it is no call to speak, or one that only its own provider understands.
    """
    dialect, call, request = exchange.provider.dialect, exchange.call, exchange.request
    if dialect is None or call is None or request.body.data is None:
        raise Inexpressible("call", "only calls that are known can be said in another dialect")
    wire = wire_of(dialect.name)
    if call.endpoint not in wire.endpoints:
        raise Inexpressible("call", f"{call.endpoint} is not said in other dialects")
    if request.headers.get("content-encoding") not in (None, "identity"):
        raise Inexpressible("call", "its body is coded")
    ask = wire.read(call, request)
    original = Original(request, call, ask.text, ask.ssml)
    return replace(ask, dialect=dialect.name, original=original)


def spoken(ask: SpeechAsk, target: Target) -> Spoken:
    """The request that says *ask* to *target*; with another ``text`` in it, for a part of what the agent asked for.

    Raises:
        Inexpressible: it cannot be said there.
    """
    leave, wire = Leave(target.may_lose), wire_of(target.dialect.name)
    original = ask.original
    if original is not None and related(ask.dialect, target.dialect.name) and _kept(ask, original):
        text = None if ask.text == original.text else ask.text
        request = rewritten(original.request, original.call, ask.dialect, target, text, is_ssml=ask.ssml)
        given = ask.audio
    else:
        said, order = prepared(ask, target, leave)
        request, given = _outgoing(wire.write(said, order)), order.offer.audio
    call = _recognised(request, target)
    hearing = Hearing(wire, target.dialect, call, given, ask.audio)
    return Spoken(request=request, call=call, hear=hearing.hear, lost=tuple(leave.lost))


async def tell(ask: SpeechAsk, heard: Heard) -> Response:
    """*heard*, which may have come from more than one provider, as the answer to *ask* in the agent's dialect.

    Raises:
        Untranslatable: it has to be whole first, and is too large or no audio.
        sidecar.errors.UpstreamError: it has to be whole first, and breaks off.
    """
    return await told(ask, wire_of(ask.dialect), heard)


def expressible(source: str, target: str) -> dict[str, str]:
    """What of that which can be asked of the dialect *source* can be said in the dialect *target*.

    Each feature with "yes", or why not; computed by translating requests that ask for it. Without speech in one of the
    two there is none.
    """
    from sidecar.translation.speech.probes import expressible as computed

    return computed(source, target)


def _kept(ask: SpeechAsk, original: Original) -> bool:
    """Whether the text, if it is another, can be put where the agent's stands."""
    if ask.text == original.text:
        return True
    return ask.ssml == original.ssml and has_place_for_text(original.request, ask.dialect)


def _outgoing(written: Written) -> Request:
    headers = {"Content-Type": JSON, "Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": _AGENT}
    fields = Headers((name.encode(), value.encode()) for name, value in (headers | dict(written.headers)).items())
    request = Request(method="POST", target=written.target, headers=fields)
    return request.with_body(Body(written.body))


def _recognised(request: Request, target: Target) -> Call:
    call = target.dialect.recognise("POST", request.path, request.query)
    if call is None:
        raise Inexpressible("call", "its path is not known there")
    return call


async def _untouched(response: Response) -> Response:
    return response
