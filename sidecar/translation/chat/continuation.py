"""An answer that broke off, asked for again from where it ended."""

from collections.abc import Iterable

from msgspec.structs import replace

from sidecar.translation.chat.ask import Ask, Text, Turn
from sidecar.translation.chat.events import CallBegun, Event, Finished, RefusalDelta, TextDelta
from sidecar.translation.contract import Inexpressible


def gone_on_with(ask: Ask, said: Iterable[Event]) -> Ask:
    """*ask*, whose answer has got as far as *said*, with what was said as its last turn.

    White space at the end of it is left out, since Anthropic refuses that: the answer may begin with some. The limit
    of tokens stays.

    Raises:
        Inexpressible: what was said cannot be gone on with.
    """
    events = list(said)
    if any(isinstance(event, CallBegun) for event in events):
        raise Inexpressible("continuation", "the call of a tool has begun, and cannot be gone on with")
    if any(isinstance(event, RefusalDelta | Finished) for event in events):
        raise Inexpressible("continuation", "the answer has ended, or is none")
    text = "".join([event.text for event in events if isinstance(event, TextDelta)]).rstrip()
    if not text:
        return ask
    if ask.output is not None:
        raise Inexpressible("continuation", "an answer that is bound to JSON cannot be gone on with")
    last = ask.turns[-1] if ask.prefill and ask.turns else None
    if last is not None and last.role == "assistant":
        return replace(ask, turns=(*ask.turns[:-1], Turn("assistant", (Text(last.text + text),))))
    return replace(ask, turns=(*ask.turns, Turn("assistant", (Text(text),))), prefill=True)
