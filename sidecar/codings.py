"""Content codings undone, as far as the standard library can. No I/O."""

import zlib
from typing import Final

#: What is unpacked at most, unless somebody says otherwise.
UNPACKED_BYTES: Final = 32 * 1024 * 1024
_CODINGS: Final = frozenset(("gzip", "x-gzip", "deflate"))
_ZLIB_OR_GZIP, _BARE = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS


def unpacked(coding: str, data: bytes, limit: int = UNPACKED_BYTES) -> bytes | None:
    """*data* without its *coding* (gzip, deflate with or without a head, identity); None if that cannot be undone, not
    all of *data* is there, or it has more than *limit* bytes then.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return data
    if coding not in _CODINGS:
        return None
    for window in (_ZLIB_OR_GZIP, _BARE):
        unpacking = zlib.decompressobj(window)
        try:
            plain = unpacking.decompress(data, limit)
        except zlib.error:
            continue
        return plain if unpacking.eof else None
    return None
