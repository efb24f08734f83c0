"""What all forms are made of: event streams taken apart and written, JSON objects of which only what matters is read.

Values stay the bytes they came as (`msgspec.Raw`): numbers keep their spelling, and unknown members survive.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from sidecar.sse import blocks, event_of

Members = dict[str, Raw]

NULL: Final = Raw(b"null")
#: How the streams of OpenAI's kind end; it is no JSON.
DONE: Final = b"[DONE]"
BOM: Final = b"\xef\xbb\xbf"

#: What JSON of another shape than expected raises, or what is none.
UNREADABLE: Final = (msgspec.MsgspecError, ValueError, KeyError, IndexError, RecursionError)

members_of = msgspec.json.Decoder(Members).decode
items_of = msgspec.json.Decoder(list[Raw] | None).decode
text_of = msgspec.json.Decoder(str | None).decode
number_of = msgspec.json.Decoder(int | None).decode
audio_of = msgspec.json.Decoder(bytes).decode
encode = msgspec.json.encode


class Unconvertible(Exception):
    """An answer that cannot be given in the form asked for. ``str()`` says why, without any of its content."""


def documents(stream: bytes) -> Iterator[bytes]:
    """The data of a stream's events in order, but for `DONE`."""
    for block in blocks(stream.removeprefix(BOM)):
        data = _data(block)
        if data is not None and data != DONE:
            yield data


def _data(block: bytes) -> bytes | None:
    """The data of an event; None for a comment. Most events have a line of it, and at most a name before that."""
    if b"\r" not in block:
        if block.startswith(b"data: ") and b"\n" not in block:
            return block[6:]
        if block.startswith(b"event:"):
            _, name_end, line = block.partition(b"\ndata: ")
            if name_end and block.count(b"\n") == 1:
                return line
    event = event_of(block)
    return None if event is None else event.data


def written(document: object, event: str = "") -> bytes:
    """One event of a stream; a dialect whose clients go by names gives its *event*."""
    name = b"event: %b\n" % event.encode() if event else b""
    return b"%bdata: %b\n\n" % (name, in_one_line(encode(document)))


def in_one_line(document: bytes) -> bytes:
    """A JSON text as the data of an event takes it."""
    return msgspec.json.format(document, indent=-1) if b"\n" in document or b"\r" in document else document


def is_there(raw: Raw | None) -> bool:
    """Whether a member says anything."""
    return raw is not None and bytes(raw) not in (b"null", b'""', b"[]", b"{}", b"0")


def is_text(raw: Raw) -> bool:
    return bytes(memoryview(raw)[:1]) == b'"'


def texts(raws: Iterable[Raw]) -> str:
    """Pieces of a text put together."""
    return "".join([text_of(raw) or "" for raw in raws])


def inner(members: Mapping[str, Raw], name: str) -> Members:
    """The object under *name*; empty if there is none."""
    raw = members.get(name, NULL)
    return {} if raw == NULL else members_of(raw)


def items(members: Mapping[str, Raw], name: str) -> list[Raw]:
    """The list under *name*; empty if there is none."""
    return items_of(members.get(name, NULL)) or []
