"""An answer of a language model that broke off, gone on with by another candidate, where the owner allows that."""

from collections.abc import AsyncIterator

from sidecar import CallError, Exchange, ExchangeHandler
from sidecar.translation import Inexpressible, Target, Untranslatable
from sidecar.translation.chat import resumed
from sidecar_ordering.options import Group, Option
from sidecar_ordering.score import Ranking

#: Of a stream so much is remembered; what is longer cannot be gone on with.
MOST_BYTES = 256 * 1024


async def rest_of(
    exchange: Exchange, call_next: ExchangeHandler, group: Group, ranking: Ranking, broken: str, heard: bytes
) -> tuple[str, AsyncIterator[bytes]] | None:
    """Who goes on with the answer, and the rest of it; None if nobody can. One is asked, once.

    Args:
        ranking: of the candidates now.
        broken: the candidate whose answer it was; asked last.
        heard: what the agent has got, up to the end of an event.
    """
    names = [place.candidate.name for place in ranking.order]
    for name in sorted(names, key=lambda each: each == broken):
        try:
            translated = resumed(exchange, heard, _target(group.options[name], exchange))
        except Inexpressible:
            continue
        option = group.options[name]
        try:
            response = await call_next(exchange.with_translation(option.provider, translated.request, translated.call))
            if response.status != 200:
                await response.body.aclose()
                return None
            response = await translated.answer(response)
        except (CallError, Untranslatable):
            return None
        return name, aiter(response.body)
    return None


def _target(option: Option, exchange: Exchange) -> Target:
    dialect = option.provider.dialect
    if dialect is None:
        raise Inexpressible("call", "nothing is known of how it speaks")
    model = option.model or (exchange.payload.model if exchange.payload is not None else None)
    return Target(dialect=dialect, model=model, may_lose=frozenset(option.settings.may_lose))
