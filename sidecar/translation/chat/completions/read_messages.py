"""The messages of a request for chat completions."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from sidecar.translation.chat import media
from sidecar.translation.chat.ask import Media, Part, Text, ToolCall, ToolResult, Turn
from sidecar.translation.chat.losses import Fields, Losses, is_text
from sidecar.translation.contract import Inexpressible

_HARMLESS_IN_PART: Final = {
    "cache_control": "what the provider is to keep of what it has read",
    "prompt_cache_breakpoint": "what the provider is to keep of what it has read",
}
_HARMLESS_IN_MESSAGE: Final = {
    "annotations": "where a built-in tool found what was said; the text is whole without it",
    "reasoning": "what another model thought before it said this",
    "reasoning_content": "what another model thought before it said this",
    "thinking": "what another model thought before it said this",
}
_HARMLESS_IN_IMAGE: Final = {"detail": "how closely an image is looked at; others choose by themselves"}

_string = msgspec.json.Decoder(str).decode
_raws = msgspec.json.Decoder(list[Raw]).decode


def read_messages(raws: Iterable[Raw], losses: Losses) -> tuple[tuple[str, ...], tuple[Turn, ...], bool]:
    """What instructs the model before the conversation, the turns of that, and whether the last is to be gone on with.

    Raises:
        Inexpressible: something in a message is known only to its provider.
    """
    turns: list[Turn] = []
    prefill = False
    for raw in raws:
        fields = Fields(raw, losses, "messages")
        role = fields.text("role") or ""
        reader = _READERS.get(role)
        if reader is None:
            raise Inexpressible("messages.role", "the older form of tools, or a role that is not known")
        if fields.text("name") is not None and role not in ("tool", "system", "developer"):
            losses.cannot("messages.name", "the participants of a conversation have no names")
        prefill = bool(fields.flag("prefix"))
        turns.append(reader(fields, losses))
        fields.usual({"annotations": (b"[]",)})
        fields.harmless(_HARMLESS_IN_MESSAGE)
        fields.rest()
    first = next((at for at, turn in enumerate(turns) if turn.role != "system"), len(turns))
    return tuple([turn.text for turn in turns[:first]]), tuple(turns[first:]), prefill


def _system(fields: Fields, losses: Losses) -> Turn:
    return Turn("system", _content(fields, losses))


def _user(fields: Fields, losses: Losses) -> Turn:
    return Turn("user", _content(fields, losses))


def _assistant(fields: Fields, losses: Losses) -> Turn:
    parts: list[Part] = list(_content(fields, losses))
    if refusal := fields.text("refusal"):
        parts.append(Text(refusal))
    parts += [_call(raw, losses) for raw in fields.list("tool_calls")]
    return Turn("assistant", tuple(parts))


def _call(raw: Raw, losses: Losses) -> ToolCall:
    fields = Fields(raw, losses, "tool_calls")
    kind = fields.text("type") or "function"
    function = fields.inner("function")
    if kind != "function" or function is None:
        raise Inexpressible("tools", "calls of tools that are no functions are not translated")
    identifier, name = fields.text("id") or "", function.text("name") or ""
    arguments = function.take("arguments", _arguments) or "{}"
    fields.harmless({"index": "where it stands, which its place tells"})
    function.rest()
    fields.rest()
    return ToolCall(identifier, name, arguments)


def _arguments(raw: Raw) -> str:
    """Mistral takes an object in place of a text."""
    return _string(raw) if is_text(raw) else bytes(raw).decode()


def _tool(fields: Fields, losses: Losses) -> Turn:
    identifier = fields.text("tool_call_id")
    if identifier is None:
        raise Inexpressible("tools", "what a tool gave does not say which call it belongs to")
    parts = tuple([part for part in _content(fields, losses) if isinstance(part, Text | Media)])
    return Turn("user", (ToolResult(id=identifier, parts=parts),))


_READERS: Final[Mapping[str, Callable[[Fields, Losses], Turn]]] = {
    "assistant": _assistant,
    "developer": _system,
    "system": _system,
    "tool": _tool,
    "user": _user,
}


def _content(fields: Fields, losses: Losses) -> tuple[Part, ...]:
    raw = fields.raw("content")
    if raw is None:
        return ()
    try:
        if is_text(raw):
            return (Text(_string(raw)),)
        raws = _raws(raw)
    except msgspec.MsgspecError:
        raise Inexpressible("messages.content", "it is neither a text nor a list of parts") from None
    read = [_part(each, losses) for each in raws]
    return tuple([part for part in read if part is not None])


def _part(raw: Raw, losses: Losses) -> Part | None:
    if is_text(raw):
        return Text(_string(raw))
    fields = Fields(raw, losses, "content")
    kind = fields.text("type") or "text"
    reader = _PARTS.get(kind)
    if reader is None:
        losses.cannot(kind if kind.isascii() and kind.isidentifier() else "content", "parts of this kind are not known")
        return None
    part = reader(fields, losses)
    fields.harmless(_HARMLESS_IN_PART)
    fields.rest()
    return part


def _text(fields: Fields, losses: Losses) -> Part | None:
    return Text(fields.text("text") or "")


def _refusal(fields: Fields, losses: Losses) -> Part | None:
    return Text(fields.text("refusal") or "")


def _image(fields: Fields, losses: Losses) -> Part | None:
    raw = fields.raw("image_url") or Raw(b"{}")
    if is_text(raw):
        return media.of_url(_string(raw), "image")
    image = Fields(raw, losses, "image_url")
    url = image.text("url") or ""
    image.harmless(_HARMLESS_IN_IMAGE)
    image.rest()
    return media.of_url(url, "image")


def _audio(fields: Fields, losses: Losses) -> Part | None:
    """Mistral takes the recording alone, as base64 or as a URL."""
    raw = fields.raw("input_audio") or Raw(b"{}")
    if is_text(raw):
        said = _string(raw)
        return media.of_url(said, "audio") if ":" in said[:8] else Media(kind="audio", data=media.plain_base64(said))
    audio = Fields(raw, losses, "input_audio")
    data, form = audio.text("data") or "", audio.text("format") or "wav"
    audio.rest()
    return media.of_audio(form, data)


def _file(fields: Fields, losses: Losses) -> Part | None:
    file = fields.inner("file") or Fields(b"{}", losses)
    identifier = file.text("file_id") or fields.text("file_id")
    data, name = file.text("file_data"), file.text("filename")
    file.rest()
    if data is None or identifier is not None:
        losses.cannot("file", "it is kept by the agent's provider")
        return None
    if data.startswith("data:"):
        return media.of_url(data, "file", filename=name)
    media_type = media.guessed_type(name)
    return Media(kind="file", media_type=media_type, data=media.plain_base64(data), filename=name)


def _document(fields: Fields, losses: Losses) -> Part | None:
    return media.of_url(fields.text("document_url") or "", "file", filename=fields.text("document_name"))


def _thought(fields: Fields, losses: Losses) -> Part | None:
    """What another model thought before it said something."""
    for name in ("thinking", "signature", "closed"):
        fields.raw(name)
    losses.harmless("content.thinking")
    return None


_PARTS: Final[Mapping[str, Callable[[Fields, Losses], Part | None]]] = {
    "document_url": _document,
    "file": _file,
    "image_url": _image,
    "input_audio": _audio,
    "refusal": _refusal,
    "text": _text,
    "thinking": _thought,
}
