"""What all dialects share: an endpoint's reader is found by name, and nothing that a wire can carry makes one raise."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import msgspec
from msgspec import Raw, Struct

from sidecar.dialect import Call, Limit, Phrase
from sidecar.dialects import error_body, waits
from sidecar.dialects.documents import UNREADABLE, documents, whole_members
from sidecar.dialects.error_body import Told
from sidecar.dialects.error_kinds import Rules, kind_of, shown
from sidecar.failure import Failure, Kind
from sidecar.headers import Headers
from sidecar.payload import Answer, Payload, Usage

JSON = "application/json"
NO_HEADERS = Headers()

_NULL = Raw(b"null")
_NOTHING = Answer()
#: Where the provider's wish to be left alone for a while is a reason to do so.
_PASSING = frozenset((Kind.RATE, Kind.CONCURRENCY, Kind.QUOTA, Kind.OVERLOADED, Kind.SERVER, Kind.TIMEOUT))
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
    """The base of dialects: they bring tables of endpoints and errors, and say how their answers are read.

    `sidecar.dialect.Dialect` documents the methods.
    """

    name: ClassVar[str]
    system: ClassVar[str]
    credential_header: ClassVar[str] = "authorization"
    credential_format: ClassVar[str] = "Bearer {}"
    heeds_should_retry: ClassVar[bool] = False
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]]

    readers: ClassVar[Mapping[str, Reader]]
    """By ``Call.endpoint``. A socket has none: what is asked comes in its frames."""
    answer_members: ClassVar[tuple[str, ...]] = ("usage",)
    """What to look for in an answer whose beginning is missing."""
    rules: ClassVar[Rules] = Rules()
    """What is particular to its errors."""
    titled_errors: ClassVar[bool] = False
    """Whether errors may be text that begins with a title."""

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

    def failure(self, call: Call, status: int, headers: Headers, body: bytes) -> Failure | None:
        if status >= 400:
            return self.failed(status, error_body.of_answer(headers, body, titled=self.titled_errors), headers)
        return self.hidden_failure(call, headers, body) if 200 <= status < 300 else None

    def hidden_failure(self, call: Call, headers: Headers, body: bytes) -> Failure | None:
        """What an answer with a status of success means that is none."""
        if body[:1] == b"{" and headers.get_bytes(b"content-encoding") is None:  # most often it is one document
            try:
                return self.failure_said(call, body)
            except UNREADABLE:
                pass
        for document in documents(headers, body):
            if (failure := self.failure_in_event(call, document)) is not None:
                return failure
        return None

    def failure_in_event(self, call: Call, document: bytes | Raw) -> Failure | None:
        try:
            return self.failure_said(call, document)
        except UNREADABLE:
            return None

    def failure_said(self, call: Call, document: bytes | Raw) -> Failure | None:
        """What one JSON document means, if it says that something went wrong.

        Raises:
            any of `sidecar.dialects.documents.UNREADABLE`: it is none of the family's.
        """
        told = error_body.of_document(document)
        return None if told is None else self.failed(told.status, told)

    def failed(self, status: int, told: Told, headers: Headers = NO_HEADERS) -> Failure:
        kind, decisive = self.kind_of(status, told)
        wait = waits.retry_after(headers, told.wait_seconds, told.message) if kind in _PASSING else None
        code = shown(decisive, told, status)
        return Failure(kind=kind, code=code, status=status, retry_after_seconds=wait, message=told.message)

    def kind_of(self, status: int, told: Told) -> tuple[Kind, str]:
        """The kind of an error, and which of its codes tells it."""
        return kind_of(status, told, self.rules)

    def retry_after(self, headers: Headers, body: bytes) -> float | None:
        told = error_body.of_answer(headers, body)
        return waits.retry_after(headers, told.wait_seconds, told.message)

    def limits(self, headers: Headers, now: float) -> tuple[Limit, ...]:
        return waits.limits(headers, now)

    @abstractmethod
    def phrase_error(self, status: int, kind: str, message: str) -> Phrase: ...

    def phrase_wait(self, status: int, kind: str, message: str, retry_after_seconds: float) -> Phrase:
        return self.phrase_error(status, kind, message)


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
