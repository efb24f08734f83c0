"""What a handler of an emulated provider gives back: an answer over HTTP, a refusal, or a socket to run."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from sidecar.dialect import Operation

if TYPE_CHECKING:
    from sidecar.lab.sockets import Socket

HeaderList = list[tuple[str, str]]
Chunks = AsyncGenerator[bytes, None]


class Work(Struct, frozen=True):
    """What an answer costs, for the latency model: characters (TTS), audio seconds (STT), 1000 tokens (CHAT)."""

    operation: Operation
    amount: float = 0.0


class Reply(Struct, kw_only=True):
    """An answer. A body of bytes has its length told in advance; a generator's is sent chunk by chunk as it comes."""

    status: int = 200
    headers: HeaderList = []
    body: bytes | Chunks = b""
    work: Work | None = None

    @property
    def is_event_stream(self) -> bool:
        return any(value.startswith("text/event-stream") for name, value in self.headers if name == "Content-Type")


class Upgrade(Struct, kw_only=True):
    """A socket: *run* talks over it until it returns; then it is closed with 1000."""

    run: "Callable[[Socket], Awaitable[None]]"
    headers: HeaderList = []
    protocols: tuple[str, ...] = ()


class Trouble(StrEnum):
    """Why a call is refused; each provider has its own status and words for each."""

    AUTH = "auth"
    NOT_FOUND = "not_found"
    METHOD = "method"
    INVALID = "invalid"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    RATE = "rate"
    CONCURRENCY = "concurrency"
    QUOTA = "quota"
    SERVER = "server"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"


STATUS: dict[Trouble, int] = {
    Trouble.AUTH: 401,
    Trouble.NOT_FOUND: 404,
    Trouble.METHOD: 405,
    Trouble.INVALID: 400,
    Trouble.TOO_LARGE: 413,
    Trouble.UNSUPPORTED: 415,
    Trouble.RATE: 429,
    Trouble.CONCURRENCY: 429,
    Trouble.QUOTA: 429,
    Trouble.SERVER: 500,
    Trouble.OVERLOADED: 503,
    Trouble.TIMEOUT: 504,
}


class Refusal(Exception):
    """The call is refused. The emulation puts it into its provider's words.

    ``param`` names the field that is wrong; ``status`` stands for the provider's usual one if it is 0.
    """

    def __init__(
        self,
        trouble: Trouble,
        message: str = "",
        *,
        param: str | None = None,
        status: int = 0,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message or trouble.value)
        self.trouble = trouble
        self.message = message or _MESSAGES[trouble]
        self.param = param
        self.status = status
        self.retry_after_seconds = retry_after_seconds

    def status_or(self, usual: int) -> int:
        return self.status or usual

    @property
    def retry_headers(self) -> HeaderList:
        if self.retry_after_seconds is None:
            return []
        return [("Retry-After", f"{self.retry_after_seconds:g}")]


_MESSAGES: dict[Trouble, str] = {
    Trouble.AUTH: "The credentials are missing or not valid.",
    Trouble.NOT_FOUND: "There is nothing at this address.",
    Trouble.METHOD: "The method is not allowed here.",
    Trouble.INVALID: "The request is not valid.",
    Trouble.TOO_LARGE: "The request is too large.",
    Trouble.UNSUPPORTED: "The media type is not supported.",
    Trouble.RATE: "Too many requests were sent in a given time.",
    Trouble.CONCURRENCY: "Too many requests are under way at the same time.",
    Trouble.QUOTA: "The account has used up its quota.",
    Trouble.SERVER: "The server had an error while processing the request.",
    Trouble.OVERLOADED: "The service is overloaded. Try again later.",
    Trouble.TIMEOUT: "The request took too long.",
}


def trouble_of(status: int) -> Trouble:
    """What a status most often stands for."""
    exact = next((trouble for trouble, usual in STATUS.items() if usual == status), None)
    if exact is not None:
        return exact
    if status == 529:
        return Trouble.OVERLOADED
    if status == 402:
        return Trouble.QUOTA
    if status == 403:
        return Trouble.AUTH
    return Trouble.SERVER if status >= 500 else Trouble.INVALID


def dumps(value: object) -> bytes:
    """Compact JSON with text unescaped, as services send it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def json_reply(
    value: object, *, status: int = 200, headers: Iterable[tuple[str, str]] = (), work: Work | None = None
) -> Reply:
    return Reply(status=status, headers=[("Content-Type", "application/json"), *headers], body=dumps(value), work=work)


def text_reply(text: str, *, status: int = 200, content_type: str = "text/plain; charset=utf-8") -> Reply:
    return Reply(status=status, headers=[("Content-Type", content_type)], body=text.encode())


def stream_reply(
    chunks: Chunks,
    content_type: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    work: Work | None = None,
) -> Reply:
    return Reply(headers=[("Content-Type", content_type), *headers], body=chunks, work=work)


def event(data: object, name: str | None = None) -> bytes:
    """One server-sent event with JSON for data (a string is taken as it is)."""
    encoded = data.encode() if isinstance(data, str) else dumps(data)
    return (b"" if name is None else b"event: " + name.encode() + b"\n") + b"data: " + encoded + b"\n\n"


def event_reply(events: Chunks, *, headers: Iterable[tuple[str, str]] = (), work: Work | None = None) -> Reply:
    return stream_reply(
        events, "text/event-stream; charset=utf-8", headers=[("Cache-Control", "no-cache"), *headers], work=work
    )
