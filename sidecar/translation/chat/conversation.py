"""A conversation in the order that strict providers insist on."""

from collections import deque
from collections.abc import Iterable

from msgspec.structs import replace

from sidecar.translation.chat.ask import NOTHING_SAID, Ask, Part, Text, ToolCall, ToolResult, Turn
from sidecar.translation.chat.losses import Losses
from sidecar.translation.contract import Inexpressible


def settled(turns: Iterable[Turn]) -> list[Turn]:
    """*turns* with the results of tools directly after their calls, in the order of these and under their names.

    Raises:
        Inexpressible: a call has no result, or a result no call.
    """
    turns = list(turns)
    results: dict[str, deque[ToolResult]] = {}
    for turn in turns:
        for part in turn.parts:
            if isinstance(part, ToolResult):
                results.setdefault(part.id, deque()).append(part)
    made = []
    for turn in turns:
        others = tuple([part for part in turn.parts if not isinstance(part, ToolResult)])
        if others:
            made.append(Turn(turn.role, others))
        if calls := turn.calls:
            made.append(Turn("user", tuple([_result_of(call, results) for call in calls])))
    if any(results.values()):
        raise Inexpressible("tools", "what a tool gave in the conversation belongs to no call of it")
    return made


def _result_of(call: ToolCall, results: dict[str, deque[ToolResult]]) -> ToolResult:
    found = results.get(call.id)
    if not found:
        raise Inexpressible("tools", "a call of a tool in the conversation has no result")
    return replace(found.popleft(), name=call.name)


def hoisted(ask: Ask, losses: Losses) -> Ask:
    """*ask* with all instructions before the conversation, for providers that know them nowhere else.

    Raises:
        Inexpressible: some stand in the middle of it, which changes what they mean.
    """
    late = [turn for turn in ask.turns if turn.role == "system"]
    if not late:
        return ask
    losses.cannot("system_turns", "instructions in the middle of a conversation are not known there")
    turns = tuple([turn for turn in ask.turns if turn.role != "system"])
    return replace(ask, system=(*ask.system, *[turn.text for turn in late]), turns=turns)


def alternating(ask: Ask) -> list[Turn]:
    """The turns of *ask*, `settled`, the user's and the assistant's in turn.

    The first is the user's, and so is the last unless the answer is to go on from it; where nothing was said, a
    placeholder stands.
    """
    made: list[Turn] = []
    for turn in settled(ask.turns):
        parts = tuple([part for part in turn.parts if _says_something(part)])
        if not parts:
            continue
        if not made and turn.role != "user":
            made.append(Turn("user", (Text(NOTHING_SAID),)))
        if made and made[-1].role == turn.role:
            made[-1] = Turn(turn.role, made[-1].parts + parts)
        else:
            made.append(Turn(turn.role, parts))
    if not made or (made[-1].role != "user" and not ask.prefill):
        made.append(Turn("user", (Text(NOTHING_SAID),)))
    return made


def _says_something(part: Part) -> bool:
    return not isinstance(part, Text) or bool(part.text.strip())
