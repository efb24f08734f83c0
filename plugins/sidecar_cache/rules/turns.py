"""Conversations: the ids of tool calls under names that come again, and turns divided so that a miss can be explained.

Clients draw ids for tool calls at random. They join a call to its result and mean nothing else, so that two requests
that differ only in them ask for the same; each is renamed by the order in which they appear.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from sidecar_cache.rules.endpoint import Members

_INSTRUCTING: Final = frozenset(("system", "developer"))


class _Names(dict[str, str]):
    def __missing__(self, known_as: str) -> str:
        name = self[known_as] = f"{len(self) + 1}"
        return name

    def rename(self, thing: Members, member: str) -> None:
        known_as = thing.get(member)
        if isinstance(known_as, str):
            thing[member] = self[known_as]


def _objects(value: Any) -> Iterator[Members]:
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, dict))


def of_openai(request: Members) -> Members:
    """Renames ``messages[].tool_calls[].id`` and ``messages[].tool_call_id``."""
    messages = request.get("messages")
    names = _Names()
    for turn in messages if isinstance(messages, list) else ():
        if isinstance(turn, dict) and ("tool_calls" in turn or "tool_call_id" in turn):
            for call in _objects(turn.get("tool_calls")):
                names.rename(call, "id")
            names.rename(turn, "tool_call_id")
    return request


def of_responses(request: Members) -> Members:
    """Renames ``input[].call_id``."""
    names = _Names()
    for item in _objects(request.get("input")):
        names.rename(item, "call_id")
    return request


def of_anthropic(request: Members) -> Members:
    """Renames the ``id`` of calls of tools and the ``tool_use_id`` of what these gave."""
    names = _Names()
    for turn in _objects(request.get("messages")):
        for block in _objects(turn.get("content")):
            if str(block.get("type")).endswith("tool_use"):
                names.rename(block, "id")
            names.rename(block, "tool_use_id")
    return request


class Division(NamedTuple):
    """A conversation in three pieces; together they are all of it, in order."""

    system: list[Any]
    """The turns that instruct, as far as they stand first."""
    history: list[Any]
    last: list[Any]
    """The last turn of the user, and what came after it."""


def divided(turns: list[Any]) -> Division:
    begin = next((at for at, turn in enumerate(turns) if _role(turn) not in _INSTRUCTING), len(turns))
    last = next((at for at in range(len(turns) - 1, begin - 1, -1) if _role(turns[at]) == "user"), len(turns))
    return Division(turns[:begin], turns[begin:last], turns[last:])


def _role(turn: Any) -> Any:
    return turn.get("role") if isinstance(turn, dict) else None
