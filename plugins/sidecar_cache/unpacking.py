"""Content codings undone, as far as the standard library can."""

import zlib
from typing import Final

#: What an answer is unpacked to at most; what is larger is as good as what cannot be unpacked.
UNPACKED_BYTES: Final = 32 * 1024 * 1024
_CODINGS: Final = frozenset(("gzip", "x-gzip", "deflate"))
_ZLIB_OR_GZIP, _BARE = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS


def unpacked(coding: str, data: bytes) -> bytes | None:
    """*data* without its *coding*; None if that cannot be undone, or not all of *data* is there."""
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return data
    if coding not in _CODINGS:
        return None
    for window in (_ZLIB_OR_GZIP, _BARE):
        unpacking = zlib.decompressobj(window)
        try:
            plain = unpacking.decompress(data, UNPACKED_BYTES)
        except zlib.error:
            continue
        return plain if unpacking.eof else None
    return None
