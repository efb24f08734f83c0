"""What can go wrong, as types.

    SidecarError
    ├── ConfigurationError      the configuration cannot be used; carries every problem found
    ├── BodyTooLarge            a body does not fit into the limit of whoever wanted it whole
    ├── BodyAlreadyStarted      a body that can be read once was asked for again
    ├── CallError               the agent's call cannot be served; knows how to say so over HTTP
    │   ├── NoRoute             nothing is configured for where the call wants to go
    │   ├── Forbidden           the configuration does not allow where the call wants to go
    │   ├── PluginFailed        a layer with ``on_fault: fail`` failed, or failed where bypassing is not possible
    │   └── UpstreamError       the provider did not answer as HTTP asks
    │       ├── ConnectFailed   no connection; nothing was sent
    │       ├── UpstreamTimeout a phase of the call took longer than it may
    │       └── UpstreamBroken  the connection ended, or spoke nonsense, before the answer was whole
    └── AdminUnreachable        a command found no running sidecar to talk to

An error is a provider's, the protocol's or the user's; a plugin's own failure is a *fault* (`sidecar.guard`).
"""

from typing import ClassVar


class SidecarError(Exception):
    """The root of all errors of this package."""


class ConfigurationError(SidecarError):
    """The configuration cannot be used. ``str()`` shows every problem, each with its place and what to do."""


class BodyTooLarge(SidecarError):
    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than the limit of {limit} bytes")
        self.limit = limit


class BodyAlreadyStarted(SidecarError):
    def __init__(self) -> None:
        super().__init__("this body is read once, and reading has already begun")


class CallError(SidecarError):
    """The agent's call ends without a provider's answer.

    ``status`` is the HTTP status for the agent; ``kind`` the ``error`` token for ``Proxy-Status`` (RFC 9209 section
    2.3), also used as OpenTelemetry's ``error.type``.
    """

    status: ClassVar[int] = 502
    kind: str = "proxy_internal_error"


class NoRoute(CallError):
    status = 404
    kind = "destination_not_found"


class Forbidden(CallError):
    status = 403
    kind = "destination_ip_prohibited"


class PluginFailed(CallError):
    status = 502
    kind = "proxy_internal_error"

    def __init__(self, plugin: str, reason: str) -> None:
        super().__init__(f"plugin {plugin} failed and the call cannot go on without it: {reason}")
        self.plugin = plugin


class UpstreamError(CallError):
    """The provider gave no usable answer. ``sent`` says whether any byte of the request may have reached it."""

    kind = "http_protocol_error"

    def __init__(self, message: str, *, kind: str | None = None, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent
        if kind is not None:
            self.kind = kind


class ConnectFailed(UpstreamError):
    kind = "connection_refused"

    def __init__(self, message: str, *, kind: str | None = None) -> None:
        super().__init__(message, kind=kind, sent=False)


class UpstreamTimeout(UpstreamError):
    """``phase`` is one of connect, first_byte, between_chunks, total."""

    status = 504

    def __init__(self, phase: str, seconds: float, *, sent: bool = True) -> None:
        kind = "connection_timeout" if phase == "connect" else "http_response_timeout"
        super().__init__(f"{phase.replace('_', ' ')} timed out after {seconds:g} s", kind=kind, sent=sent)
        self.phase = phase
        self.seconds = seconds


class UpstreamBroken(UpstreamError):
    """The connection ended or the bytes made no sense. ``begun`` says whether an answer had begun to arrive."""

    kind = "connection_terminated"

    def __init__(self, message: str, *, kind: str | None = None, begun: bool = False) -> None:
        super().__init__(message, kind=kind)
        self.begun = begun


class AdminUnreachable(SidecarError):
    pass
