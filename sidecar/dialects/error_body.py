"""What errors say of themselves, in whichever of the shapes that are in use: one reader for all families.

=====================================================================  ===============================================
``{"error": {"message", "type", "code", "status", "details", …}}``      OpenAI, Anthropic, Google, Azure, Yandex
``{"error": "…", "error_code": …}``                                     AssemblyAI, servers that follow OpenAI
``{"detail": {"status", "message"} | [{"type", "msg"}] | "…"}``         ElevenLabs, Mistral, whatever uses FastAPI
``{"err_code", "err_msg"}`` and ``{"category", "message"}``             Deepgram
``{"error_code", "title" | "error_message", "message"}``                Cartesia, AssemblyAI, Yandex
``{"object" | "type": "error", "message", "code", …}``                  Mistral, the Responses API, Deepgram's sockets
``{"response" | "interaction": {"status": "failed", "error": {…}}}``    the Responses API, Gemini's interactions
``{"x_groq": {"error": "…"}}``                                          Groq, in a chunk of a stream
``{"message_type": "…_error", "error": "…"}``                           ElevenLabs' sockets
``{"statusCode": 401, "message": "…"}``                                 Azure's gateway
``Title: message``, or any text                                         Cartesia of old, proxies
=====================================================================  ===============================================
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from sidecar.dialects.documents import UNREADABLE, documents, last_member, unpacked
from sidecar.failure import MESSAGE_LIMIT
from sidecar.headers import Headers

#: What is looked at of an error's body, in bytes; the rest of a longer one is cut off.
_READ_LIMIT: Final = 1 << 16
_TITLE: Final = re.compile(r"([A-Z][\w ]{2,48}): ", re.ASCII)
_LONGEST_CODE: Final = 120
#: gRPC's status codes by number.
RPC_NAMES: Final = (
    *("OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS"),
    *("PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED"),
    *("INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"),
)

Members = dict[str, Any]


class Told(Struct, frozen=True, kw_only=True):
    """What an error says."""

    codes: tuple[str, ...] = ()
    """The most telling first."""
    message: str = ""
    status: int = 0
    """The HTTP status that the body names."""
    quotas: tuple[str, ...] = ()
    """The names of those that are used up (Google)."""
    wait_seconds: float | None = None


NOTHING: Final = Told()


class _Outer(Struct):
    """All members are `Raw`, so that one of an unusual type does not hide the others."""

    error: Raw = Raw()
    type: Raw = Raw()
    object: Raw = Raw()
    status: Raw = Raw()
    err_code: Raw = Raw()
    error_code: Raw = Raw()
    response: Raw = Raw()
    interaction: Raw = Raw()
    x_groq: Raw = Raw()


_outer = msgspec.json.Decoder(_Outer).decode
_any = msgspec.json.Decoder().decode

_EMPTY: Final = frozenset((b"", b"null", b"false", b"{}", b"[]", b'""'))
_FAILED: Final = frozenset((b'"failed"', b'"error"'))
_ERROR: Final = frozenset((b'"error"', b'"Error"'))


def of_answer(headers: Headers, body: bytes, *, titled: bool = False) -> Told:
    """What the body of an answer says whose status says that it is an error. It may be cut.

    Args:
        titled: whether text in it begins with a title that tells what kind of error it is.
    """
    body = unpacked(headers, body)[:_READ_LIMIT]
    for document in documents(Headers(), body, "error", "detail"):
        try:
            told = _of_any(document)
        except UNREADABLE:
            continue
        if told != NOTHING:
            return told
    return _salvaged(body) if body.lstrip()[:1] in (b"{", b"[") else _of_text(headers, body, titled)


def of_document(document: bytes | Raw) -> Told | None:
    """What a document says if it says that something went wrong.

    Raises:
        any of `UNREADABLE`: it is no JSON object.
    """
    outer = _outer(document)
    for nested in (outer.response, outer.interaction):
        if bytes(memoryview(nested)[:1]) == b"{" and _says_so(_outer(nested)):
            return _of_any(nested)
    if not _is_empty(outer.x_groq):
        members = _any(outer.x_groq)
        said = members.get("error") if isinstance(members, dict) else None
        if isinstance(said, str) and said:
            return Told(codes=(said,), message=said[:MESSAGE_LIMIT])
    return _of_any(document) if _says_so(outer) else None


def _says_so(outer: _Outer) -> bool:
    return (
        not all(map(_is_empty, (outer.error, outer.err_code, outer.error_code)))
        or bytes(outer.status) in _FAILED
        or bytes(outer.type) in _ERROR
        or bytes(outer.object) in _ERROR
    )


def _is_empty(raw: Raw) -> bool:
    return len(memoryview(raw)) < 6 and bytes(raw) in _EMPTY


def _of_any(document: bytes | Raw) -> Told:
    value = _any(document)
    return _of_members(value) if isinstance(value, dict) else NOTHING


def _salvaged(body: bytes) -> Told:
    """What can still be read of JSON that has been cut."""
    found: Members = {}
    for name in (*_CODES, *_MESSAGES, *_STATUSES):
        if (value := last_member(body, name)) is not None:
            try:
                found[name] = _any(value)
            except UNREADABLE:
                continue
    return _of_members(found)


def _of_text(headers: Headers, body: bytes, titled: bool) -> Told:
    text = body[: 2 * MESSAGE_LIMIT].decode("utf-8", "replace").strip().rstrip("\ufffd")[:MESSAGE_LIMIT]
    if "\ufffd" in text or "\0" in text or text[:1] == "<" or "html" in (headers.get("content-type") or "").lower():
        return NOTHING
    title = _TITLE.match(text) if titled else None
    return Told(codes=(title[1],) if title else (), message=text)


# -- objects ----------------------------------------------------------------------------------------------------------

#: Where codes stand, the most telling first.
_CODES: Final = (
    *("error_code", "err_code", "code", "reason", "category", "message_type", "grpcCode", "status", "type"),
    *("error_type", "title"),
)
_MESSAGES: Final = ("message", "err_msg", "error_message", "error_description", "msg", "description")
_STATUSES: Final = ("status_code", "statusCode", "raw_status_code", "httpCode", "status", "code")
_QUOTAS: Final = ("quotaId", "quota_id", "quota_limit")
#: A text in the place of an error's object that is a code, no sentence.
_WORD: Final = re.compile(r"[a-z]+(?:_[a-z]+)*")
_SAY_NOTHING: Final = frozenset(("", "error", "Error", "failed", "false", "true"))


def _of_members(members: Members) -> Told:
    """An error's members, at the top or within ``error`` or ``detail``."""
    codes: list[str] = []
    quotas: list[str] = []
    wait, message, status = None, "", 0
    for one in _objects(members):
        details = one.get("details")
        inner = one.get("innererror")  # Azure's says no more of a content filter than its own code does
        codes += [code for code in _reasons(details) if code]
        codes += [code for name in _CODES if (code := _code(name, one.get(name)))]
        codes += [code] if isinstance(inner, dict) and (code := _code("code", inner.get("code"))) else []
        quotas += _quotas(details)
        wait = wait if wait is not None else _wait(one, details)
        message = message or next((text for name in _MESSAGES if (text := _text(one.get(name)))), "")
        status = status or next((found for name in _STATUSES if (found := _status(one.get(name)))), 0)
    for name in ("error", "detail", "details"):
        text = _text(members.get(name))
        if name == "error" and _WORD.fullmatch(text):
            codes.append(text)
        message = message or text
    return Told(
        codes=tuple(dict.fromkeys(codes)),
        message=message[:MESSAGE_LIMIT],
        status=status,
        quotas=tuple(quotas),
        wait_seconds=wait,
    )


def _objects(members: Members) -> Iterator[Members]:
    """Those that tell of the error, the innermost first."""
    details = members.get("status_details")
    for value in (details.get("error") if isinstance(details, dict) else None, members.get("error")):
        if isinstance(value, dict):
            yield value
    for name in ("detail", "errors"):
        value = members.get(name)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, dict):
            yield value
    yield members


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _code(name: str, value: object) -> str:
    """A word, or a number; gRPC's numbers as their names."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    if isinstance(value, int):
        if name in ("code", "grpcCode") and 0 < value < len(RPC_NAMES):
            return RPC_NAMES[value]
        return str(value) if 0 < value < 100_000 else ""
    return "" if value in _SAY_NOTHING or len(value) > _LONGEST_CODE else value


def _status(value: object) -> int:
    """*value* if it is an HTTP status of an error, in quotation marks or without."""
    if isinstance(value, str) and len(value) == 3 and value.isascii() and value.isdigit():
        value = int(value)
    return value if isinstance(value, int) and 400 <= value < 600 else 0


# -- details ----------------------------------------------------------------------------------------------------------


def _reasons(details: object) -> Iterator[str]:
    """Codes that tell more than the error's own: Anthropic has an object of details, Google a list."""
    if isinstance(details, dict):
        yield _code("code", details.get("error_code"))
    for one in _entries(details):
        yield _code("reason", one.get("reason"))


def _quotas(details: object) -> Iterator[str]:
    """Names of quotas in Google's ``QuotaFailure`` and ``ErrorInfo``."""
    for one in _entries(details):
        for each in (one.get("metadata"), *_entries(one.get("violations"))):
            if isinstance(each, dict):
                yield from (quota for name in _QUOTAS if (quota := _text(each.get(name))[:_LONGEST_CODE]))


def _entries(value: object) -> list[Members]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _wait(members: Members, details: object) -> float | None:
    """Google's ``RetryInfo`` ("46s", or seconds and nanoseconds), AssemblyAI's ``retry_after_seconds``."""
    for one in _entries(details):
        delay = one.get("retryDelay", one.get("retry_delay"))
        if isinstance(delay, dict):
            delay = delay.get("seconds")
        if (seconds := _seconds(delay)) is not None:
            return seconds
    return _seconds(members.get("retry_after_seconds"))


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value.removesuffix("s") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
