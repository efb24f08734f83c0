"""A sidecar proxy for AI agents. What a plugin may import stands here; nothing else is a promise."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

__version__: Final = "0.1.0"

if TYPE_CHECKING:
    from sidecar.body import Body, Stream, StreamedBody, replay, tap
    from sidecar.dialect import Call, Dialect, Operation
    from sidecar.errors import CallError, ConnectFailed, UpstreamBroken, UpstreamError, UpstreamTimeout
    from sidecar.exchange import Attempt, Exchange, Record, Request, Response
    from sidecar.headers import Headers
    from sidecar.hookspecs import (
        AroundAttempt,
        AroundExchange,
        AttemptHandler,
        Calls,
        Console,
        ExchangeClosed,
        ExchangeHandler,
        Lifespan,
        PluginConfig,
        Question,
        Runtime,
        Sample,
        Samples,
        Told,
        hookimpl,
    )
    from sidecar.notes import AttemptRecord, Connecting, Fault, Key, Notes, Verdict
    from sidecar.payload import Answer, Chat, Message, Payload, Speech, Tool, Transcription, Usage
    from sidecar.provider import Provider, Secret
    from sidecar.stack import waiting
    from sidecar.units import Duration, Size

__all__ = [
    "Answer",
    "AroundAttempt",
    "AroundExchange",
    "Attempt",
    "AttemptHandler",
    "AttemptRecord",
    "Body",
    "Call",
    "CallError",
    "Calls",
    "Chat",
    "ConnectFailed",
    "Connecting",
    "Console",
    "Dialect",
    "Duration",
    "Exchange",
    "ExchangeClosed",
    "ExchangeHandler",
    "Fault",
    "Headers",
    "Key",
    "Lifespan",
    "Message",
    "Notes",
    "Operation",
    "Payload",
    "PluginConfig",
    "Provider",
    "Question",
    "Record",
    "Request",
    "Response",
    "Runtime",
    "Sample",
    "Samples",
    "Secret",
    "Size",
    "Speech",
    "Stream",
    "StreamedBody",
    "Told",
    "Tool",
    "Transcription",
    "UpstreamBroken",
    "UpstreamError",
    "UpstreamTimeout",
    "Usage",
    "Verdict",
    "__version__",
    "hookimpl",
    "replay",
    "tap",
    "waiting",
]

_HOMES = [
    "body",
    "dialect",
    "errors",
    "exchange",
    "headers",
    "hookspecs",
    "notes",
    "payload",
    "provider",
    "stack",
    "units",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import what is asked for: whoever wants only the command line shall not wait for all of it."""
        if name in __all__:
            for home in _HOMES:
                if hasattr(module := import_module(f"sidecar.{home}"), name):
                    value = globals()[name] = getattr(module, name)
                    return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
