"""SSML read, and written for others. No I/O.

What can be said in it: https://www.w3.org/TR/speech-synthesis11/, and of that each provider takes a part, some of it
with a meaning of its own.
"""

import re
from collections.abc import Mapping
from typing import Final
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from sidecar.translation.contract import Inexpressible

Attributes = Mapping[str, str]
#: The elements that a provider takes, each with the attributes that mean there what they mean elsewhere.
Elements = Mapping[str, frozenset[str]]

_SAY_AS: Final = frozenset(("cardinal", "ordinal", "fraction", "characters", "spell-out", "date", "time", "telephone"))
_ALPHABETS: Final = frozenset(("ipa", "x-sampa"))
_PROSODY: Final = re.compile(r"default|medium|(x-)?(slow|fast|low|high|soft|loud)|silent")
_SEMITONES: Final = re.compile(r"[+-]\d+(\.\d+)?st")
_SIMPLE: Final[Elements] = {
    "p": frozenset(),
    "s": frozenset(),
    "break": frozenset(("time", "strength")),
    "sub": frozenset(("alias",)),
    "phoneme": frozenset(("alphabet", "ph")),
}
#: [D] Google's and Azure's lists of elements, as far as they agree.
FULL: Final[Elements] = {
    **_SIMPLE,
    "emphasis": frozenset(("level",)),
    "say-as": frozenset(("interpret-as", "format")),
    "prosody": frozenset(("rate", "pitch", "volume")),
    "audio": frozenset(("src",)),
}
#: [D] Yandex's list.
FEW: Final[Elements] = _SIMPLE

#: What else there is in SSML, and what Google and Azure add to it.
_NAMES: Final = frozenset(
    (
        *("voice", "lang", "mark", "bookmark", "lexicon", "desc", "speak", "par", "seq", "media", "math"),
        *("mstts:express-as", "mstts:silence", "mstts:backgroundaudio", "mstts:viseme", "mstts:audioduration"),
        *FULL,
    )
)
_MOST_CHARACTERS: Final = 1 << 17
_PLAIN: Final = frozenset(("p", "s"))
#: What XML 1.0 has no place for (its section 2.2), which nobody can pronounce either.
_UNSPEAKABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_SPACES: Final = re.compile(r"\s+")


class Element(Struct, frozen=True):
    """One element of a document: where its tags and what is in it stand, in bytes."""

    name: str
    attributes: dict[str, str]
    depth: int
    begin: int
    inner: int
    """Where its content begins."""
    end: int
    """Where that ends."""


class Markup(Struct, frozen=True):
    """A well-formed document."""

    data: bytes
    elements: tuple[Element, ...]
    """In the order of their ends."""
    text: str
    """What is to be spoken where marks are not understood: aliases in place of what they stand for."""

    @property
    def root(self) -> Element:
        return self.elements[-1]

    def inside(self, element: Element) -> str:
        return self.data[element.inner : element.end].decode()

    def only_child(self, parent: Element, name: str) -> Element | None:
        """The element *name* in *parent*, if there is nothing but space beside it."""
        children = [one for one in self.elements if one.depth == parent.depth + 1]
        within = [one for one in children if parent.inner <= one.begin < parent.end]
        if len(within) != 1 or within[0].name != name:
            return None
        child = within[0]
        after = self.data.find(b">", child.end) + 1 if child.end > child.inner or self._closed(child) else child.inner
        beside = self.data[parent.inner : child.begin] + self.data[after : parent.end]
        return None if beside.strip() else child

    def _closed(self, element: Element) -> bool:
        """Whether it has an end tag of its own."""
        return self.data.startswith(b"</", element.end)


def parsed(document: str) -> Markup:
    """
    Raises:
        Inexpressible: *document* is not well-formed, longer than anybody takes, or has a document type, which could
            have anything in it.
    """
    if len(document) > _MOST_CHARACTERS:
        raise Inexpressible("ssml", f"it has more than {_MOST_CHARACTERS} characters")
    try:
        return _Reader(document.encode()).read()
    except (expat.ExpatError, UnicodeError, ValueError):
        raise Inexpressible("ssml", "it is not well-formed") from None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._open: list[tuple[str, dict[str, str], int, int]] = []
        self._done: list[Element] = []
        self._text: list[str] = []
        self._aliased = 0
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._say
        self._parser.StartDoctypeDeclHandler = self._refuse

    def read(self) -> Markup:
        self._parser.Parse(self._data, True)
        return Markup(self._data, tuple(self._done), _SPACES.sub(" ", "".join(self._text)).strip())

    def _refuse(self, *_: object) -> None:
        raise ValueError("a document type")

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        begin = self._parser.CurrentByteIndex
        self._open.append((name, attributes, begin, _tag_end(self._data, begin)))
        if name == "sub" and "alias" in attributes:
            self._say(attributes["alias"])
            self._aliased += 1
        elif name in ("p", "s", "break"):
            self._say(" ")

    def _end(self, name: str) -> None:
        _, attributes, begin, inner = self._open.pop()
        end = self._parser.CurrentByteIndex
        self._done.append(Element(name, attributes, len(self._open), begin, inner, max(end, inner)))
        if name == "sub" and "alias" in attributes:
            self._aliased -= 1
        elif name in ("p", "s"):
            self._say(" ")

    def _say(self, text: str) -> None:
        if not self._aliased:
            self._text.append(text)


def _tag_end(data: bytes, begin: int) -> int:
    """Behind the ``>`` of the tag at *begin*; one within quotation marks is none."""
    quote = 0
    for at in range(begin, len(data)):
        byte = data[at]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"\"'":
            quote = byte
        elif byte == 0x3E:
            return at + 1
    raise ValueError("a tag without an end")


def fragment(inner: str) -> Markup:
    """*inner*, which stands in a root.

    Raises:
        Inexpressible: as `parsed`.
    """
    return parsed(f"<speak>{inner}</speak>")


def is_plain(markup: Markup, within: Element) -> bool:
    """Whether there is no more in *within* than text, at most in paragraphs and sentences."""
    return all(
        one.name in _PLAIN and not one.attributes
        for one in markup.elements
        if within.inner <= one.begin and one.end <= within.end and one is not within
    )


def content(document: str) -> tuple[str, bool]:
    """What is in the root of *document*, and whether that is more than text.

    Raises:
        Inexpressible: as `parsed`, or another root than ``speak``.
    """
    markup = parsed(document)
    if markup.root.name != "speak":
        raise Inexpressible("ssml", "its root is not <speak>")
    if is_plain(markup, markup.root):
        return markup.text, False
    return markup.inside(markup.root), True


def refused(markup: Markup, taken: Elements) -> str | None:
    """Why a provider that takes the elements *taken* cannot speak *markup* as it is meant."""
    for element in markup.elements[:-1]:
        known = taken.get(element.name)
        if known is None:
            return f"there is no {_shown(element.name)} there"
        for name, value in element.attributes.items():
            if name not in known or not _is_common(element.name, name, value):
                return f"what <{element.name}> says may mean something else there"
    return None


def _is_common(element: str, attribute: str, value: str) -> bool:
    """Whether the providers read this value alike. (A bare "30%" of rate is a third to one and a third more to
    another.)
    """
    if element == "prosody":
        return bool(_PROSODY.fullmatch(value) or (attribute == "pitch" and _SEMITONES.fullmatch(value)))
    if element == "say-as" and attribute == "interpret-as":
        return value in _SAY_AS
    return element != "phoneme" or attribute != "alphabet" or value in _ALPHABETS


def _shown(name: str) -> str:
    """An element as it may be told: agents can call one anything."""
    return f"<{name}>" if name in _NAMES else "such element"


def escaped(text: str) -> str:
    """*text* as it stands in a document."""
    return escape(_UNSPEAKABLE.sub("", text))


def quoted(value: str) -> str:
    """*value* as that of an attribute, in its quotation marks."""
    return quoteattr(_UNSPEAKABLE.sub("", value))
