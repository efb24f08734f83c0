"""Gemini, of the developer API and of Vertex AI: content, decisions, interactions, the live socket.

A model that speaks is asked like one that writes; only ``responseModalities`` in the body tells them apart. So all of
these are chat, and what was spoken shows in the usage.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

from msgspec import Raw

from sidecar.dialect import Call, Operation
from sidecar.dialects.documents import UNREADABLE, documents
from sidecar.dialects.error_body import Told
from sidecar.dialects.error_kinds import shown
from sidecar.dialects.family import Reader
from sidecar.dialects.fields import path_value
from sidecar.dialects.gemini_answer import BLOCKED, Given, given_by, read_document
from sidecar.dialects.gemini_chat import read_content, read_decision, read_interaction
from sidecar.dialects.google_errors import GoogleFamily
from sidecar.dialects.openai_answer import read_document as read_openai_document
from sidecar.dialects.openai_chat import read_chat
from sidecar.failure import Failure, Kind
from sidecar.headers import Headers
from sidecar.payload import Answer

_LOCATED = r"(projects/[^/]+/locations/[^/]+/)?"
_CONTENT = re.compile(
    rf"/(v\w+)/{_LOCATED}(publishers/\w+/)?(models|tunedModels|endpoints)/([^/:]+)(?::|%3A)"
    r"(generateContent|streamGenerateContent)"
)
_RESOURCE = re.compile(rf"/(v\w+)/{_LOCATED}(interactions|decisions)")
_OPENAI = re.compile(rf"/(v\w+)/({_LOCATED}(?:endpoints/openapi|openai))/chat/completions")
# Google's SDK joins its default host, which ends in a slash, and a path that begins with one.
_LIVE = re.compile(
    r"//?ws/google\.(?:ai\.generativelanguage\.(v\w+)\.GenerativeService\.(BidiGenerateContent(?:Constrained)?)"
    r"|cloud\.aiplatform\.(v\w+)\.LlmBidiService/BidiGenerateContent)"
)
_GENERATING = frozenset(("generateContent", "streamGenerateContent"))
_TEMPLATE = "projects/{project}/locations/{location}/"


@lru_cache(maxsize=256)
def _posted(path: str) -> Call | None:
    if found := _CONTENT.fullmatch(path):
        version, located, publisher, collection, model, verb = found.groups()
        return Call(
            operation=Operation.CHAT,
            endpoint=verb,
            route=f"/{version}/{_TEMPLATE if located else ''}{publisher or ''}{collection}/{{model}}:{verb}",
            model=path_value(model),
            stream=verb == "streamGenerateContent",
        )
    if found := _RESOURCE.fullmatch(path):
        version, located, endpoint = found.groups()
        route = f"/{version}/{_TEMPLATE if located else ''}{endpoint}"
        return Call(operation=Operation.CHAT, endpoint=endpoint, route=route)
    if found := _OPENAI.fullmatch(path):
        below = _TEMPLATE + "endpoints/openapi" if found[3] else found[2]
        return Call(
            operation=Operation.CHAT, endpoint="chat.completions", route=f"/{found[1]}/{below}/chat/completions"
        )
    return None


class Gemini(GoogleFamily):
    name: ClassVar[str] = "gemini"
    system: ClassVar[str] = "gcp.gemini"
    credential_header: ClassVar[str] = "x-goog-api-key"
    credential_format: ClassVar[str] = "{}"
    heeds_should_retry: ClassVar[bool] = True
    readers: ClassVar[Mapping[str, Reader]] = {
        "generateContent": read_content,
        "streamGenerateContent": read_content,
        "decisions": read_decision,
        "interactions": read_interaction,
        "chat.completions": read_chat,
    }
    answer_members: ClassVar[tuple[str, ...]] = ("usageMetadata", "usage")

    def recognise(self, method: str, path: str, query: str) -> Call | None:
        if method == "POST":
            return _posted(path)
        if method != "GET" or _LIVE.fullmatch(path) is None:
            return None
        return Call(operation=Operation.REALTIME, endpoint="live", route=f"/{path.lstrip('/')}", socket=True)

    def answer_of(self, call: Call, document: bytes | Raw) -> Answer:
        return read_openai_document(document) if call.endpoint == "chat.completions" else read_document(document)

    def hidden_failure(self, call: Call, headers: Headers, body: bytes) -> Failure | None:
        """An error in an answer, or an answer of which no part has any content, and why."""
        if call.endpoint not in _GENERATING:
            return super().hidden_failure(call, headers, body)
        found, whole = [], True
        for document in documents(headers, body):
            try:
                if (failure := self.failure_said(call, document)) is not None:
                    return failure
                found.append(given_by(document))
            except UNREADABLE:
                whole = False
        return _of_nothing(found) if whole and found and not any(one.content for one in found) else None

    def failure_said(self, call: Call, document: bytes | Raw) -> Failure | None:
        if call.endpoint in _GENERATING and (blocked := given_by(document).blocked) is not None:
            return _failed(Kind.REFUSED, blocked)
        return super().failure_said(call, document)


def _of_nothing(found: list[Given]) -> Failure | None:
    """What it means that nothing was said, by the reason for which it ended. The caller's own limit is no failure."""
    reason = next((reason for one in found for reason in one.reasons), None)
    if reason is None:
        return None if any(one.candidates for one in found) else _failed(Kind.REFUSED, "NO_CANDIDATES")
    if reason in BLOCKED:
        return _failed(Kind.REFUSED, reason)
    return None if reason in ("STOP", "MAX_TOKENS") else _failed(Kind.SERVER, reason)


def _failed(kind: Kind, reason: str) -> Failure:
    return Failure(kind=kind, code=shown("", Told(codes=(reason,)), 0))


DIALECT = Gemini()
