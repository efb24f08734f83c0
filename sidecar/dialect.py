"""How a family of providers speaks: the contract of the modules in `sidecar.dialects`. Nothing here does I/O.

A dialect *recognises* a call by method and path, *reads* a request into a typed view and an answer into what it says of
itself, and *phrases* an error so that the family's SDKs understand it. Host names and paths decide, never the headers
an SDK happens to send. What a dialect does not know passes through untouched.
"""

from enum import StrEnum
from typing import ClassVar, Protocol

from msgspec import Struct

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

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        """An error of ours in the family's envelope.

        The status may differ from the one given where that one would set off the SDK's retries for minutes.
        """
        ...
