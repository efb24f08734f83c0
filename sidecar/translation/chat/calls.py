"""Calls of tools whose pieces may come mixed, put one after another."""

from collections.abc import Hashable

import msgspec
from msgspec import Raw

from sidecar.dialects.documents import UNREADABLE
from sidecar.translation.chat.events import ArgumentsDelta, CallBegun, Event

_any = msgspec.json.Decoder(Raw).decode


class _Waiting:
    def __init__(self) -> None:
        self.name = ""
        self.pieces: list[str] = []


class Calls:
    """The call that began first is passed on as it comes. One that begins meanwhile waits until the first has all of
    its arguments, which their JSON tells, or until nothing else comes.
    """

    def __init__(self) -> None:
        self._calls: dict[Hashable, _Waiting] = {}
        """Those that are not over, in order; the first is on its way."""
        self._over: set[Hashable] = set()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._calls or key in self._over

    def take(self, key: Hashable, name: str, arguments: str) -> list[Event]:
        """A piece of the call *key*: its name, where it is told, and more of its arguments."""
        if key in self._over:
            return []
        current = next(iter(self._calls), key)
        call = self._calls.get(key)
        if call is None:
            call = self._calls[key] = _Waiting()
        events: list[Event] = []
        if name and not call.name:
            call.name = name
            if key == current:
                events.append(CallBegun(name))
                events += [ArgumentsDelta(piece) for piece in call.pieces]
        if arguments:
            call.pieces.append(arguments)
            if key == current and call.name:
                events.append(ArgumentsDelta(arguments))
        if len(self._calls) > 1 and _is_whole(self._calls[current].pieces):
            events += self._next()
        return events

    def end(self) -> list[Event]:
        """Nothing else comes of any call."""
        events: list[Event] = []
        while self._calls:
            events += self._next()
        return events

    def _next(self) -> list[Event]:
        """The call that is on its way is over; those that waited follow, as far as they are whole."""
        events: list[Event] = []
        while self._calls:
            over = next(iter(self._calls))
            self._over.add(over)
            del self._calls[over]
            if (current := next(iter(self._calls.values()), None)) is None:
                break
            if current.name:
                events.append(CallBegun(current.name))
                events += [ArgumentsDelta(piece) for piece in current.pieces]
            if not _is_whole(current.pieces) or len(self._calls) == 1:
                break
        return events


def _is_whole(pieces: list[str]) -> bool:
    try:
        _any("".join(pieces).encode("utf-8", "replace"))
    except UNREADABLE:
        return False
    return True
