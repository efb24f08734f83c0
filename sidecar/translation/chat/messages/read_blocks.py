"""The content of Anthropic's messages: blocks of text, images, documents, calls of tools and what they gave."""

import base64
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from sidecar.translation.chat import media
from sidecar.translation.chat.ask import Media, Part, Text, ToolCall, ToolResult
from sidecar.translation.chat.losses import Fields, Losses, is_text
from sidecar.translation.chat.messages.fields import HARMLESS_IN_BLOCK
from sidecar.translation.contract import Inexpressible

_KEPT: Final = "it is kept by the agent's provider"

_string = msgspec.json.Decoder(str).decode
_raws = msgspec.json.Decoder(list[Raw]).decode


def read_blocks(raw: Raw, losses: Losses) -> tuple[Part, ...]:
    """
    Raises:
        Inexpressible: a block is known only to Anthropic.
    """
    try:
        if is_text(raw):
            return (Text(_string(raw)),)
        raws = _raws(raw)
    except msgspec.MsgspecError:
        raise Inexpressible("messages.content", "it is neither a text nor a list of blocks") from None
    read = [_read_block(each, losses) for each in raws]
    return tuple([part for part in read if part is not None])


def _read_block(raw: Raw, losses: Losses) -> Part | None:
    fields = Fields(raw, losses, "content")
    kind = fields.text("type") or "text"
    reader = _BLOCKS.get(kind)
    if reader is None:
        feature = kind if kind.isascii() and kind.isidentifier() else "content"
        losses.cannot(feature, "built-in tools and what they give are not translated")
        return None
    part = reader(fields, losses)
    fields.harmless(HARMLESS_IN_BLOCK)
    fields.rest()
    return part


def _text(fields: Fields, losses: Losses) -> Part | None:
    fields.harmless({"citations": "where in a document it was found; the text is whole without it"})
    return Text(fields.text("text") or "")


def _image(fields: Fields, losses: Losses) -> Part | None:
    source = fields.inner("source") or Fields(b"{}", losses)
    kind, data, url = source.text("type"), source.text("data"), source.text("url")
    media_type = source.text("media_type")
    source.raw("file_id")
    source.rest()
    if kind == "base64" and data is not None:
        return Media(kind="image", media_type=media_type, data=media.plain_base64(data))
    if kind == "url" and url is not None:
        return media.of_url(url, "image")
    losses.cannot("image", _KEPT)
    return None


def _document(fields: Fields, losses: Losses) -> Part | None:
    source = fields.inner("source") or Fields(b"{}", losses)
    title = fields.text("title")
    if (context := fields.text("context")) is not None and context:
        losses.cannot("content.context", "nothing can be said about a file there")
    _read_citations(fields.inner("citations"), losses)
    kind, data, url = source.text("type"), source.text("data"), source.text("url")
    media_type = source.text("media_type")
    source.raw("file_id")
    if kind == "content":
        losses.cannot("file", "documents made of blocks are not translated")
        return None
    source.rest()
    if kind == "text" and data is not None:
        encoded = base64.b64encode(data.encode("utf-8", "replace")).decode()
        return Media(kind="file", media_type="text/plain", data=encoded, filename=title)
    if kind == "base64" and data is not None:
        return Media(kind="file", media_type=media_type, data=media.plain_base64(data), filename=title)
    if kind == "url" and url is not None:
        found = media.of_url(url, "file", filename=title)
        return Media(kind="file", media_type="application/pdf", data=found.data, url=found.url, filename=title)
    losses.cannot("file", _KEPT)
    return None


def _read_citations(citations: Fields | None, losses: Losses) -> None:
    if citations is not None and citations.flag("enabled"):
        losses.cannot("content.citations", "no other provider says where in a file it found something")


def _thought(fields: Fields, losses: Losses) -> Part | None:
    """What another model thought, sealed by its provider."""
    for name in ("thinking", "signature", "data"):
        fields.raw(name)
    losses.harmless("content.thinking")
    return None


def _call(fields: Fields, losses: Losses) -> Part | None:
    given = fields.raw("input")
    arguments = "{}" if given is None else bytes(given).decode("utf-8", "replace")
    return ToolCall(fields.text("id") or "", fields.text("name") or "", arguments)


def _result(fields: Fields, losses: Losses) -> Part | None:
    identifier, content = fields.text("tool_use_id") or "", fields.raw("content")
    read = () if content is None else read_blocks(content, losses)
    parts = tuple([part for part in read if isinstance(part, Text | Media)])
    return ToolResult(id=identifier, parts=parts, failed=bool(fields.flag("is_error")))


_BLOCKS: Final[Mapping[str, Callable[[Fields, Losses], Part | None]]] = {
    "document": _document,
    "image": _image,
    "redacted_thinking": _thought,
    "text": _text,
    "thinking": _thought,
    "tool_result": _result,
    "tool_use": _call,
}
