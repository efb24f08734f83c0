"""A sidecar proxy for AI agents. What a plugin may import stands here; nothing else is a promise."""

from typing import Final

__version__: Final = "0.1.0"

from sidecar.body import Body, Stream, StreamedBody, replay, tap
from sidecar.dialect import Call, Operation
from sidecar.exchange import (
    Attempt,
    AttemptRecord,
    Exchange,
    Fault,
    Key,
    Notes,
    Provider,
    Record,
    Request,
    Response,
    Verdict,
)
from sidecar.headers import Headers
from sidecar.hookspecs import (
    AroundAttempt,
    AroundExchange,
    AttemptHandler,
    ExchangeClosed,
    ExchangeHandler,
    Lifespan,
    PluginConfig,
    Runtime,
    Sample,
    Samples,
    hookimpl,
)
from sidecar.payload import Chat, Payload, Speech, Transcription

__all__ = [
    "AroundAttempt",
    "AroundExchange",
    "Attempt",
    "AttemptHandler",
    "AttemptRecord",
    "Body",
    "Call",
    "Chat",
    "Exchange",
    "ExchangeClosed",
    "ExchangeHandler",
    "Fault",
    "Headers",
    "Key",
    "Lifespan",
    "Notes",
    "Operation",
    "Payload",
    "PluginConfig",
    "Provider",
    "Record",
    "Request",
    "Response",
    "Runtime",
    "Sample",
    "Samples",
    "Speech",
    "Stream",
    "StreamedBody",
    "Transcription",
    "Verdict",
    "__version__",
    "hookimpl",
    "replay",
    "tap",
]
