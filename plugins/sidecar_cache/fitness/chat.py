"""Answers of language models: whether they came to their end, say something, and keep to the form asked for."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct

from sidecar import Chat
from sidecar_cache.fitness.documents import (
    LARGE_BYTES,
    Document,
    Unfit,
    document_of,
    each_event,
    listed_objects,
    object_of,
    text_of,
)
from sidecar_cache.fitness.endings import ended
from sidecar_cache.fitness.schemas import check_arguments, check_json
from sidecar_cache.fitness.speech import check_samples, from_base64
from sidecar_cache.fitness.streams import assembler
from sidecar_cache.forms.pieces import UNREADABLE, items_of
from sidecar_cache.slices import Slices

#: How a model ends that had its say. All else (length, safety, an error) is no answer to give again.
_FINISHED: Final = frozenset(
    ("stop", "end_turn", "stop_sequence", "tool_use", "tool_calls", "function_call", "completed", "complete", "eos")
)
_RUNNING: Final = frozenset(("in_progress", "queued"))
_SLICE_ITEMS: Final = 10
#: Tools that the provider runs itself, and calls without arguments in JSON.
_NOT_ASKED_FOR: Final = frozenset(("custom", "custom_tool_call", "server_tool_use", "mcp_tool_use"))


class _Said(Struct):
    """One of the answers that a model gives."""

    text: str
    calls: list[tuple[str, Any]]
    """Names and arguments; those are JSON text or an object, None where they are free text."""
    finish: str | None
    refused: bool = False
    other: bool = False
    """Whether it says something that is neither text nor a call: an image, audio, code."""
    blobs: list[Document] = []
    """Of what it says in base64: kinds and data."""


class _Choice(Struct):
    """Probabilities of its words are passed over: they are most of an answer that has them."""

    message: Any = UNSET
    text: Any = UNSET
    finish_reason: Any = None


class _Completion(Struct):
    choices: list[_Choice] | None = None
    error: Any = None


class _Candidate(Struct):
    content: Any = None
    finishReason: Any = None


class _Content(Struct):
    candidates: list[_Candidate] | None = None
    promptFeedback: Any = None
    error: Any = None


_completion = msgspec.json.Decoder(_Completion).decode
_content = msgspec.json.Decoder(_Content).decode


def check_chat(asked: Chat | None, endpoint: str, content_type: str, data: bytes) -> Slices[None]:
    """
    Raises:
        Unfit: it is not to be kept.
    """
    media_type = content_type.partition(";")[0].strip()
    if media_type == "text/event-stream":
        if not ended(endpoint, data):
            raise Unfit("the event stream has no proper end")
        made = assembler(endpoint)
        yield from each_event(data, made.take)
        document = made.whole()
    elif media_type.endswith("json"):
        listed = endpoint == "streamGenerateContent" and data[:64].lstrip()[:1] == b"["
        document = (yield from _of_items(data)) if listed else _read(endpoint, data)
    else:
        raise Unfit(f"content type {media_type or 'unknown'}")
    if len(data) > LARGE_BYTES:
        yield
    if document.get("error"):
        raise Unfit("an error inside a 200")
    reader = _READERS.get(endpoint)
    if reader is None:
        return
    said = list(reader(document))
    if not said:
        raise Unfit("there is no answer in it")
    for one in said:
        yield from _check_audio(one.blobs)
        _check(asked, one)


def _read(endpoint: str, data: bytes) -> Document:
    """A whole answer, as far as it matters.

    Raises:
        Unfit: it is no JSON object.
    """
    said = _READERS.get(endpoint)
    reader = _completion if said is _of_choices else _content if said is _of_candidates else None
    if reader is None or not data.isascii():  # what it passes over it does not look into
        return document_of(data)
    try:
        read: Document = msgspec.to_builtins(reader(data))
    except UNREADABLE:
        return document_of(data)
    return read


def _of_items(data: bytes) -> Slices[Document]:
    """What a list of chunks says together."""
    try:
        items = items_of(data) or []
    except UNREADABLE:
        raise Unfit("not valid JSON") from None
    made = assembler("streamGenerateContent")
    for number, item in enumerate(items, 1):
        if not number % _SLICE_ITEMS:
            yield
        made.take(bytes(item))
    return made.whole()


def _check(asked: Chat | None, said: _Said) -> None:
    if said.refused:
        raise Unfit("a refusal")
    if not said.finish or said.finish in _RUNNING:
        raise Unfit("it did not finish")
    if said.finish.lower() not in _FINISHED:
        raise Unfit(f"finished by {said.finish}")
    if not (said.text.strip() or said.calls or said.other):
        raise Unfit("it says nothing")
    for name, arguments in said.calls:
        check_arguments(asked, name, arguments)
    if asked is not None and said.text and not said.calls and (asked.json_output or asked.output_schema is not None):
        check_json(asked, said.text)


def _of_choices(document: Document) -> Iterator[_Said]:
    for choice in listed_objects(document.get("choices")):
        message = object_of(choice.get("message"))
        calls = [_function(call) for call in listed_objects(message.get("tool_calls"))]
        if message.get("function_call"):
            calls.append(_function({"function": message["function_call"]}))
        content = message.get("content") if "message" in choice else choice.get("text")
        other = bool(message.get("audio")) or (isinstance(content, list) and bool(content))
        finish = choice.get("finish_reason")
        refused = bool(message.get("refusal"))
        yield _Said(text_of(content), calls, finish if isinstance(finish, str) else None, refused, other)


def _function(call: Document) -> tuple[str, Any]:
    function = object_of(call.get("function"))
    if call.get("type") in _NOT_ASKED_FOR:
        return str(object_of(call.get("custom")).get("name")), None
    return str(function.get("name") or ""), function.get("arguments", "")


def _of_output(document: Document) -> Iterator[_Said]:
    texts, calls, refused, other = [], [], False, False
    for item in listed_objects(document.get("output")):
        kind = item.get("type")
        if kind == "message":
            parts = listed_objects(item.get("content"))
            texts.append(text_of(parts))
            refused = refused or any(part.get("type") == "refusal" for part in parts)
        elif kind == "function_call":
            calls.append((str(item.get("name") or ""), item.get("arguments", "")))
        elif kind == "custom_tool_call":
            calls.append((str(item.get("name") or ""), None))
        else:
            other = other or (kind != "reasoning" and str(kind).endswith("_call"))
    status = document.get("status")
    yield _Said("".join(texts), calls, status if isinstance(status, str) else None, refused, other)


def _of_blocks(document: Document) -> Iterator[_Said]:
    blocks = listed_objects(document.get("content"))
    texts = [text_of(block.get("text")) for block in blocks if block.get("type") == "text"]
    calls = [(str(block.get("name") or ""), block.get("input")) for block in blocks if block.get("type") == "tool_use"]
    finish = document.get("stop_reason")
    yield _Said("".join(texts), calls, finish if isinstance(finish, str) else None, finish == "refusal")


def _of_candidates(document: Document) -> Iterator[_Said]:
    if blocked := object_of(document.get("promptFeedback")).get("blockReason"):
        raise Unfit(f"blocked by {blocked}")
    for candidate in listed_objects(document.get("candidates")):
        parts = listed_objects(object_of(candidate.get("content")).get("parts"))
        texts = [text_of(part.get("text")) for part in parts if not part.get("thought")]
        called = [object_of(part["functionCall"]) for part in parts if "functionCall" in part]
        blobs = [object_of(part["inlineData"]) for part in parts if "inlineData" in part]
        calls = [(str(call.get("name") or ""), call.get("args") or {}) for call in called]
        finish = candidate.get("finishReason")
        other = bool(blobs) or any("executableCode" in part for part in parts)
        yield _Said("".join(texts), calls, str(finish) if finish else None, False, other, blobs)


def _check_audio(blobs: list[Document]) -> Slices[None]:
    """What is spoken may come in pieces, cut anywhere."""
    kinds = {kind for blob in blobs if (kind := text_of(blob.get("mimeType")).lower()).startswith("audio/")}
    for kind in kinds:
        pieces = [text_of(blob.get("data")) for blob in blobs if text_of(blob.get("mimeType")).lower() == kind]
        yield from check_samples(kind, b"".join([from_base64(piece) for piece in pieces]))


def _of_answers(document: Document) -> Iterator[_Said]:
    answers = document.get("answers")
    if isinstance(answers, list | dict) and answers:
        yield _Said("", [], "stop", False, True)


def _of_interaction(document: Document) -> Iterator[_Said]:
    status = document.get("status")
    yield _Said("", [], status if isinstance(status, str) else None, False, True)


_READERS: Final[dict[str, Callable[[Document], Iterator[_Said]]]] = {
    "agents.completions": _of_choices,
    "chat.completions": _of_choices,
    "completions": _of_choices,
    "decisions": _of_answers,
    "fim.completions": _of_choices,
    "generateContent": _of_candidates,
    "interactions": _of_interaction,
    "messages": _of_blocks,
    "responses": _of_output,
    "streamGenerateContent": _of_candidates,
}
