"""What the events of a stream say together, as far as it is judged: in the shape of whole answers."""

from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from sidecar_cache.fitness.documents import (
    Document,
    Unfit,
    document_of,
    event_of,
    listed_objects,
    object_of,
    read_by,
    text_of,
)

_EVENT: Final = "an event of the stream"


class Assembler(Protocol):
    """Puts together what events say, one after another."""

    def take(self, data: bytes) -> None:
        """
        Raises:
            Unfit: the event is not valid, or tells of an error.
        """
        ...

    def whole(self) -> Document:
        """
        Raises:
            Unfit: they say nothing that is an answer.
        """
        ...


def assembler(endpoint: str) -> Assembler:
    """One for the streams of *endpoint*."""
    return _ASSEMBLERS.get(endpoint, _Others)()


def _check(error: Any, kind: Any = None) -> None:
    if error or kind == "error":
        raise Unfit("an error inside a 200")


class _Delta(Struct, gc=False):
    content: Any = None
    refusal: Any = None
    tool_calls: Any = None
    function_call: Any = None
    audio: Any = None


class _ChoiceFields(Struct, gc=False):
    index: Any = 0
    delta: _Delta | None = None
    text: Any = None
    finish_reason: Any = None


class _Chunk(Struct, gc=False):
    choices: list[_ChoiceFields] | None = None
    error: Any = None
    type: Any = None


_read_chunk = msgspec.json.Decoder(_Chunk).decode
_NOTHING: Final = _Delta()


class _Choice:
    def __init__(self) -> None:
        self.content: list[str] = []
        self.refusal: list[str] = []
        self.calls: dict[Any, Document] = {}
        self.other = False
        self.finish: Any = None

    def take(self, fields: _ChoiceFields) -> None:
        delta = fields.delta or _NOTHING
        if said := text_of(delta.content) or text_of(fields.text):
            self.content.append(said)
        if delta.refusal:
            self.refusal.append(text_of(delta.refusal))
        self.other = self.other or bool(delta.audio)
        if delta.tool_calls:
            for at, call in enumerate(listed_objects(delta.tool_calls)):
                self._take_call(str(call.get("index", at)), call, object_of(call.get("function")))
        if function := object_of(delta.function_call):
            self._take_call("", {}, function)
        self.finish = fields.finish_reason or self.finish

    def _take_call(self, index: str, call: Document, function: Document) -> None:
        made = self.calls.setdefault(index, {"function": {"name": "", "arguments": []}})
        made["type"] = call.get("type") or made.get("type")
        made["custom"] = call.get("custom") or made.get("custom")
        made["function"]["name"] = text_of(function.get("name")) or made["function"]["name"]
        made["function"]["arguments"].append(text_of(function.get("arguments")))

    def whole(self) -> Document:
        for call in self.calls.values():
            call["function"]["arguments"] = "".join(call["function"]["arguments"])
        message = {"content": "".join(self.content), "refusal": "".join(self.refusal), "audio": self.other}
        return {"message": {**message, "tool_calls": list(self.calls.values())}, "finish_reason": self.finish}


class _Choices:
    def __init__(self) -> None:
        self._choices: dict[str, _Choice] = {}

    def take(self, data: bytes) -> None:
        chunk = read_by(_read_chunk, data, _EVENT)
        _check(chunk.error, chunk.type)
        for fields in chunk.choices or ():
            index = str(fields.index)
            if (choice := self._choices.get(index)) is None:
                choice = self._choices[index] = _Choice()
            choice.take(fields)

    def whole(self) -> Document:
        return {"choices": [choice.whole() for choice in self._choices.values()]}


class _BlockDelta(Struct, gc=False):
    text: Any = None
    partial_json: Any = None
    stop_reason: Any = None


class _MessageEvent(Struct, gc=False):
    type: Any = None
    index: Any = None
    delta: _BlockDelta | None = None
    content_block: Any = None
    error: Any = None


_read_message_event = msgspec.json.Decoder(_MessageEvent).decode


class _Messages:
    def __init__(self) -> None:
        self._blocks: dict[str, Document] = {}
        self._stop: Any = None

    def take(self, data: bytes) -> None:
        event = read_by(_read_message_event, data, _EVENT)
        _check(event.error, event.type)
        delta = event.delta
        if event.type == "content_block_start":
            begun = object_of(event.content_block)
            self._blocks[str(event.index)] = {**begun, "text": [text_of(begun.get("text"))], "json": []}
        elif event.type == "content_block_delta" and delta is not None:
            block = self._blocks.setdefault(str(event.index), {"text": [], "json": []})
            block["text"].append(text_of(delta.text))
            block["json"].append(text_of(delta.partial_json))
        elif event.type == "message_delta" and delta is not None:
            self._stop = delta.stop_reason or self._stop

    def whole(self) -> Document:
        content = [
            {**block, "text": "".join(block["text"]), "input": "".join(block["json"]) or "{}"}
            for block in self._blocks.values()
        ]
        return {"content": content, "stop_reason": self._stop}


class _ResponseEvent(Struct, gc=False):
    type: Any = None
    error: Any = None


_read_response_event = msgspec.json.Decoder(_ResponseEvent).decode


class _Responses:
    def __init__(self) -> None:
        self._completed: bytes | None = None

    def take(self, data: bytes) -> None:
        event = read_by(_read_response_event, data, _EVENT)
        _check(event.error, event.type)
        if event.type == "response.completed":
            self._completed = data

    def whole(self) -> Document:
        if self._completed is None:
            raise Unfit("the stream has no completed response in it")
        return object_of(document_of(self._completed).get("response"))


class _CandidateFields(Struct, gc=False):
    index: Any = 0
    content: Any = None
    finishReason: Any = None


class _Content(Struct, gc=False):
    candidates: list[_CandidateFields] | None = None
    promptFeedback: Any = None
    error: Any = None
    type: Any = None


_read_content = msgspec.json.Decoder(_Content).decode


class _Candidates:
    def __init__(self) -> None:
        self._candidates: dict[str, Document] = {}
        self._feedback: Any = None

    def take(self, data: bytes) -> None:
        chunk = read_by(_read_content, data, _EVENT)
        _check(chunk.error, chunk.type)
        self._feedback = chunk.promptFeedback or self._feedback
        for fields in chunk.candidates or ():
            made = self._candidates.setdefault(str(fields.index), {"texts": [], "parts": []})
            for part in listed_objects(object_of(fields.content).get("parts")):
                if len(part) == 1 and isinstance(text := part.get("text"), str):
                    made["texts"].append(text)
                else:
                    made["parts"].append(part)
            made["finishReason"] = fields.finishReason or made.get("finishReason")

    def whole(self) -> Document:
        candidates = [
            {
                "content": {"parts": [*made["parts"], {"text": "".join(made["texts"])}]},
                "finishReason": made["finishReason"],
            }
            for made in self._candidates.values()
        ]
        return {"candidates": candidates, "promptFeedback": self._feedback}


class _Others:
    """Interactions say at last what became of them."""

    def __init__(self) -> None:
        self._said: Document = {}

    def take(self, data: bytes) -> None:
        event = event_of(data)
        _check(event.get("error"), event.get("type"))
        self._said |= object_of(event.get("interaction"))

    def whole(self) -> Document:
        return self._said


_ASSEMBLERS: Final[dict[str, type[Assembler]]] = {
    "agents.completions": _Choices,
    "chat.completions": _Choices,
    "completions": _Choices,
    "fim.completions": _Choices,
    "generateContent": _Candidates,
    "messages": _Messages,
    "responses": _Responses,
    "streamGenerateContent": _Candidates,
}
