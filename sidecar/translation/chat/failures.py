"""Errors that come inside an answer, in any provider's shape."""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from sidecar.dialects.documents import UNREADABLE
from sidecar.dialects.openai_answer import telling
from sidecar.translation.chat.events import Failed

_UNTOLD: Final = "the provider gave up in the middle of its answer"
#: Words for what went wrong -> the HTTP status that would have come with them.
_STATUS: Final = {
    "api_error": 500,
    "authentication_error": 401,
    "billing_error": 402,
    "invalid_argument": 400,
    "invalid_prompt": 400,
    "invalid_request_error": 400,
    "not_found_error": 404,
    "overloaded_error": 529,
    "permission_denied": 403,
    "permission_error": 403,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "request_too_large": 413,
    "resource_exhausted": 429,
    "timeout_error": 504,
    "unavailable": 503,
}


class _Error(Struct):
    message: str | None = None
    type: str | None = None
    code: str | int | None = None
    status: str | int | None = None


_error = msgspec.json.Decoder(_Error | str).decode


def failure_of(raw: Raw | bytes = b"{}", *, kind: str = "") -> Failed:
    """The failure that an ``error`` tells of: an object with message and type, code or status, or a text."""
    try:
        error = _error(raw)
    except UNREADABLE:
        error = _Error()
    if isinstance(error, str):
        error = _Error(message=error)
    known = kind or telling(error.status, error.code, error.type)
    words = [str(word).lower() for word in (known, error.type, error.code, error.status) if word]
    status = next((_STATUS[word] for word in words if word in _STATUS), None)
    if status is None:
        status = next((int(word) for word in words if word.isascii() and word.isdigit() and len(word) == 3), 500)
    return Failed(known, error.message or _UNTOLD, status if 400 <= status < 600 else 500)
