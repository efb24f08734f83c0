"""How a family of providers speaks: the contract of the modules in `sidecar.dialects`. Nothing here does I/O.

A dialect *recognises* a call by method and path, *reads* a request into a typed view and an answer into what it says of
itself, of the provider's limits and of what went wrong, and *phrases* an error so that the family's SDKs understand it.
Host names and paths decide, never the headers an SDK happens to send. What a dialect does not know passes through
untouched.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Protocol

from msgspec import Raw, Struct

from sidecar.failure import Failure, Kind
from sidecar.headers import Headers
from sidecar.payload import Answer, Payload


class Operation(StrEnum):
    """What a call is for."""

    STT = "stt"
    TTS = "tts"
    CHAT = "chat"
    REALTIME = "realtime"
    """Speech in and speech out over one socket."""
    PASSTHROUGH = "passthrough"
    """None of these: known by name at most (embeddings, an upload), and passed as it is."""


class Call(Struct, frozen=True, kw_only=True):
    """What a dialect recognised from the request line alone."""

    operation: Operation
    endpoint: str
    """The dialect's own short name for it, stable and of low cardinality: ``audio.speech``, ``chat.completions``."""
    route: str
    """The path as a template, fit for span names and metrics: ``/v1/text-to-speech/{voice_id}/stream``."""
    model: str | None = None
    """Where path or query name it."""
    voice: str | None = None
    socket: bool = False
    """Whether the call upgrades to a WebSocket."""
    stream: bool = False
    """Whether path or query ask for a streamed answer."""


class Phrase(Struct, frozen=True, kw_only=True):
    """An error as the agent's SDK expects it from its provider."""

    status: int
    content_type: str
    body: bytes
    headers: Headers = Headers()
    """What is to stand in the answer's head besides the type and length of the body."""


class Resource(StrEnum):
    """What a provider counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    CONCURRENCY = "concurrency"
    """Calls at the same time."""
    CHARACTERS = "characters"
    AUDIO_SECONDS = "audio_seconds"


class Limit(Struct, frozen=True, kw_only=True):
    """What an answer says of one limit. A provider may have several of the same resource, for windows of their own."""

    what: Resource
    limit: float | None = None
    """How much there is of it in each window."""
    remaining: float | None = None
    """How much of that is left."""
    resets_in_seconds: float | None = None
    """When all of it is there again."""


class Dialect(Protocol):
    """One family. Implementations are stateless and may be shared."""

    name: ClassVar[str]
    """What ``dialect:`` in the configuration says."""
    system: ClassVar[str]
    """OpenTelemetry's ``gen_ai.provider.name`` for it."""
    credential_header: ClassVar[str]
    """The request header that carries the credential."""
    credential_format: ClassVar[str]
    """How the credential stands in it: ``Bearer {}``."""
    heeds_should_retry: ClassVar[bool]
    """Whether there are SDKs for it that do as ``x-should-retry`` in an answer says."""
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]]
    """How such providers refuse: status and code of each kind, "" for whatever code the failure has.

    The status is never one that has the family's SDKs try again for minutes.
    """

    def recognise(self, method: str, path: str, query: str) -> Call | None:
        """The call behind a request line, or None for what is to pass untouched.

        Args:
            method: upper case.
            path: as on the wire, percent-encoding kept, without the query.
            query: what follows the question mark, or "".
        """
        ...

    def read(self, call: Call, query: str, headers: Headers, body: bytes, *, complete: bool = True) -> Payload | None:
        """The typed view of a request, or None where *body* is not what the endpoint takes; never raises.

        ``complete=False``: *body* is only how the request begins (multipart fields before the file and whole members
        of a JSON object can still be read; the view has no audio). A socket has no view: what is asked of it comes
        in its frames.
        """
        ...

    def read_answer(self, call: Call, headers: Headers, body: bytes) -> Answer:
        """What the answer says of itself. *body* is the whole of it or, of a long one, its last part; never raises."""
        ...

    def failure(self, call: Call, status: int, headers: Headers, body: bytes) -> Failure | None:
        """What an answer means that is no success, whatever its status says; None for one that is; never raises.

        *body* may be whole or cut at either end, of any type and coding; what cannot be read is judged by *status*.
        Interim answers and redirects are nobody's failure.
        """
        ...

    def failure_in_event(self, call: Call, document: bytes | Raw) -> Failure | None:
        """What one JSON document of a stream (an event's data, a line, a socket's text message) means, if it says that
        something went wrong; never raises.
        """
        ...

    def retry_after(self, headers: Headers, body: bytes) -> float | None:
        """For how many seconds an answer asks to be left alone: by its headers, its limits that are used up, its body.

        Dates are compared with the answer's own ``Date``. None if it does not say; never raises.
        """
        ...

    def limits(self, headers: Headers, now: float) -> tuple[Limit, ...]:
        """What an answer's headers say of the caller's limits; never raises.

        Args:
            now: seconds since the epoch, for limits whose reset is told as a date.
        """
        ...

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        """An error of ours in the family's envelope.

        The status may differ from the one given where that one would set off the SDK's retries for minutes.
        """
        ...

    def phrase_wait(self, status: int, kind: str, message: str, retry_after_seconds: float) -> Phrase:
        """An error that is over after a while, told in the body where the family has a place for that. (In the head it
        is told by `sidecar.phrasing.phrase_failure`.)
        """
        ...
