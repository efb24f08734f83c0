"""Calls to language models, said in the dialect of another provider.

A request is read into what it asks for (`ask.Ask`), of which the target is told all or nothing but what
``Target.may_lose`` allows; an answer is read into what happens in it (`events`), and written as the agent's SDK expects
it. Between those who follow OpenAI in chat completions the bytes stay, and only what differs is edited; within one
dialect only the model.

What may be lost goes by the names of fields, and by these: image, audio, file, tools, tool_choice, tool_schema, strict,
parallel_tool_calls, json_object, json_schema, system_turns (instructions in the middle of a conversation), prefill,
stop, temperature, top_p, top_k, seed, frequency_penalty, presence_penalty, max_tokens, verbosity.
"""

from collections.abc import Iterable
from typing import Final

from msgspec.structs import replace

from sidecar.body import Body
from sidecar.dialect import Call
from sidecar.dialects import members
from sidecar.dialects.documents import UNREADABLE
from sidecar.exchange import Exchange, Request, Response
from sidecar.headers import Headers
from sidecar.translation.chat.answers import given
from sidecar.translation.chat.ask import Ask
from sidecar.translation.chat.completions import COMPLETIONS
from sidecar.translation.chat.completions.family import answered_anew, rewritten
from sidecar.translation.chat.completions.read_request import read_stream_options, shows_thoughts
from sidecar.translation.chat.completions.styles import STYLES, style_of
from sidecar.translation.chat.continuation import gone_on_with
from sidecar.translation.chat.events import Event
from sidecar.translation.chat.losses import Fields, Losses
from sidecar.translation.chat.same import renamed
from sidecar.translation.chat.wire import Agent, Asked, StreamReader, Wire, Written
from sidecar.translation.chat.wires import DIALECTS, target_wires, wire_of
from sidecar.translation.contract import Inexpressible, Target, Translated

__all__ = ["DIALECTS", "Ask", "asked", "continued", "expressible", "reader_of", "resumed", "translate", "written"]

_JSON: Final = "application/json"
_AGENT: Final = "agent-sidecar"
#: What passes between accounts of one dialect, though nobody else has it.
_OF_ONE_DIALECT: Final = frozenset(("completions", "decisions", "fim.completions"))
#: Those who take responses as they are.
_RESPONSES: Final = frozenset(("azure_openai", "openai"))


def translate(exchange: Exchange, target: Target) -> Translated:
    """The call of *exchange*, which is loaded, for *target*.

    Raises:
        Inexpressible: it cannot be said there.
    """
    try:
        return _translated(_Source(exchange), target)
    except UNREADABLE:
        raise Inexpressible("request", "it cannot be read") from None


def asked(exchange: Exchange, may_lose: frozenset[str] = frozenset()) -> Ask:
    """What *exchange* asks for, in no provider's words. Its request's body is in memory.

    Raises:
        Inexpressible: it is no call to a language model, or one that only its own provider understands.
    """
    try:
        return _Source(exchange).read(Losses(may_lose))
    except UNREADABLE:
        raise Inexpressible("request", "it cannot be read") from None


def written(ask: Ask, target: Target) -> Request:
    """The request that says *ask* to *target*, without any credential.

    Raises:
        Inexpressible: it cannot be said there.
    """
    try:
        _, said = _written(ask, target, Losses(target.may_lose))
    except UNREADABLE:
        raise Inexpressible("request", "it cannot be written") from None
    return _outgoing(said, None, stream=ask.stream)


def continued(ask: Ask, said: Iterable[Event], target: Target) -> Request:
    """The request that lets *target* go on with the answer to *ask*, which has got as far as *said*.

    What happens in the answer then follows what was said, from its last letter on; see `continuation.gone_on_with`.

    Raises:
        Inexpressible: what was said cannot be gone on with, or not there.
    """
    return written(gone_on_with(ask, said), replace(target, may_lose=target.may_lose - {"prefill"}))


def resumed(exchange: Exchange, heard: bytes, target: Target) -> Translated:
    """What lets *target* go on with a streamed answer to *exchange* that has broken off.

    Args:
        heard: the stream as the agent got it, up to the end of an event. What is answered is the rest of it.

    Raises:
        Inexpressible: it cannot be gone on with, or not there.
    """
    source = _Source(exchange)
    try:
        ask = source.read(Losses(target.may_lose))
        wire = wire_of(source.call)
        reader = wire.reader()
        said = reader.feed(heard)
        if reader.broken or reader.failed or reader.complete or not ask.stream:
            raise Inexpressible("continuation", "the answer has ended, or is no stream")
        losses = Losses(target.may_lose - {"prefill"})
        spoken, request = _written(gone_on_with(ask, said), target, losses)
    except UNREADABLE:
        raise Inexpressible("request", "it cannot be read") from None
    answering = _Answering(spoken, wire, source.agent(ask), said)
    return _made(_outgoing(request, source.request, stream=True), target, losses, answering)


def expressible(source: str, target: str) -> dict[str, str]:
    """What of that which can be asked of the dialect *source* can be said in the dialect *target*.

    Each feature with "yes", maybe followed by a comma and what there is to it, or why not; computed by translating
    requests that ask for it, and answers. Without language models in one of the two there is none.
    """
    from sidecar.translation.chat.probes import expressible as computed

    return computed(source, target)


class _Source:
    """The agent's call, which nobody has read yet."""

    def __init__(self, exchange: Exchange) -> None:
        dialect, call, request = exchange.provider.dialect, exchange.call, exchange.request
        if dialect is None or call is None or request.body.data is None:
            raise Inexpressible("call", "only calls that are known can be said in another dialect")
        if request.headers.get("content-encoding") not in (None, "", "identity"):
            raise Inexpressible("call", "its body is coded")
        self.dialect, self.call, self.request = dialect, call, request
        self.asked = Asked(call, dialect, request.query, request.body.data)

    def read(self, losses: Losses) -> Ask:
        return wire_of(self.call).read_request(self.asked, losses)

    def agent(self, ask: Ask) -> Agent:
        """Who waits for the answer to *ask*."""
        return Agent(
            dialect=self.dialect,
            model=ask.model,
            stream=ask.stream,
            usage=ask.usage,
            thoughts=ask.thoughts,
            listed=ask.listed,
            request=members.of(self.asked.body),
            is_vertex="{project}" in self.call.route,
        )


class _Answering:
    """Gives the answers of a target to the agent; as they are, if it takes them so.

    Args:
        said: what the agent has been told before.
    """

    def __init__(
        self,
        spoken: Wire | None = None,
        own: Wire | None = None,
        agent: Agent | None = None,
        said: Iterable[Event] = (),
    ) -> None:
        self._spoken, self._own, self._agent, self._said = spoken, own, agent, said

    async def __call__(self, response: Response) -> Response:
        if self._spoken is None or self._own is None or self._agent is None:
            return response
        return await given(response, self._spoken, self._own, self._agent, self._said)


def _translated(source: _Source, target: Target) -> Translated:
    own, other, endpoint = source.dialect.name, target.dialect.name, source.call.endpoint
    losses = Losses(target.may_lose)
    if own == other and endpoint in _OF_ONE_DIALECT:
        return _made(renamed(source.request, source.call, own, target), target, losses, _Answering())
    wire = wire_of(source.call)
    if own == other or (endpoint == "responses" and {own, other} <= _RESPONSES):
        return _made(renamed(source.request, source.call, own, target), target, losses, _Answering())
    if wire is COMPLETIONS and other in STYLES:
        return _edited(source, target, losses)
    ask = source.read(losses)
    spoken, said = _written(ask, target, losses)
    answering = _Answering(spoken, wire, source.agent(ask))
    return _made(_outgoing(said, source.request, stream=ask.stream), target, losses, answering)


def _edited(source: _Source, target: Target, losses: Losses) -> Translated:
    """Chat completions for somebody else who follows OpenAI."""
    own, other = style_of(source.dialect.name), style_of(target.dialect.name)
    fields = Fields(source.asked.body, Losses())
    model = fields.text("model") or source.call.model or ""
    ask = Ask(
        model=model,
        stream=bool(fields.flag("stream")),
        usage=read_stream_options(fields.inner("stream_options")),
        thoughts=shows_thoughts(
            source.dialect.name, fields.text("reasoning_effort"), included=fields.flag("include_reasoning")
        ),
    )
    body = rewritten(source.asked.body, target.model or model, own, other, losses)
    request = _outgoing(Written(other.path, body), source.request, stream=ask.stream)
    if not answered_anew(own, other, stream=ask.stream):
        return _made(request, target, losses, _Answering())
    return _made(request, target, losses, _Answering(COMPLETIONS, COMPLETIONS, source.agent(ask)))


def reader_of(call: Call) -> StreamReader:
    """What takes a streamed answer to *call* apart, in its own dialect, as it comes.

    Raises:
        Inexpressible: nobody knows how that is answered.
    """
    return wire_of(call).reader()


def _written(ask: Ask, target: Target, losses: Losses) -> tuple[Wire, Written]:
    """*ask* in the first of the target's wires that can say it."""
    wires = target_wires(target.dialect)
    if target.model is None:
        raise Inexpressible("model", "no model is mapped to one of this provider's")
    ask = replace(ask, model=target.model)
    reasons: list[Inexpressible] = []
    for wire in wires:
        trial = losses.copy()
        try:
            said = wire.write_request(ask, target.dialect, trial)
        except Inexpressible as reason:
            reasons.append(reason)
            continue
        losses.adopt(trial)
        return wire, said
    raise reasons[0]


def _outgoing(said: Written, own: Request | None, *, stream: bool) -> Request:
    """A request with nothing of the agent's in its head but who it is that asks."""
    fields = {
        "Content-Type": _JSON,
        "Accept": "text/event-stream" if stream else _JSON,
        "Accept-Encoding": "identity",
        "User-Agent": (own and own.headers.get("user-agent")) or _AGENT,
        **dict(said.headers),
    }
    headers = Headers((name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items())
    return Request(method="POST", target=said.target, headers=headers).with_body(Body(said.body))


def _made(request: Request, target: Target, losses: Losses, answering: _Answering) -> Translated:
    call = target.dialect.recognise("POST", request.path, request.query)
    if call is None:
        raise Inexpressible("call", "its path is not known there")
    return Translated(request=request, call=call, answer=answering, lost=losses.lost)
