"""Names and values of queries and urlencoded forms."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from sidecar_cache.rules.endpoint import Groups

_MALFORMED: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
#: What is not encoded by clients that encode.
_RAW: Final = re.compile(rb"[^!-~]")


def of_query(query: str) -> Groups:
    """By name, decoded.

    A plus stays one: whether it is a space is the server's affair, so it is the same neither as ``%20`` nor as ``%2B``.
    """
    groups: Groups = {}
    for item in query.encode("utf-8", "surrogatepass").split(b"&"):
        if item:
            name, equals, value = item.partition(b"=")
            text = _decoded(name).decode("utf-8", "surrogateescape")
            groups.setdefault(text, []).append(_decoded(value) if equals else None)
    return groups


def _decoded(text: bytes) -> bytes:
    """Percent-decoded but for percent signs and pluses themselves. What is no proper encoding stays as it is."""
    if b"%" not in text:
        return text
    if _MALFORMED.search(text):
        return b"%%" + text
    return b"+".join(
        [unquote_to_bytes(piece).replace(b"%", b"%25").replace(b"+", b"%2B") for piece in text.split(b"+")]
    )


def of_form(data: bytes) -> Groups | None:
    """An urlencoded form by name, decoded as such forms are; None for one that is not encoded as it should be, so that
    what its pluses and percent signs mean is not known.
    """
    if _RAW.search(data) or _MALFORMED.search(data):
        return None
    groups: Groups = {}
    for item in data.split(b"&"):
        if item:
            name, equals, value = item.replace(b"+", b" ").partition(b"=")
            text = unquote_to_bytes(name).decode("utf-8", "surrogateescape")
            groups.setdefault(text, []).append(unquote_to_bytes(value) if equals else None)
    return groups
