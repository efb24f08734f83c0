"""What all dialects share: an endpoint's reader is found by name, and nothing that a wire can carry makes one raise."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import msgspec
from msgspec import Raw, Struct

from sidecar.dialect import Call, Phrase
from sidecar.dialects.documents import UNREADABLE, documents, whole_members
from sidecar.headers import Headers
from sidecar.payload import Answer, Payload, Usage

JSON = "application/json"

_NULL = Raw(b"null")
_NOTHING = Answer()
_encode = msgspec.json.encode


class Asked(NamedTuple):
    """A request as its reader is given it."""

    call: Call
    query: str
    headers: Headers
    body: bytes
    complete: bool

    @property
    def json(self) -> bytes:
        """The body as a JSON object; of one that has only begun, the members that are all there."""
        return self.body if self.complete else whole_members(self.body)


Reader = Callable[[Asked], Payload | None]


class Family(ABC):
    """The base of dialects: they bring tables of endpoints, and say how their answers are read.

    `sidecar.dialect.Dialect` documents the methods.
    """

    name: ClassVar[str]
    system: ClassVar[str]
    credential_header: ClassVar[str] = "authorization"
    credential_format: ClassVar[str] = "Bearer {}"

    readers: ClassVar[Mapping[str, Reader]]
    """By ``Call.endpoint``. A socket has none: what is asked comes in its frames."""
    answer_members: ClassVar[tuple[str, ...]] = ("usage",)
    """What to look for in an answer whose beginning is missing."""

    @abstractmethod
    def recognise(self, method: str, path: str, query: str) -> Call | None: ...

    def read(self, call: Call, query: str, headers: Headers, body: bytes, *, complete: bool = True) -> Payload | None:
        reader = self.readers.get(call.endpoint)
        if reader is None:
            return None
        try:
            return reader(Asked(call, query, headers, body, complete))
        except UNREADABLE:
            return None

    def read_answer(self, call: Call, headers: Headers, body: bytes) -> Answer:
        answer = self.answer_of_headers(call, headers)
        if body[:1] == b"{" and headers.get_bytes(b"content-encoding") is None:  # most often it is one document
            try:
                said = self.answer_of(call, body)
            except UNREADABLE:
                pass
            else:
                return said if answer is _NOTHING else joined(answer, said)
        for document in documents(headers, body, *self.answer_members):
            try:
                said = self.answer_of(call, document)
            except UNREADABLE:
                continue
            answer = said if answer is _NOTHING else joined(answer, said)
            if answer.error_type or (answer.id and answer.model and answer.usage and answer.finish_reasons):
                break
        return answer

    def answer_of_headers(self, call: Call, headers: Headers) -> Answer:
        """What the headers of an answer say."""
        return _NOTHING

    @abstractmethod
    def answer_of(self, call: Call, document: bytes | Raw) -> Answer:
        """What one JSON document of an answer says.

        Raises:
            any of `sidecar.dialects.documents.UNREADABLE`: it is not one of the family's.
        """

    @abstractmethod
    def phrase_error(self, status: int, kind: str, message: str) -> Phrase: ...


def given(raw: Raw) -> Raw | None:
    """*raw*, unless its member was absent or null. (msgspec takes `Raw` for a field's whole type only.)"""
    return None if not raw or raw == _NULL else raw


class _Problem(Struct):
    status: str | None = None
    code: str | None = None
    type: str | None = None


_problem = msgspec.json.Decoder(_Problem | list[_Problem] | str | None).decode


def problem_kind(detail: Raw) -> str:
    """What went wrong by the ``detail`` of an error: an object, a text, or a list of what a validator refused."""
    found = _problem(detail)
    if isinstance(found, list):
        found = found[0] if found else None
    return (isinstance(found, _Problem) and (found.status or found.code or found.type)) or "error"


def phrase(status: int, envelope: object) -> Phrase:
    return Phrase(status=status, content_type=JSON, body=_encode(envelope))


def joined(known: Answer, more: Answer) -> Answer:
    """*known*, and what only *more* says."""
    usage = known.usage or more.usage
    if known.usage is not None and more.usage is not None and known.usage != more.usage:
        usage = Usage(
            **{
                name: value if (value := getattr(known.usage, name)) is not None else getattr(more.usage, name)
                for name in Usage.__struct_fields__
            }
        )
    return Answer(
        id=known.id or more.id,
        model=known.model or more.model,
        finish_reasons=known.finish_reasons or more.finish_reasons,
        usage=usage,
        error_type=known.error_type or more.error_type,
    )
