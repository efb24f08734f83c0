"""Headers that change nothing about an answer; they differ from call to call or from one client library to the next."""

from typing import Final

from sidecar_cache.rules.endpoint import Row

_HOP: Final = "belongs to the connection and not to the call"
_FRAMING: Final = "how the request is framed; its content is in the key"
_TRACE: Final = "names the caller's trace"
_CALL: Final = "names this one call; drawn anew for each"
_CLIENT: Final = "names the client library and its run"
_CACHE: Final = "speaks to caches: heeded, and not part of what is asked"

NOISE: Final = {
    b"b3": _TRACE,
    b"baggage": _TRACE,
    b"cache-control": _CACHE,
    b"connection": _HOP,
    b"content-length": _FRAMING,
    b"content-type": "how the body is written: of JSON and forms the kind is in the key, of all else the whole value",
    b"expect": _FRAMING,
    b"host": "how the sidecar was addressed; the provider and its place are in the key",
    b"idempotency-key": _CALL,
    b"keep-alive": _HOP,
    b"pragma": _CACHE,
    b"proxy-connection": _HOP,
    b"te": _HOP,
    b"traceparent": _TRACE,
    b"tracestate": _TRACE,
    b"transfer-encoding": _FRAMING,
    b"user-agent": _CLIENT,
    b"x-client-request-id": _CALL,
    b"x-cloud-trace-context": _TRACE,
    b"x-deepgram-session-id": "drawn anew by each client object",
    b"x-goog-api-client": _CLIENT,
    b"x-request-id": _CALL,
    b"x-requestid": _CALL,
}
NOISY_PREFIXES: Final = {b"x-stainless-": _CLIENT, b"x-fern-": _CLIENT, b"x-b3-": _TRACE}
_PREFIXES: Final = tuple(NOISY_PREFIXES)


def is_noise(name: bytes) -> bool:
    """*name*: in lower case."""
    return name in NOISE or name.startswith(_PREFIXES)


def rows() -> list[Row]:
    named = [(name.decode(), reason) for name, reason in NOISE.items()]
    named += [(f"{prefix.decode()}*", reason) for prefix, reason in NOISY_PREFIXES.items()]
    return [Row("*", "*", "header", name, reason) for name, reason in named]


def codings(accepted: bytes) -> bytes:
    """What ``Accept-Encoding`` accepts, in any order, spacing and case; as it stands where preferences are weighed."""
    if b";" in accepted:
        return accepted
    return b",".join(sorted({each.strip().lower() for each in accepted.split(b",")} - {b""}))
