"""The JSON documents in an answer, whole or cut: one, a stream of events, lines, or what is left of a long one."""

import json
import re
from collections.abc import Iterator

import msgspec
from msgspec import Raw

from sidecar import codings, sse
from sidecar.headers import Headers

#: What JSON of the wrong kind, no JSON at all or a bomb of brackets raises.
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)

#: The most bytes that a compressed answer is unpacked to.
UNPACKED_LIMIT = 1 << 20

_LAST_EVENTS, _FIRST_EVENTS = 8, 4

_ANY = msgspec.json.Decoder(Raw)
_LIST = msgspec.json.Decoder(list[Raw])
_PYTHON = json.JSONDecoder()
_SPACE = re.compile(r"[ \t\r\n]*")


def documents(headers: Headers, body: bytes, *members: str) -> Iterator[bytes | Raw]:
    """What an answer says, the last that it said first.

    Args:
        body: all of the answer or its last part.
        members: what to look for in a document whose beginning is missing; each is given as an object with only it.
    """
    body = unpacked(headers, body)
    content_type = (headers.get("content-type") or "").lower()
    if "event-stream" in content_type or body.startswith((b"data:", b"event:")):
        yield from _of_events(body)
    elif "json" in content_type or body[:64].lstrip()[:1] in (b"{", b"["):
        if whole := _whole(body):
            yield from whole
            return
        yield from _of_lines(body)
    else:
        return
    for member in members:
        if (value := last_member(body, member)) is not None:
            yield b'{"%b":%b}' % (member.encode(), value)


def unpacked(headers: Headers, body: bytes) -> bytes:
    """*body* without its content coding; b"" where that cannot be undone: a coding we do not have, or not all there."""
    value = headers.get_bytes(b"content-encoding")
    if value is None or not body:
        return body
    return codings.unpacked(value.decode("latin-1"), body, UNPACKED_LIMIT) or b""


def _of_events(body: bytes) -> Iterator[bytes]:
    blocks = sse.blocks(body)
    chosen = blocks[-_LAST_EVENTS:][::-1] + blocks[: max(len(blocks) - _LAST_EVENTS, 0)][:_FIRST_EVENTS]
    for block in chosen:
        if (event := sse.event_of(block)) and event.data[:1] == b"{":
            yield event.data


def _whole(body: bytes) -> list[bytes | Raw]:
    """Nothing unless *body* is one JSON text."""
    try:
        if body.lstrip()[:1] == b"[":
            return list(reversed(_LIST.decode(body)))
        _ANY.decode(body)
    except UNREADABLE:
        return []
    return [body]


def _of_lines(body: bytes) -> Iterator[bytes]:
    lines = body.rsplit(b"\n", _LAST_EVENTS)
    for line in reversed(lines[1:] if len(lines) > _LAST_EVENTS else lines):
        if line[:1] == b"{":
            yield line


def last_member(tail: bytes, name: str) -> bytes | None:
    """The value of the last whole member *name* in JSON text whose beginning may be missing.

    A name inside a string cannot be mistaken for one: there its quotation marks are escaped.
    """
    wanted = b'"%b"' % name.encode()
    end = len(tail)
    for _ in range(3):
        if (at := tail.rfind(wanted, 0, end)) < 0:
            return None
        end = at
        rest = tail[at + len(wanted) :].decode("utf-8", "replace").lstrip()
        if rest.startswith(":"):
            value = rest[1:].lstrip()
            try:
                _, length = _PYTHON.raw_decode(value)
            except UNREADABLE:
                continue
            if value[:length] != "null":
                return value[:length].encode()
    return None


def whole_members(head: bytes) -> bytes:
    """The JSON object that *head* begins, with only those of its members that are all there.

    Raises:
        ValueError: *head* does not begin an object.
    """
    text = head.decode("utf-8", "ignore")
    at = _after_space(text, 0)
    if text[at : at + 1] != "{":
        raise ValueError("not an object")
    begin, end = at + 1, at + 1
    try:
        while True:
            _, colon = _PYTHON.raw_decode(text, _after_space(text, at + 1))
            _, after = _PYTHON.raw_decode(text, _after_space(text, _after_space(text, colon) + 1))
            at = _after_space(text, after)
            # A number that touches the cut may have more digits behind it.
            if text[at : at + 1] not in (",", "}"):
                break
            end = after
            if text[at] == "}":
                break
    except (ValueError, RecursionError):
        pass
    return f"{{{text[begin:end]}}}".encode()


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
