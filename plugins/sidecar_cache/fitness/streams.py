"""What the events of a stream say together, as far as it is judged: in the shape of whole answers."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from sidecar_cache.fitness.documents import Document, Unfit, listed_objects, object_of, text_of


def assembled(endpoint: str, events: Sequence[Document]) -> Document:
    """
    Raises:
        Unfit: they say nothing that is an answer.
    """
    assembler = _ASSEMBLERS.get(endpoint)
    return _of_others(events) if assembler is None else assembler(events)


class _Choice:
    def __init__(self) -> None:
        self.content: list[str] = []
        self.refusal: list[str] = []
        self.calls: dict[Any, Document] = {}
        self.other = False
        self.finish: Any = None

    def take(self, choice: Document) -> None:
        delta = object_of(choice.get("delta"))
        self.content.append(text_of(delta.get("content")) or text_of(choice.get("text")))
        self.refusal.append(text_of(delta.get("refusal")))
        self.other = self.other or bool(delta.get("audio"))
        for at, call in enumerate(listed_objects(delta.get("tool_calls"))):
            self._take_call(str(call.get("index", at)), call, object_of(call.get("function")))
        if function := object_of(delta.get("function_call")):
            self._take_call("", {}, function)
        self.finish = choice.get("finish_reason") or self.finish

    def _take_call(self, index: str, call: Document, function: Document) -> None:
        made = self.calls.setdefault(index, {"function": {"name": "", "arguments": ""}})
        made["type"] = call.get("type") or made.get("type")
        made["custom"] = call.get("custom") or made.get("custom")
        made["function"]["name"] = text_of(function.get("name")) or made["function"]["name"]
        made["function"]["arguments"] += text_of(function.get("arguments"))

    def whole(self) -> Document:
        message = {"content": "".join(self.content), "refusal": "".join(self.refusal), "audio": self.other}
        return {"message": {**message, "tool_calls": list(self.calls.values())}, "finish_reason": self.finish}


def _of_choices(events: Sequence[Document]) -> Document:
    choices: dict[str, _Choice] = {}
    for event in events:
        for choice in listed_objects(event.get("choices")):
            choices.setdefault(str(choice.get("index", 0)), _Choice()).take(choice)
    return {"choices": [choice.whole() for choice in choices.values()]}


def _of_messages(events: Sequence[Document]) -> Document:
    blocks: dict[str, Document] = {}
    stop: Any = None
    for event in events:
        index, delta = str(event.get("index")), object_of(event.get("delta"))
        if event.get("type") == "content_block_start":
            begun = object_of(event.get("content_block"))
            blocks[index] = {**begun, "text": text_of(begun.get("text")), "json": ""}
        elif event.get("type") == "content_block_delta":
            block = blocks.setdefault(index, {"text": "", "json": ""})
            block["text"] += text_of(delta.get("text"))
            block["json"] += text_of(delta.get("partial_json"))
        elif event.get("type") == "message_delta":
            stop = delta.get("stop_reason") or stop
    content = [{**block, "input": block["json"] or "{}"} for block in blocks.values()]
    return {"content": content, "stop_reason": stop}


def _of_responses(events: Sequence[Document]) -> Document:
    found = [event for event in events if event.get("type") == "response.completed"]
    if not found:
        raise Unfit("the stream has no completed response in it")
    return object_of(found[-1].get("response"))


def _of_candidates(chunks: Sequence[Document]) -> Document:
    candidates: dict[str, Document] = {}
    feedback: Any = None
    for chunk in chunks:
        feedback = chunk.get("promptFeedback") or feedback
        for candidate in listed_objects(chunk.get("candidates")):
            made = candidates.setdefault(str(candidate.get("index", 0)), {"content": {"parts": []}})
            made["content"]["parts"] += listed_objects(object_of(candidate.get("content")).get("parts"))
            made["finishReason"] = candidate.get("finishReason") or made.get("finishReason")
    return {"candidates": list(candidates.values()), "promptFeedback": feedback}


def _of_others(events: Sequence[Document]) -> Document:
    """Interactions say at last what became of them."""
    found: Document = {}
    for event in events:
        found |= object_of(event.get("interaction"))
    return found


_ASSEMBLERS: Final[dict[str, Callable[[Sequence[Document]], Document]]] = {
    "agents.completions": _of_choices,
    "chat.completions": _of_choices,
    "completions": _of_choices,
    "fim.completions": _of_choices,
    "generateContent": _of_candidates,
    "messages": _of_messages,
    "responses": _of_responses,
    "streamGenerateContent": _of_candidates,
}
