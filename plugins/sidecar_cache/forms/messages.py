"""Anthropic's messages. Each event of theirs needs its name: their SDK drops those without one."""

from typing import Final

from msgspec import Raw

from sidecar_cache.forms.pieces import (
    NULL,
    Members,
    Unconvertible,
    documents,
    encode,
    inner,
    items,
    members_of,
    number_of,
    text_of,
    texts,
    written,
)

#: Kinds of deltas: the member that has the piece, and the member of the block that it is a piece of.
_PIECES: Final = {
    "input_json_delta": ("partial_json", "input"),
    "signature_delta": ("signature", "signature"),
    "text_delta": ("text", "text"),
    "thinking_delta": ("thinking", "thinking"),
}
_EMPTY_OBJECT, _EMPTY_TEXT = Raw(b"{}"), Raw(b'""')


class _Block:
    def __init__(self, begun: Members) -> None:
        self._members = begun
        self._pieces: dict[str, list[Raw]] = {}
        self._citations: list[Raw] = []

    def take(self, delta: Members) -> None:
        kind = text_of(delta.get("type", NULL)) or ""
        if kind == "citations_delta":
            self._citations.append(delta["citation"])
        elif kind in _PIECES:
            piece, of = _PIECES[kind]
            self._pieces.setdefault(of, []).append(delta[piece])
        else:
            raise Unconvertible("a piece of the stream is of a kind that is not known")

    def whole(self) -> Members:
        made = dict(self._members)
        for name, pieces in self._pieces.items():
            text = texts(pieces)
            if name == "input":
                made[name] = Raw(text.encode()) if text.strip() else _EMPTY_OBJECT
            else:
                made[name] = Raw(encode((text_of(made.get(name, NULL)) or "") + text))
        if self._citations:
            made["citations"] = Raw(encode(self._citations))
        return made


def whole(stream: bytes) -> bytes:
    message: Members = {}
    blocks: dict[int, _Block] = {}
    for document in documents(stream):
        event = members_of(document)
        kind = text_of(event.get("type", NULL))
        if kind == "message_start":
            message = members_of(event["message"])
        elif kind == "content_block_start":
            blocks[number_of(event["index"]) or 0] = _Block(members_of(event["content_block"]))
        elif kind == "content_block_delta":
            blocks[number_of(event["index"]) or 0].take(members_of(event["delta"]))
        elif kind == "message_delta":
            used = {**inner(message, "usage"), **inner(event, "usage")}
            rest = {name: raw for name, raw in event.items() if name not in ("type", "delta", "usage")}
            message |= inner(event, "delta") | rest | {"usage": Raw(encode(used))}
        elif kind == "error":
            raise Unconvertible("the stream has an error in it")
    if not message:
        raise Unconvertible("the stream has no message in it")
    message["content"] = Raw(encode([block.whole() for _, block in sorted(blocks.items())]))
    return encode(message)


def events(answer: bytes) -> bytes:
    message = members_of(answer)
    delta = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details") if name in message}
    usage = message.get("usage", NULL)
    begun: dict[str, object] = {
        **message,
        **dict.fromkeys(delta, None),
        "content": [],
        "usage": {**inner(message, "usage"), "output_tokens": 1},
    }
    out = [_event("message_start", message=begun)]
    for index, raw in enumerate(items(message, "content")):
        block = members_of(raw)
        empty, deltas = _taken_apart(block)
        out.append(_event("content_block_start", index=index, content_block=empty))
        out += [_event("content_block_delta", index=index, delta=each) for each in deltas]
        out.append(_event("content_block_stop", index=index))
    out.append(_event("message_delta", delta=delta, usage=usage))
    out.append(_event("message_stop"))
    return b"".join(out)


def _taken_apart(block: Members) -> tuple[dict[str, object], list[dict[str, object]]]:
    """How a block begins, and the deltas that follow. Blocks that tools of the provider's own give come as they are."""
    kind = text_of(block.get("type", NULL)) or ""
    if kind == "text":
        deltas: list[dict[str, object]] = [
            {"type": "citations_delta", "citation": citation} for citation in items(block, "citations")
        ]
        deltas.append({"type": "text_delta", "text": block.get("text", _EMPTY_TEXT)})
        begun: dict[str, object] = {**block, "text": ""}
        return (begun | {"citations": []} if len(deltas) > 1 else begun), deltas
    if kind == "thinking":
        deltas = [{"type": "thinking_delta", "thinking": block.get("thinking", _EMPTY_TEXT)}]
        if "signature" in block:
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {**block, "thinking": "", **({"signature": ""} if "signature" in block else {})}, deltas
    if kind.endswith("tool_use"):
        said = bytes(block.get("input", _EMPTY_OBJECT)).decode()
        return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": said}]
    return dict(block), []


def _event(kind: str, **members: object) -> bytes:
    return written({"type": kind, **members}, kind)
