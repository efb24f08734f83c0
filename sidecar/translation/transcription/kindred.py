"""Providers who follow OpenAI: an agent's request is theirs too, as far as they know its fields."""

from collections.abc import Mapping
from typing import Final

from sidecar import multipart
from sidecar.dialects.fields import flag
from sidecar.exchange import Exchange, Request
from sidecar.headers import Headers
from sidecar.multipart import Part
from sidecar.translation.transcription import places
from sidecar.translation.transcription.accepted import TAKES
from sidecar.translation.transcription.neutral import Ask
from sidecar.translation.transcription.openai import OpenAI
from sidecar.translation.transcription.wire import Able, Wire

_SHARED: Final = frozenset(
    ("model", "file", "language", "prompt", "response_format", "temperature", "timestamp_granularities")
)
_OF_OPENAI: Final = _SHARED | {"stream", "include", "keywords", "languages", "chunking_strategy"}
#: Fields of a form by dialect. Samples of speakers' voices go to their own provider only.
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "openai": _OF_OPENAI,
    "azure_openai": _OF_OPENAI,
    "groq": _SHARED | {"url"},
}
#: What of the agent's headers goes on with its body.
_KEPT: Final = frozenset(
    (
        *(b"host", b"user-agent", b"accept", b"accept-encoding", b"content-type", b"content-length"),
        *(b"traceparent", b"tracestate"),
    )
)


def alike(dialect: str, target: str) -> bool:
    """Whether both follow OpenAI."""
    return dialect in _FIELDS and target in _FIELDS


def request(exchange: Exchange, ask: Ask, model: str | None, wire: Wire) -> Request | None:
    """The request of *exchange* as it is but for its model and its path; None where it needs more than that.

    Args:
        exchange: an agent's who follows OpenAI.
        wire: of a target that does.
    """
    assert isinstance(wire, OpenAI)
    agent = exchange.request
    form = multipart.parse(agent.headers.get("content-type") or "", agent.body.data or b"")
    if not model or not form.parts or not _does(wire, model, ask, form.parts):
        return None
    if exchange.provider.dialect is not None and exchange.provider.dialect.name == wire.dialect:
        return places.without_credentials(places.with_model(exchange, model))
    path = wire.translations if ask.translate else wire.transcriptions
    edited = places.in_form(agent, "model", model)
    kept = Headers(field for field in edited.headers.fields if field[0].lower() in _KEPT)
    return edited.with_headers(kept).with_target(path)


def _does(wire: OpenAI, model: str, ask: Ask, parts: tuple[Part, ...]) -> bool:
    """Whether a provider with *wire* does all that *ask* says, with *model* and in the words of the form itself."""
    able = wire.able(model, translate=ask.translate)
    most_bytes = TAKES[wire.dialect].most_bytes
    streamed = any(part.name == "stream" and flag(part.text) for part in parts)
    return (
        not ask.peculiar
        and {part.name.partition("[")[0] for part in parts} <= _FIELDS[wire.dialect]
        and (most_bytes is None or len(ask.audio) <= most_bytes)
        and ask.output in _outputs(wire, able)
        # one model ignores it: what its agent expects is no stream
        and streamed == ask.stream <= able.streams
        and ask.translate <= able.translates
        and (able.words or not ask.words or ask.translate)
        and len(ask.prompt) <= able.prompt
        and len(ask.terms) <= able.terms
        and len(ask.languages) <= max(able.candidates, 1)
        and (not ask.logprobs or ("gpt-4o" in model and not able.speakers))
    )


def _outputs(wire: OpenAI, able: Able) -> frozenset[str]:
    """The forms of answer that a model gives (openai/types/audio/transcription_create_params.py, groq/types/audio)."""
    if able.speakers:
        return frozenset(("json", "text", "diarized_json"))
    if not able.segments:
        return frozenset(("json",))
    timed = frozenset(("json", "text", "verbose_json"))
    return timed if wire.dialect == "groq" else timed | {"srt", "vtt"}
