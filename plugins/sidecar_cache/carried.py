"""Entries on their way from one sidecar to another, as a file: what `sidecar cache export` writes. No I/O.

``opening line · records · end``. A record is a key (32 digits), a length (4 bytes) and a sealed entry. They are sealed
by what keys are made with: whoever can make use of them can read them, and nobody else.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from sidecar import Secret
from sidecar_cache.codec import Codec

_MAGIC: Final = b"agent-sidecar cache export 1 "
_LONGEST_OPENING: Final = 200
_KEY_DIGITS: Final = 32
_LENGTH_BYTES: Final = 4
_DIGITS: Final = frozenset(b"0123456789abcdef")
END: Final = b"-" * _KEY_DIGITS + bytes(_LENGTH_BYTES)


class NoExport(Exception):
    """These bytes are no such file, or are damaged; ``str()`` says why."""


class Carried(NamedTuple):
    label: str
    """Of those who can read the entries: see `Codec.label`."""
    records: list[tuple[str, bytes]]
    """Keys and sealed entries."""
    whole: bool
    """Whether its end is there."""


def codec_of(secret: bytes) -> Codec:
    """
    Args:
        secret: 32 bytes that keys are made with.
    """
    return Codec(Secret(secret.hex()))


def opening(label: str) -> bytes:
    return _MAGIC + label.encode() + b"\n"


def record(key: str, sealed: bytes) -> bytes:
    return b"%b%b%b" % (key.encode(), len(sealed).to_bytes(_LENGTH_BYTES, "big"), sealed)


def read(content: bytes) -> Carried:
    """
    Raises:
        NoExport: nothing of it is to be used.
    """
    line_end = content.find(b"\n", 0, _LONGEST_OPENING)
    if not content.startswith(_MAGIC) or line_end < 0:
        raise NoExport("no export of a cache, or of another version")
    records: list[tuple[str, bytes]] = []
    at, end = line_end + 1, len(content)
    while at < end:
        begin = at + _KEY_DIGITS + _LENGTH_BYTES
        key = content[at : at + _KEY_DIGITS]
        if content[at:begin] == END:
            if begin != end:
                raise NoExport("something stands behind its end")
            return Carried(content[len(_MAGIC) : line_end].decode("ascii", "replace"), records, True)
        at = begin + int.from_bytes(content[begin - _LENGTH_BYTES : begin], "big")
        if not _DIGITS.issuperset(key) or at > end or begin > end:
            raise NoExport(f"damaged or cut off after {len(records)} entries")
        records.append((key.decode(), content[begin:at]))
    return Carried(content[len(_MAGIC) : line_end].decode("ascii", "replace"), records, False)


def batches(carried: Carried, most_bytes: int) -> Iterator[bytes]:
    """*carried* in pieces of about *most_bytes*, each of which can be read alone."""
    head = opening(carried.label)
    piece = head
    for key, sealed in carried.records:
        if len(piece) > len(head) and len(piece) + len(sealed) > most_bytes:
            yield piece
            piece = head
        piece += record(key, sealed)
    if len(piece) > len(head):
        yield piece
