"""Identifiers and times of an answer made new: clients tell answers and tool calls apart by them.

A new one is as long as the old one, so that lengths and places in an answer stay what they are.
"""

import random
import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec
from msgspec import Struct

from sidecar_cache.forms.pieces import UNREADABLE

#: What comes before the part of an identifier that is made up: ``chatcmpl-``, ``msg_01``, ``call_``, ``req_``.
_PREFIX: Final = re.compile(rb"(?:[A-Za-z]{2,12}[-_](?:0[1-9](?=[A-Za-z0-9]{20}))?)?")
_HEXADECIMAL: Final = re.compile(rb"[0-9a-f-]+")
_RUN: Final = re.compile(rb"[A-Za-z0-9]+")
_LEAST_BYTES: Final = 4
_WORDS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_OF_WORDS: Final = bytes(_WORDS[byte % 62] for byte in range(256))
_OF_HEXADECIMALS: Final = bytes(b"0123456789abcdef"[byte % 16] for byte in range(256))
_TIMES: Final = re.compile(rb'"(?:created|created_at|completed_at)"\s*:\s*(\d{10})(?!\d)')


class Stamps(Struct, frozen=True, gc=False):
    """What in an answer belongs to the one call that it was first given to."""

    ids: tuple[bytes, ...] = ()
    times: tuple[bytes, ...] = ()
    """Members with whole seconds since the epoch, as they are written: ``"created": 1790000000``."""


class _Function(Struct):
    id: str | None = None


class _Part(Struct):
    functionCall: _Function | None = None


class _Content(Struct):
    parts: list[_Part] | None = None


class _Called(Struct):
    tool_calls: list[_Function] | None = None


class _Choice(Struct):
    message: _Called | None = None
    delta: _Called | None = None
    content: _Content | None = None


class _Item(Struct):
    type: str | None = None
    id: str | None = None
    call_id: str | None = None


class _Document(Struct):
    """A whole answer, or an event of one, of any dialect whose clients rely on identifiers."""

    id: str | None = None
    responseId: str | None = None
    created: float | None = None
    created_at: float | None = None
    completed_at: float | None = None
    choices: list[_Choice] | None = None
    candidates: list[_Choice] | None = None
    x_groq: _Function | None = None
    output: list[_Item] | None = None
    item: _Item | None = None
    item_id: str | None = None
    response: "_Document | None" = None
    message: "_Document | None" = None
    content: list[_Item] | None = None
    content_block: _Item | None = None


_document = msgspec.json.Decoder(_Document).decode
#: Items whose identifiers are sealed into their content, which the provider checks when it gets them back.
_SEALED: Final = frozenset(("reasoning", "compaction"))


def stamps_of(documents: Iterable[bytes]) -> Stamps:
    """The stamps of an answer: a whole one is one document, a stream one for each event."""
    ids: dict[str, None] = {}
    times: dict[bytes, None] = {}
    sealed: set[str] = set()
    for document in documents:
        try:
            said = _document(document)
        except UNREADABLE:
            continue
        moments: set[int] = set()
        _gather(said, ids, sealed, moments)
        if not moments or any(member in document for member in times):
            continue
        for found in _TIMES.finditer(document):
            if int(found[1]) in moments:
                times[found[0]] = None
    return Stamps(tuple([each.encode() for each in ids if each not in sealed]), tuple(times))


def _gather(said: _Document, ids: dict[str, None], sealed: set[str], moments: set[int]) -> None:
    inner = [one for one in (said.response, said.message) if one is not None]
    functions = [said.x_groq] if said.x_groq else []
    for choice in (*(said.choices or ()), *(said.candidates or ())):
        for called in (choice.message, choice.delta):
            functions += (called.tool_calls if called else None) or ()
        parts = (choice.content.parts if choice.content else None) or ()
        functions += [part.functionCall for part in parts if part.functionCall]
    items = [*(said.output or ()), *(said.content or ())]
    items += [one for one in (said.item, said.content_block) if one is not None]
    sealed.update(item.id for item in items if item.type in _SEALED and item.id)
    found = [said.id, said.responseId, said.item_id, *(one.id for one in functions)]
    found += [one for item in items for one in (item.id, item.call_id)]
    ids.update(dict.fromkeys(one for one in found if one and one.isascii()))
    moments.update(int(at) for at in (said.created, said.created_at, said.completed_at) if at)
    for one in inner:
        _gather(one, ids, sealed, moments)


class Renewal:
    """An answer with identifiers of its own each time it is given, and the present time. Where those stand is found
    once.

    Args:
        makers: what makes a new one of each identifier.
    """

    __slots__ = ("_fills", "_pieces", "_times")

    def __init__(self, data: bytes, makers: dict[bytes, Callable[[], bytes]], times: tuple[bytes, ...]) -> None:
        wanted = [*(b'"%b"' % old for old in makers), *times]
        # the longest first: one may be how another begins
        pattern = b"|".join(map(re.escape, sorted(wanted, key=len, reverse=True)))
        self._pieces = re.split(b"(%b)" % pattern, data)
        places: dict[bytes, list[int]] = {}
        for index in range(1, len(self._pieces), 2):
            places.setdefault(self._pieces[index], []).append(index)
        self._fills = [(make, places.get(b'"%b"' % old, [])) for old, make in makers.items()]
        self._times = [(member[:-10], places.get(member, [])) for member in times]

    @property
    def held_bytes(self) -> int:
        return sum(map(len, self._pieces)) + 48 * len(self._pieces)

    def made(self, now_seconds: int) -> bytes:
        """The answer once more.

        Args:
            now_seconds: since the epoch, with ten digits.
        """
        pieces = self._pieces.copy()
        for make, indices in self._fills:
            new = b'"%b"' % make()
            for index in indices:
                pieces[index] = new
        for name, indices in self._times:
            new = b"%b%d" % (name, now_seconds)
            for index in indices:
                pieces[index] = new
        return b"".join(pieces)


def renewal_of(data: bytes, stamps: Stamps) -> Renewal | None:
    """None for an answer in which nothing belongs to one call alone."""
    makers = {old: make for old in stamps.ids if (make := maker_of(old)) is not None}
    return Renewal(data, makers, stamps.times) if makers or stamps.times else None


def maker_of(old: bytes) -> Callable[[], bytes] | None:
    """What makes identifiers like *old*: of the same length, prefix and kind of letters. None if it is too short."""
    found = _PREFIX.match(old)
    prefix = old[: found.end()] if found else b""
    rest = old[len(prefix) :]
    if (size := len(rest)) < _LEAST_BYTES:
        return None
    alphabet = _OF_HEXADECIMALS if _HEXADECIMAL.fullmatch(rest) else _OF_WORDS
    if rest.isalnum():
        return lambda: prefix + random.randbytes(size).translate(alphabet)

    def with_signs() -> bytes:
        made = random.randbytes(size).translate(alphabet)
        return prefix + _RUN.sub(lambda run: made[run.start() : run.end()], rest)

    return with_signs
