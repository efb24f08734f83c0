"""Headers that change nothing about an answer; they differ from call to call or from one client library to the next."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

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
ACCEPT_ENCODING: Final = b"accept-encoding"
_OTHERWISE: Final = (
    ("accept: */*", "the same as none (RFC 9110 section 12.5.1)"),
    ("accept-encoding", "what is kept is given in a coding that the agent accepts, or without one; others than gzip, "
     "deflate, br and zstd are in the key"),
)  # fmt: skip
NOISY_PREFIXES: Final = {b"x-stainless-": _CLIENT, b"x-fern-": _CLIENT, b"x-b3-": _TRACE}
_PREFIXES: Final = tuple(NOISY_PREFIXES)


def is_noise(name: bytes) -> bool:
    """*name*: in lower case."""
    return name in NOISE or name.startswith(_PREFIXES)


def rows() -> list[Row]:
    named = [(name.decode(), reason) for name, reason in NOISE.items()]
    named += _OTHERWISE
    named += [(f"{prefix.decode()}*", reason) for prefix, reason in NOISY_PREFIXES.items()]
    return [Row("*", "*", "header", name, reason) for name, reason in named]


class Accepted(NamedTuple):
    """What ``Accept-Encoding`` accepts."""

    known: frozenset[str]
    """Of the codings that are known here by name."""
    plain: bool
    """Whether an answer may do without any."""
    odd: bytes
    """All of it, in any order, spacing and case, if it says more than which of those are accepted; else b""."""


CODINGS: Final = frozenset(("br", "deflate", "gzip", "zstd"))
_WEIGHT: Final = re.compile(r"\s*q\s*=\s*([01](?:\.\d*)?)\s*")


def codings(values: Iterable[bytes]) -> Accepted:
    """
    Args:
        values: of all such fields of a request.
    """
    weights: dict[str, float] = {}
    said, is_odd = sorted({each.strip().lower() for value in values for each in value.split(b",")} - {b""}), False
    for each in said:
        name, _, weight = each.decode("latin-1").partition(";")
        name = coding_named(name)
        found = _WEIGHT.fullmatch(weight) if weight else None
        is_odd |= name not in CODINGS | {"identity", "*"} or (bool(weight) and found is None) or name in weights
        weights[name] = 1.0 if found is None else float(found[1])
    others = weights.get("*", 0.0)
    plain = weights.get("identity", weights.get("*", 1.0)) > 0.0
    known = frozenset(name for name in CODINGS if weights.get(name, others) > 0.0)
    return Accepted(known, plain, b"" if plain and not is_odd else b",".join(said))


def coding_named(name: str) -> str:
    """A coding's name as there is one of: ``x-gzip`` is ``gzip`` (RFC 9110 section 8.4.1.3)."""
    name = name.strip().lower()
    return "gzip" if name == "x-gzip" else name
