"""The header fields of one HTTP message, as they stood on the wire: order, case and repetitions are kept.

Two forms of the same thing, each made from the other only when asked for: *fields* (pairs of name and value) and
*block* (the bytes between start line and empty line). A message that nobody looks into is never taken apart: the few
lines that matter to a proxy are found by one search of the block, and everything else is passed on in one piece.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, Self

Field = tuple[bytes, bytes]
#: A line that matters: name and value in lower case, and where in the block line and value begin and the line ends.
Mark = tuple[bytes, bytes, int, int, int]

#: Fields that belong to one connection and not to the message (RFC 9110 section 7.6.1), and those of a proxy's hop.
HOP_BY_HOP: Final = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
#: What ``Connection`` may say without nominating other fields.
_SAYS_NOTHING: Final = frozenset((b"keep-alive", b"close", b""))
#: Besides the fields of a hop: framing, the host, and how long an SDK waits. As a tree, which is searched faster.
_MATTERS = re.compile(
    rb"\n(host|c(?:ontent-length|onnection)|t(?:ransfer-encoding|e|railer)|expect|keep-alive|upgrade"
    rb"|proxy-(?:authenticate|authorization|connection)|x-stainless-(?:read-)?timeout):[ \t]*([^\r]*)\r"
)
#: The one field that differs from call to call with agents that are traced themselves, and the bytes of its value.
TRACEPARENT: Final = re.compile(rb"\n[Tt]raceparent: ([0-9a-f-]{55})\r")
TRACE_BYTES: Final = 55


class Template:
    """What can be remembered of a head that comes again and again on a connection, with no change but in its length
    and in its ``traceparent``.

    ``route`` is where such requests go (`sidecar.intercept.calls`), ``rendered`` what they look like on their way there
    (`sidecar.upstream.head`), ``memo`` what layers make of it. It lives as long as the connection and holds
    credentials, as every head does.

    Args:
        trace: where in the block of such a head the value of ``traceparent`` is; None if there is none that changes.
    """

    __slots__ = ("_without", "memo", "rendered", "route", "trace")

    def __init__(self, trace: slice | None = None) -> None:
        self.trace = trace
        self.memo: dict[object, object] = {}
        self.route: tuple[object, Any] | None = None
        self.rendered: dict[object, Any] = {}
        self._without: dict[tuple[str, ...], Template] = {}

    def without(self, names: tuple[str, ...]) -> "Template | None":
        """Of such heads without the fields called *names*."""
        if self.trace is not None and "traceparent" not in names:
            return None
        found = self._without.get(names)
        if found is None:
            found = self._without[names] = Template()
        return found


class Headers:
    """An immutable list of header fields. Names are matched without regard to case; text is latin-1 as on the wire."""

    __slots__ = ("_block", "_fields", "_first", "_length", "_lowered", "_marks", "_passable", "template")

    def __init__(self, fields: Iterable[Field] = ()) -> None:
        self._fields: tuple[Field, ...] | None = tuple(fields)
        self._block: bytes | None = None
        self._marks: tuple[Mark, ...] | None = None
        self._first: dict[bytes, bytes] | None = None
        self._lowered: bytes | None = None
        self._passable = False
        self._length: int | None = None
        self.template: Template | None = None

    @classmethod
    def from_block(cls, block: bytes) -> Self:
        """Take *block*, lines ending in CRLF that an HTTP parser has accepted, without reading it."""
        headers = cls.__new__(cls)
        headers._block = block
        headers._fields = headers._first = headers._lowered = headers._marks = None
        headers._length = headers.template = None
        headers._passable = False
        return headers

    @classmethod
    def of(cls, **fields: str) -> Self:
        """``Headers.of(content_type="text/plain")``: underscores stand for hyphens."""
        return cls(
            (name.replace("_", "-").encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()
        )

    @property
    def fields(self) -> tuple[Field, ...]:
        fields = self._fields
        if fields is None:
            assert self._block is not None
            lines = (line.partition(b":") for line in self._block.split(b"\r\n") if line)
            fields = self._fields = tuple((name, value.strip(b" \t")) for name, _, value in lines)
        return fields

    @property
    def block(self) -> bytes:
        """The fields as wire bytes, each line ended by CRLF, without the empty line after them."""
        block = self._block
        if block is None:
            fields = self.fields
            block = self._block = b"\r\n".join(map(b": ".join, fields)) + b"\r\n" if fields else b""
        return block

    @property
    def marks(self) -> tuple[Mark, ...]:
        """The lines of `block` that matter to a proxy, in order."""
        marks = self._marks
        if marks is None:
            found = []
            for match in _MATTERS.finditer(self._searchable()):
                name, value = match.groups()
                start = match.start()
                found.append((name, value.rstrip(b" \t"), start, match.start(2) - 1, match.end()))
            marks = self._marks = tuple(found)
        return marks

    def _searchable(self) -> bytes:
        """`block` in lower case and one byte ahead: lines start where the line break before them is found."""
        lowered = self._lowered
        if lowered is None:
            lowered = self._lowered = b"\n" + self.block.lower()
        return lowered

    def get(self, name: str) -> str | None:
        """The value of the first field called *name*."""
        value = self.get_bytes(name.lower().encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    def get_bytes(self, name: bytes) -> bytes | None:
        """The same for a *name* in lower-case bytes; the quick way."""
        if self._fields is None:  # one search costs less than taking all of it apart
            assert self._block is not None
            lowered = self._searchable()
            at = lowered.find(b"\n%b:" % name)
            if at < 0:
                return None
            begin = at + len(name) + 1
            return self._block[begin : self._block.find(b"\r", begin)].strip(b" \t")
        first = self._first
        if first is None:
            first = self._first = {}
            for key, value in self._fields:
                first.setdefault(key.lower(), value)
        return first.get(name)

    def lines(self, *names: bytes) -> bytes:
        """The lines of `block` called one of *names* (in lower-case bytes), those of one name together."""
        block = self.block
        return b"".join([block[begin:end] for begin, end in self._places(names)])

    def _places(self, names: Iterable[bytes]) -> list[tuple[int, int]]:
        """Where in `block` the lines called one of *names* (in lower case) begin and end."""
        block, lowered, found = self.block, self._searchable(), []
        for name in names:
            wanted, at = b"\n%b:" % name, -1
            while (at := lowered.find(wanted, at + 1)) >= 0:
                found.append((at, block.find(b"\n", at) + 1))
        return found

    def get_all(self, name: str) -> tuple[str, ...]:
        wanted = name.lower().encode("latin-1")
        return tuple(value.decode("latin-1") for key, value in self.fields if key.lower() == wanted)

    def with_field(self, name: str, value: str) -> "Headers":
        """*value* under *name*: in place of the first such field (any others go), else at the end."""
        wanted, fields, placed = name.lower().encode("latin-1"), [], False
        for field in self.fields:
            if field[0].lower() != wanted:
                fields.append(field)
            elif not placed:
                fields.append((field[0], value.encode("latin-1")))
                placed = True
        if not placed:
            fields.append((name.encode("latin-1"), value.encode("latin-1")))
        return Headers(fields)

    def adding(self, name: str, value: str) -> "Headers":
        return Headers((*self.fields, (name.encode("latin-1"), value.encode("latin-1"))))

    def without(self, *names: str) -> "Headers":
        unwanted = {name.lower().encode("latin-1") for name in names}
        if self._fields is not None:
            return Headers(field for field in self._fields if field[0].lower() not in unwanted)
        places = self._places(unwanted)
        if not places:
            return self
        block, pieces, done = self.block, [], 0
        for begin, end in sorted(places):
            pieces.append(block[done:begin])
            done = end
        pieces.append(block[done:])
        rest = Headers.from_block(b"".join(pieces))
        if self.template is not None:
            rest.template = self.template.without(names)
        return rest

    def end_to_end(self) -> "Headers":
        """The fields that a proxy passes on: all but hop-by-hop ones and those that ``Connection`` nominates."""
        if self._passable:
            return self
        block, pieces, at, length = self.block, [], 0, None
        for name, value, start, _, end in self.marks:
            if name == b"content-length":
                length = int(value) if value.isdigit() else None
            elif name in HOP_BY_HOP:
                if name == b"connection" and value not in _SAYS_NOTHING:
                    return self._without_nominated()
                pieces.append(block[at:start])
                at = end
        pieces.append(block[at:])
        passing = Headers.from_block(b"".join(pieces)) if at else self
        passing._passable, passing._length = True, length
        return passing

    @classmethod
    def passing(cls, block: bytes, length: int | None) -> Self:
        """Take *block* as `from_block` does, knowing that it is end to end and what ``Content-Length`` says in it."""
        headers = cls.from_block(block)
        headers._passable, headers._length = True, length
        return headers

    @property
    def stated_length(self) -> int | None:
        """What ``Content-Length`` says."""
        return self.end_to_end()._length

    def _without_nominated(self) -> "Headers":
        unwanted = set(HOP_BY_HOP)
        for name, value, *_ in self.marks:
            if name == b"connection":
                unwanted.update(token.strip() for token in value.split(b","))
        return Headers(field for field in self.fields if field[0].lower() not in unwanted).end_to_end()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get_bytes(name.lower().encode("latin-1")) is not None

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def __eq__(self, other: object) -> bool:
        return self.fields == other.fields if isinstance(other, Headers) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.fields)

    def __repr__(self) -> str:
        """Names only: values may be secrets, and reprs end up in logs."""
        return f"Headers({', '.join(name.decode('latin-1') for name, _ in self.fields)})"
