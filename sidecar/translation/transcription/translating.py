"""One call said in another dialect, from the agent's request to what becomes of the answer."""

from typing import Final

from msgspec.structs import replace

from sidecar.dialect import Call
from sidecar.exchange import Exchange, Request
from sidecar.headers import Headers
from sidecar.translation.contract import Inexpressible, Target, Translated
from sidecar.translation.transcription import kindred, places
from sidecar.translation.transcription.accepted import TAKES, fitting
from sidecar.translation.transcription.answering import Answering, untouched
from sidecar.translation.transcription.asking import JOBS, agents_wire, asked, targets_wire
from sidecar.translation.transcription.google import recognizer_of
from sidecar.translation.transcription.narrowing import narrowed
from sidecar.translation.transcription.neutral import Ask
from sidecar.translation.transcription.wire import Leave, Wire, Written

#: Of what the agent sent besides, what goes on: who calls, and whether to trace it.
_KEPT: Final = ("host", "user-agent", "traceparent", "tracestate")


def translate(exchange: Exchange, target: Target) -> Translated:
    """The call of *exchange*, which is to have speech written down, for *target*.

    Args:
        exchange: loaded, so that its request's body is in memory.

    Raises:
        Inexpressible: it cannot be said there.
    """
    call, dialect = exchange.call, exchange.provider.dialect
    if call is None or dialect is None or call.socket or call.endpoint in JOBS:
        endpoint = "" if call is None else call.endpoint
        raise Inexpressible("call", JOBS.get(endpoint, "only known calls over HTTP can be said elsewhere"))
    alike = kindred.alike(dialect.name, target.dialect.name)
    if target.dialect.name == dialect.name and not (target.model and (alike or _changes_version(call, target.model))):
        request = exchange.request if target.model is None else places.with_model(exchange, target.model)
        return _unchanged(places.without_credentials(request), target)
    source, wire = agents_wire(dialect.name, call.endpoint), targets_wire(target)
    ask = asked(exchange, source)
    model = target.model or (ask.model if alike else None)
    if alike and (request_alike := kindred.request(exchange, ask, model, wire)) is not None:
        return _unchanged(request_alike, target)
    return _translated(exchange, ask, source, wire, model, target)


def _translated(
    exchange: Exchange, ask: Ask, source: Wire, wire: Wire, model: str | None, target: Target
) -> Translated:
    able, leave = wire.able(model, translate=ask.translate), Leave(target.may_lose)
    provider = TAKES[wire.dialect].provider
    if able.needs_model and not model:
        raise Inexpressible("model", f"no model of {provider} is named to ask for")
    narrow = narrowed(ask, able, leave, provider)
    if ask.address is None:
        audio, sound = fitting(wire.dialect, ask.audio, ask.sound)
        narrow = replace(narrow, audio=audio, sound=sound)
    if source.tells_confidence and not able.confident:
        leave.note("confidence")
    narrow = replace(narrow, stream=ask.stream and able.streams, output="")
    request = _request(exchange, wire.write(narrow, model))
    call = target.dialect.recognise("POST", request.path, request.query)
    assert call is not None, "what is written here is what the dialect knows"
    answer = Answering(source, wire, ask, narrow)
    return Translated(request=request, call=call, answer=answer, lost=tuple(leave.lost))


def _changes_version(call: Call, model: str) -> bool:
    """Whether a call of Google's first version is to go to a recognizer of the second."""
    return call.endpoint == "speech.recognize" and recognizer_of(model)[0] is not None


def _unchanged(request: Request, target: Target) -> Translated:
    """A request whose answer is the agent's dialect already."""
    call = target.dialect.recognise(request.method, request.path, request.query)
    if call is None:
        raise Inexpressible("call", f"{target.dialect.name} has no such endpoint")
    return Translated(request=request, call=call, answer=untouched)


def _request(exchange: Exchange, written: Written) -> Request:
    # without a content coding, since the answer is looked into
    fields = [("Content-Type", written.content_type), ("Accept", "*/*"), ("Accept-Encoding", "identity")]
    fields += written.headers
    if not all(value.isprintable() for _, value in fields):
        raise Inexpressible("model", "it cannot stand in a header")
    encoded = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in fields]
    kept = [field for field in exchange.request.headers.fields if field[0].lower().decode("latin-1") in _KEPT]
    request = Request(method="POST", target=written.target, headers=Headers((*kept, *encoded)))
    return request.with_body(written.body)
