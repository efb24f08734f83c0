"""Whether two answers say the same, where that can be told: transcripts, and short answers of models. No I/O."""

import re
from typing import Any, Final

import msgspec

from sidecar.codings import unpacked
from sidecar_cache.entry import Entry
from sidecar_cache.forms import Unconvertible, Wanted, given_as

#: A longer answer is prose, which differs each time and may be right each time.
_LONGEST: Final = 200
_WORDS: Final = re.compile(r"[^\W_]+")
#: Members in which transcripts stand, in the order in which they are looked for.
_TRANSCRIPTS: Final = ("transcript", "text", "DisplayText", "result")
_UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError, Unconvertible)


def agree(stored: Entry, fresh: Entry) -> bool | None:
    """None where that cannot be told."""
    one, other = said(stored), said(fresh)
    return None if one is None or other is None else one == other


def said(entry: Entry) -> object:
    """What *entry* says, in a form that can be compared; None if there is none."""
    about = entry.about
    try:
        if about.operation == "stt":
            return _transcript(_document(entry, "transcription"))
        if about.operation == "chat":
            return _decision(_document(entry, _CHATS.get(about.endpoint, "")))
    except _UNREADABLE:
        pass
    return None


_CHATS: Final = {
    "chat.completions": "chat",
    "agents.completions": "chat",
    "responses": "responses",
    "messages": "messages",
    "generateContent": "gemini",
    "streamGenerateContent": "gemini",
}


def _document(entry: Entry, kind: str) -> Any:
    whole = given_as(entry, Wanted(kind, "whole", entry.about.dialect)) if kind else entry
    block = whole.block.lower()
    at = block.find(b"content-encoding:")
    coding = "" if at < 0 else block[at + 17 :].partition(b"\r")[0].decode("latin-1")
    data = unpacked(coding, whole.data) or b""
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data.decode() if b"text/plain" in block else None


def _transcript(document: Any) -> object:
    texts = [document] if isinstance(document, str) else list(_texts(document))
    return tuple(_WORDS.findall(" ".join(texts).casefold())) if texts else None


def _texts(value: Any) -> list[str]:
    """The transcripts in *value*: of alternatives only the first, and nothing of what stands in words and segments."""
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    if not isinstance(value, dict):
        return []
    for name in _TRANSCRIPTS:
        if isinstance(text := value.get(name), str):
            return [text]
    if isinstance(alternatives := value.get("alternatives"), list):
        return _texts(alternatives[:1])
    found = (value.get(name) for name in ("results", "channels", "result", "transcripts"))
    return [text for each in found if each is not None for text in _texts(each)]


def _decision(document: Any) -> object:
    """The tools that are called, or a short text: as JSON if it is JSON, else its words."""
    calls: list[tuple[str, Any]] = []
    texts: list[str] = []
    _gather(document, calls, texts)
    if calls:
        return tuple((name, msgspec.json.encode(arguments, order="deterministic")) for name, arguments in calls)
    text = " ".join(texts)
    if not text or len(text) > _LONGEST:
        return None
    try:
        return msgspec.json.encode(msgspec.json.decode(text), order="deterministic")
    except msgspec.DecodeError:
        return tuple(_WORDS.findall(text.casefold()))


def _gather(value: Any, calls: list[tuple[str, Any]], texts: list[str]) -> None:
    if isinstance(value, list):
        for each in value:
            _gather(each, calls, texts)
        return
    if not isinstance(value, dict):
        return
    function = value.get("function") or value.get("functionCall")
    if isinstance(function, dict) and "name" in function:
        calls.append((function["name"], _arguments(function.get("arguments", function.get("args")))))
        return
    if value.get("type") in ("tool_use", "function_call"):
        calls.append((str(value.get("name")), _arguments(value.get("input", value.get("arguments")))))
        return
    for name in ("choices", "message", "tool_calls", "output", "candidates", "content", "parts", "text"):
        inner = value.get(name)
        if isinstance(inner, str) and name in ("content", "text"):
            texts.append(inner)
        elif inner is not None:
            _gather(inner, calls, texts)


def _arguments(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, str) and value else value
