"""The turns of a conversation with Gemini."""

from typing import Final

import msgspec
from msgspec import Raw

from sidecar.dialects.documents import UNREADABLE
from sidecar.dialects.members import begins
from sidecar.translation.chat import media
from sidecar.translation.chat.ask import Media, Part, Role, Text, ToolCall, ToolResult, Turn
from sidecar.translation.chat.gemini.fields import HARMLESS_IN_PART
from sidecar.translation.chat.losses import Fields, Losses, is_text
from sidecar.translation.contract import Inexpressible

_ROLES: Final[dict[str, Role]] = {"function": "user", "model": "assistant", "tool": "user", "user": "user"}

_string = msgspec.json.Decoder(str).decode
_raws = msgspec.json.Decoder(list[Raw]).decode
_given = msgspec.json.Decoder(dict[str, Raw]).decode


class Contents:
    """Reads turns one after another. Calls need no identifiers: results belong to calls of their name, in order."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._made = 0
        self._open: list[tuple[str, str]] = []
        """Identifier and name of calls that have no result yet."""

    def read_turn(self, raw: Raw | None) -> Turn:
        """
        Raises:
            Inexpressible: something in it is known only to Gemini.
        """
        if raw is None:
            return Turn("user", ())
        if is_text(raw):
            return Turn("user", (Text(_string(raw)),))
        fields = Fields(raw, self._losses, "contents", camel=True)
        role = _ROLES.get(fields.text("role") or "user", "user" if "parts" in fields else None)
        if role is None:
            raise Inexpressible("contents.role", "a role that is not known")
        parts = fields.raw("parts")
        fields.rest()
        read = [] if parts is None else [self._read_part(each) for each in _several(parts)]
        return Turn(role, tuple([part for part in read if part is not None]))

    def _read_part(self, raw: Raw) -> Part | None:
        fields = Fields(raw, self._losses, "parts", camel=True)
        thought = fields.flag("thought")
        fields.harmless(HARMLESS_IN_PART)
        part: Part | None = None
        if (text := fields.text("text")) is not None:
            part = Text(text)
        elif (blob := fields.inner("inlineData", camel=True)) is not None:
            part = _inline(blob)
        elif (file := fields.inner("fileData", camel=True)) is not None:
            part = self._file(file)
        elif (call := fields.inner("functionCall", camel=True)) is not None:
            part = self._call(call)
        elif (result := fields.inner("functionResponse", camel=True)) is not None:
            part = self._result(result)
        if thought:
            self._losses.harmless("parts.thought")
            return None
        fields.rest({"executableCode": "built-in tools and what they give are not translated"})
        return part

    def _file(self, file: Fields) -> Media | None:
        url, media_type = file.text("fileUri") or "", file.text("mimeType") or ""
        name = file.text("displayName")
        file.rest()
        kind = media.kind_of(media_type)
        if not url.startswith("https://") or ".googleapis.com/" in url or "youtube.com/" in url or "youtu.be/" in url:
            self._losses.cannot(kind, "it stands where only the agent's provider can find it")
            return None
        return Media(kind=kind, media_type=media_type or None, url=url, filename=name)

    def _call(self, call: Fields) -> ToolCall:
        name = call.text("name") or ""
        identifier = call.text("id")
        if identifier is None:
            self._made += 1
            identifier = f"call_{self._made}"
        given = call.raw("args")
        call.rest()
        self._open.append((identifier, name))
        return ToolCall(identifier, name, "{}" if given is None else bytes(given).decode("utf-8", "replace"))

    def _result(self, result: Fields) -> ToolResult:
        name, identifier = result.text("name") or "", result.text("id")
        at = 1 if identifier is None else 0
        found = next((known for known in self._open if known[at] == (identifier, name)[at]), None)
        if found is not None:
            self._open.remove(found)
        text, failed = _output_of(result.raw("response"))
        result.usual({"willContinue": (b"false",), "parts": (b"[]",)})
        result.harmless({"scheduling": "when an answer is spoken in a live conversation"})
        result.rest({"parts": "tools can give nothing but text"})
        known_as = (identifier or "") if found is None else found[0]
        return ToolResult(id=known_as, name=name, parts=(Text(text),), failed=failed)


def _several(raw: Raw) -> list[Raw]:
    """Parts in a list, or the one that stands there without it."""
    if begins(raw, b"{"):
        return [raw]
    try:
        return _raws(raw)
    except msgspec.MsgspecError:
        raise Inexpressible("contents.parts", "it is neither an object nor a list of them") from None


def _inline(blob: Fields) -> Media:
    media_type, name = blob.text("mimeType") or "", blob.text("displayName")
    data = blob.text("data") or ""
    blob.rest()
    kind = media.kind_of(media_type)
    return Media(kind=kind, media_type=media_type or None, data=media.plain_base64(data), filename=name)


def _output_of(raw: Raw | None) -> tuple[str, bool]:
    """What a tool gave, as text, and whether it failed: Gemini wants an object, and knows ``output`` and ``error``."""
    if raw is None:
        return "", False
    try:
        given = _given(raw)
    except UNREADABLE:
        raise Inexpressible("functionResponse.response", "it is no JSON object") from None
    if len(given) == 1:
        name, value = next(iter(given.items()))
        if name in ("output", "result", "error"):
            return _string(value) if is_text(value) else bytes(value).decode("utf-8", "replace"), name == "error"
    return bytes(raw).decode("utf-8", "replace"), False
