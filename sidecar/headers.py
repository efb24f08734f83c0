"""The header fields of one HTTP message, as they stood on the wire: order, case and repetitions are kept.

Two forms of the same thing, each made from the other only when asked for: *fields* (pairs of name and value) and
*block* (the bytes between start line and empty line). A message that nobody looks into is never taken apart.
"""

from collections.abc import Iterable, Iterator
from typing import Self

Field = tuple[bytes, bytes]

#: Fields that belong to one connection and not to the message (RFC 9110 section 7.6.1), and those of a proxy's hop.
HOP_BY_HOP = frozenset(
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


class Headers:
    """An immutable list of header fields. Names are matched without regard to case; text is latin-1 as on the wire."""

    __slots__ = ("_block", "_fields", "_first", "passable", "stated_length")

    def __init__(self, fields: Iterable[Field] = ()) -> None:
        self._fields: tuple[Field, ...] | None = tuple(fields)
        self._block: bytes | None = None
        self._first: dict[bytes, bytes] | None = None
        self.passable = False
        """Whether nothing hop-by-hop is in it for sure; then ``stated_length`` is its ``Content-Length``, if any."""
        self.stated_length: int | None = None

    @classmethod
    def passed_on(cls, block: bytes, stated_length: int | None) -> Self:
        """Take *block* without reading it: lines ending in CRLF that an HTTP parser has accepted, end-to-end fields
        only.
        """
        headers = cls.__new__(cls)
        headers._fields = headers._first = None
        headers._block = block
        headers.passable = True
        headers.stated_length = stated_length
        return headers

    @classmethod
    def parsed(cls, block: bytes) -> Self:
        """Take *block* apart: lines ending in CRLF that an HTTP parser has accepted."""
        lines = (line.partition(b":") for line in block.split(b"\r\n") if line)
        return cls((name, value.strip(b" \t")) for name, _, value in lines)

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
            fields = self._fields = Headers.parsed(self._block).fields
        return fields

    @property
    def block(self) -> bytes:
        """The fields as wire bytes, each line ended by CRLF, without the empty line after them."""
        block = self._block
        if block is None:
            block = self._block = b"".join([b"%b: %b\r\n" % field for field in self.fields])
        return block

    def get(self, name: str) -> str | None:
        """The value of the first field called *name*."""
        value = self.get_bytes(name.lower().encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    def get_bytes(self, name: bytes) -> bytes | None:
        """The same for a *name* in lower-case bytes; the quick way."""
        first = self._first
        if first is None:
            first = self._first = {}
            for key, value in self.fields:
                first.setdefault(key.lower(), value)
        return first.get(name)

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
        return Headers(field for field in self.fields if field[0].lower() not in unwanted)

    def end_to_end(self) -> "Headers":
        """The fields that a proxy passes on: all but hop-by-hop ones and those that ``Connection`` nominates."""
        if self.passable:
            return self
        nominated = [value for name, value in self.fields if name.lower() == b"connection"]
        unwanted = HOP_BY_HOP | {token.strip().lower() for token in b",".join(nominated).split(b",")}
        passing = Headers(field for field in self.fields if field[0].lower() not in unwanted)
        passing.passable = True
        length = passing.get_bytes(b"content-length")
        passing.stated_length = int(length) if length is not None and length.isdigit() else None
        return passing

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
