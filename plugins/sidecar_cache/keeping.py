"""From an answer that has flowed by to the entry that is kept of it. No I/O."""

import time
from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

from msgspec import Struct

from sidecar import Chat, Exchange, Headers, Response, Speech, Transcription
from sidecar_cache.config import Price
from sidecar_cache.entry import About, Entry
from sidecar_cache.fitness import judged
from sidecar_cache.flights import Flight
from sidecar_cache.slices import Slices

#: Headers of an answer that belong to its content. All others told of one particular call at the provider.
KEPT = (b"content-type", b"content-encoding", b"content-language", b"content-disposition")
_MOST_MICROSECONDS = (1 << 32) - 1
#: Chunks whose times are noted before others have their turn.
_SLICE_CHUNKS = 100


class Purpose(Struct, frozen=True, eq=False):
    """What a call of the cache's own is made for."""

    source: str
    """call, warm, refresh, control."""
    stored: Entry | None = None
    """What the answer is to be compared with."""
    for_all: bool = False
    """Whether the answer is for all agents of the pod whose credentials are replaced by the sidecar's own."""
    told: Callable[[bool], None] | None = None
    """Told in the end whether the answer is kept, if it was a whole one of status 200."""


CALLED = Purpose("call")

Parts = tuple[tuple[str, int], ...]


class Unkept(Exception):
    """Why an answer is not kept; ``str()`` says nothing of its content."""


def entry_of(
    exchange: Exchange,
    response: Response,
    flight: Flight,
    parts: Callable[[], Parts],
    fresh_seconds: float,
    purpose: Purpose,
    *,
    substitutes: bool = False,
) -> Slices[Entry]:
    """
    Args:
        parts: gives those of the call's identity, if they are to be known.
        substitutes: whether an answer by somebody else than the provider that was asked may be kept as that one's.

    Raises:
        Unkept: it is not fit to be given again.
    """
    asked, answered_by = exchange.provider.name, response.answered_by or exchange.provider.name
    if answered_by != asked and not substitutes:
        raise Unkept(f"{answered_by} has answered in the place of {asked}")
    chunks, times = flight.chunks, flight.times
    data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    judgement = yield from judged(exchange, response, data)
    if judgement.objection is not None:
        raise Unkept(judgement.objection)
    cuts, gaps = yield from _framing(chunks, times)
    return Entry(
        status=response.status,
        block=response.headers.lines(*KEPT),
        data=data,
        chunked=response.chunked,
        cuts=cuts,
        gaps=gaps,
        stored_ns=time.time_ns(),
        fresh_seconds=fresh_seconds,
        waited_seconds=times[0] - flight.began,
        took_seconds=times[-1] - flight.began,
        about=about(exchange, judgement.audio_seconds),
        parts=parts(),
        source=purpose.source if purpose.source != "control" else "refresh",
    )


def _framing(chunks: Sequence[bytes], times: Sequence[float]) -> Slices[tuple[bytes, bytes]]:
    """`Entry.cuts` and `Entry.gaps`."""
    cuts, gaps, end = array("I"), array("I"), 0
    for at in range(0, len(chunks) - 1, _SLICE_CHUNKS):
        some = chunks[at : min(at + _SLICE_CHUNKS, len(chunks) - 1)]
        cuts.extend(list(accumulate(map(len, some), initial=end))[1:])
        end = cuts[-1]
        apart = pairwise(times[at : at + len(some) + 1])
        gaps.extend([min(int((after - before) * 1e6), _MOST_MICROSECONDS) for before, after in apart])
        if len(some) == _SLICE_CHUNKS:
            yield
    return cuts.tobytes(), gaps.tobytes()


def about(exchange: Exchange, audio_seconds: float = 0.0) -> About:
    """What may be told of a call and its answer."""
    call, dialect, payload = exchange.call, exchange.provider.dialect, exchange.payload
    model = voice = language = None
    characters, streamed = 0, False
    if isinstance(payload, Speech):
        model, voice, language, characters = payload.model, payload.voice, payload.language, len(payload.text)
        streamed = payload.stream
    elif isinstance(payload, Transcription):
        model, language, streamed = payload.model, payload.language, payload.stream
    elif isinstance(payload, Chat):
        model, streamed = payload.model, payload.stream
    return About(
        provider=exchange.provider.name,
        operation=exchange.operation.value,
        endpoint="" if call is None else call.endpoint,
        dialect="" if dialect is None else dialect.name,
        model=model or (call.model if call is not None else None) or "",
        voice=voice or (call.voice if call is not None else None) or "",
        language=language or "",
        characters=characters,
        audio_seconds=audio_seconds,
        streamed=streamed,
    )


def cost(exchange: Exchange, headers: Headers, entry: Entry, prices: list[Price]) -> float | None:
    """What the call cost; None without a price."""
    model = entry.about.model
    for price in prices:
        if price.model == model or (price.model.endswith("*") and model.startswith(price.model[:-1])):
            break
    else:
        return None
    usage = exchange.read_answer(headers, entry.data).usage
    seconds = (usage and usage.audio_seconds) or entry.about.audio_seconds
    return (
        (price.input * ((usage and usage.input_tokens) or 0)) / 1e6
        + (price.output * ((usage and usage.output_tokens) or 0)) / 1e6
        + price.characters * entry.about.characters / 1e6
        + price.minutes * seconds / 60
    )
