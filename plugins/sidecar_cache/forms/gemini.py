"""Gemini's content: whole, in events, or as one list. A whole answer is a stream of one chunk."""

import base64
from typing import Final

from msgspec import Raw

from sidecar_cache.forms.pieces import (
    NULL,
    Members,
    Unconvertible,
    audio_of,
    documents,
    encode,
    in_one_line,
    inner,
    items,
    items_of,
    members_of,
    number_of,
    text_of,
)

#: What each chunk says of its candidate as far as it has come.
_SO_FAR: Final = frozenset(("avgLogprobs", "finishMessage", "finishReason", "index", "safetyRatings", "tokenCount"))
_HEADERLESS: Final = ("audio/l16", "audio/pcm")


def of_chunks(chunks: list[bytes]) -> bytes:
    """One answer of a stream's chunks."""
    answer: Members = {}
    candidates: dict[int, _Candidate] = {}
    for chunk in chunks:
        members = members_of(chunk)
        for raw in items(members, "candidates"):
            said = members_of(raw)
            candidates.setdefault(number_of(said.get("index", NULL)) or 0, _Candidate()).take(said)
        answer |= members
    if not chunks:
        raise Unconvertible("the stream has no answer in it")
    if candidates:
        answer["candidates"] = Raw(encode([each.whole() for _, each in sorted(candidates.items())]))
    return encode(answer)


def of_events(stream: bytes) -> list[bytes]:
    return list(documents(stream))


def of_list(answer: bytes) -> list[bytes]:
    return [bytes(raw) for raw in items_of(answer) or ()]


def events(chunks: list[bytes]) -> bytes:
    return b"".join([b"data: %b\r\n\r\n" % in_one_line(chunk) for chunk in chunks])


def listed(chunks: list[bytes]) -> bytes:
    return b"[%b]" % b",\r\n".join(chunks)


class _Candidate:
    def __init__(self) -> None:
        self._members: Members = {}
        self._content: Members = {}
        self._parts: list[Members] = []

    def take(self, said: Members) -> None:
        content = inner(said, "content")
        for raw in items(content, "parts"):
            part = members_of(raw)
            if not (self._parts and _joined(self._parts[-1], part)):
                self._parts.append(part)
        self._content |= content
        for name, raw in said.items():
            if name not in _SO_FAR and name != "content" and self._members.get(name, raw) != raw:
                raise Unconvertible(f"the stream says {name} in pieces")
            self._members[name] = raw

    def whole(self) -> Members:
        if self._content:
            self._content["parts"] = Raw(encode(self._parts))
            self._members["content"] = Raw(encode(self._content))
        return self._members


def _joined(before: Members, part: Members) -> bool:
    """Whether *part* only goes on with the part *before*, to which it is added then."""
    if set(before) | set(part) <= {"text", "thought"} and "text" in before and "text" in part:
        if before.get("thought", NULL) != part.get("thought", NULL):
            return False
        before["text"] = Raw(encode((text_of(before["text"]) or "") + (text_of(part["text"]) or "")))
        return True
    if set(before) != {"inlineData"} or set(part) != {"inlineData"}:
        return False
    first, second = members_of(before["inlineData"]), members_of(part["inlineData"])
    kind = text_of(first.get("mimeType", NULL)) or ""
    if first.get("mimeType") != second.get("mimeType") or not kind.lower().startswith(_HEADERLESS):
        return False
    first["data"] = Raw(encode(base64.b64encode(audio_of(first["data"]) + audio_of(second["data"])).decode()))
    before["inlineData"] = Raw(encode(first))
    return True
