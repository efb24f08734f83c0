"""OpenAI's responses: the last event of a stream has the whole answer in it, and a whole answer has all that the events
of a stream say.
"""

from typing import Final

from msgspec import Raw

from sidecar_cache.forms.pieces import NULL, Members, Unconvertible, documents, items, members_of, text_of, written

_COMPLETED: Final = "response.completed"


def whole(stream: bytes) -> bytes:
    for document in documents(stream):
        event = members_of(document)
        if text_of(event.get("type", NULL)) == _COMPLETED:
            return bytes(event["response"])
    raise Unconvertible("the stream has no completed response in it")


class _Events:
    """Events with their numbers."""

    def __init__(self) -> None:
        self.out: list[bytes] = []

    def add(self, kind: str, **members: object) -> None:
        self.out.append(written({"type": kind, "sequence_number": len(self.out), **members}, kind))


def events(answer: bytes) -> bytes:
    response = members_of(answer)
    if text_of(response.get("status", NULL)) != "completed":
        raise Unconvertible("the response is not completed")
    begun: dict[str, object] = {**response, "status": "in_progress", "output": [], "usage": None}
    if "completed_at" in begun:
        begun["completed_at"] = None
    made = _Events()
    made.add("response.created", response=begun)
    made.add("response.in_progress", response=begun)
    for index, raw in enumerate(items(response, "output")):
        _item(made, index, raw)
    made.add(_COMPLETED, response=Raw(answer))
    return b"".join(made.out)


def _item(made: _Events, index: int, raw: Raw) -> None:
    item = members_of(raw)
    kind = text_of(item.get("type", NULL))
    where: Members = {"item_id": item.get("id", NULL)}
    status = {"status": "in_progress"} if "status" in item else {}
    if kind == "message":
        made.add("response.output_item.added", output_index=index, item={**item, **status, "content": []})
        for at, part in enumerate(items(item, "content")):
            _part(made, index, at, part, where)
    elif kind in ("function_call", "custom_tool_call"):
        name, word = (
            ("arguments", "function_call_arguments") if kind == "function_call" else ("input", "custom_tool_call_input")
        )
        made.add("response.output_item.added", output_index=index, item={**item, **status, name: ""})
        said = item.get(name, Raw(b'""'))
        made.add(f"response.{word}.delta", **where, output_index=index, delta=said)
        named = {"name": item["name"]} if kind == "function_call" and "name" in item else {}
        made.add(f"response.{word}.done", **where, output_index=index, **named, **{name: said})
    elif kind == "reasoning":
        made.add("response.output_item.added", output_index=index, item={**item, **status, "summary": []})
        for at, part in enumerate(items(item, "summary")):
            _summary(made, index, at, part, where)
    else:
        made.add("response.output_item.added", output_index=index, item=raw)
    made.add("response.output_item.done", output_index=index, item=raw)


def _part(made: _Events, index: int, at: int, raw: Raw, where: Members) -> None:
    part = members_of(raw)
    place = {**where, "output_index": Raw(b"%d" % index), "content_index": Raw(b"%d" % at)}
    kind = text_of(part.get("type", NULL))
    if kind == "output_text":
        made.add("response.content_part.added", **place, part={**part, "text": "", "annotations": []})
        said, logprobs = part.get("text", Raw(b'""')), part.get("logprobs", Raw(b"[]"))
        made.add("response.output_text.delta", **place, delta=said, logprobs=logprobs)
        for number, annotation in enumerate(items(part, "annotations")):
            made.add("response.output_text.annotation.added", **place, annotation_index=number, annotation=annotation)
        made.add("response.output_text.done", **place, text=said, logprobs=logprobs)
    elif kind == "refusal":
        made.add("response.content_part.added", **place, part={**part, "refusal": ""})
        said = part.get("refusal", Raw(b'""'))
        made.add("response.refusal.delta", **place, delta=said)
        made.add("response.refusal.done", **place, refusal=said)
    else:
        made.add("response.content_part.added", **place, part=raw)
    made.add("response.content_part.done", **place, part=raw)


def _summary(made: _Events, index: int, at: int, raw: Raw, where: Members) -> None:
    part = members_of(raw)
    place = {**where, "output_index": Raw(b"%d" % index), "summary_index": Raw(b"%d" % at)}
    said = part.get("text", Raw(b'""'))
    made.add("response.reasoning_summary_part.added", **place, part={**part, "text": ""})
    made.add("response.reasoning_summary_text.delta", **place, delta=said)
    made.add("response.reasoning_summary_text.done", **place, text=said)
    made.add("response.reasoning_summary_part.done", **place, part=raw)
