"""How long an answer is given again, and what of that agent and cache say to each other. No I/O.

Sources: RFC 9111 (HTTP caching: ``Cache-Control``, ``Age``), RFC 5861 (stale content), RFC 9211 (``Cache-Status``).
"""

import random
import re
from enum import Enum
from typing import Final

from msgspec import Struct

from sidecar import Headers, Response

_DIRECTIVE: Final = re.compile(r'([a-z-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,;]*)))?', re.IGNORECASE)
_ENDLESS: Final = float("inf")
#: ``Cache-Status`` of an answer that came from the provider for somebody else who asked the same.
COLLAPSED: Final = "agent-sidecar; fwd=uri-miss; collapsed"
#: Why the cache has forwarded a call (RFC 9211 section 2.2): it was not to be looked up; nothing is kept under its key;
#: what is kept has no form that would do, is out of date, or is not what the agent wants of caches.
BYPASS, URI_MISS, MISS, STALE, REQUEST = "bypass", "uri-miss", "miss", "stale", "request"
#: What numbers of seconds that overflow stand for (RFC 9111 section 1.2.2).
_MOST_SECONDS: Final = 1 << 31


class Controls(Struct, frozen=True):
    """What an agent's ``Cache-Control`` asks for."""

    no_store: bool = False
    no_cache: bool = False
    only_if_cached: bool = False
    max_age: float = _ENDLESS
    """The oldest answer that will do, in seconds."""
    min_fresh: float = 0.0
    """For how long it must still be fresh, in seconds."""
    max_stale: float = -1.0
    """For how long it may have been stale, in seconds; negative: as long as the configuration says."""


NOTHING_ASKED: Final = Controls()


def controls_of(headers: Headers) -> Controls:
    """What *headers* ask of a cache. What makes no sense is not there, but for an age, which then is 0."""
    value = headers.get("cache-control")
    if value is None:
        return NOTHING_ASKED if "no-cache" not in (headers.get("pragma") or "").lower() else Controls(no_cache=True)
    given = {name.lower(): quoted or bare for name, quoted, bare in _DIRECTIVE.findall(value)}
    return Controls(
        no_store="no-store" in given,
        no_cache="no-cache" in given,
        only_if_cached="only-if-cached" in given,
        max_age=_seconds(given["max-age"], 0.0) if "max-age" in given else _ENDLESS,
        min_fresh=_seconds(given.get("min-fresh", ""), 0.0),
        max_stale=_seconds(given["max-stale"], _ENDLESS) if "max-stale" in given else -1.0,
    )


def _seconds(text: str, otherwise: float) -> float:
    return float(min(int(text), _MOST_SECONDS)) if text.isascii() and text.isdigit() else otherwise


class Lifetime(Struct, frozen=True):
    """How long answers of one kind are given again, in seconds."""

    fresh_seconds: float
    jitter: float = 0.1
    """By what share that may be longer or shorter, so that what was stored together does not expire together."""
    while_revalidate_seconds: float = 0.0
    """For how long after that it is given while a new one is fetched."""
    on_error_seconds: float = 0.0
    """For how long after that it is given if the provider fails."""

    def drawn_seconds(self) -> float:
        """For one answer."""
        return self.fresh_seconds * (1.0 + self.jitter * (2.0 * random.random() - 1.0))

    @property
    def stale_seconds(self) -> float:
        """For how long an answer is of any use after it was fresh."""
        return max(self.while_revalidate_seconds, self.on_error_seconds)


class Standing(Enum):
    """What may be done with a stored answer."""

    FRESH = "fresh"
    STALE = "stale"
    """It may be given while a new one is fetched."""
    SPARE = "spare"
    """It may be given if the provider fails."""
    USELESS = "useless"


def standing(left_seconds: float, age_seconds: float, lifetime: Lifetime, controls: Controls) -> Standing:
    """
    Args:
        left_seconds: for how long the answer is fresh; negative if it is not any more.
    """
    if controls.no_cache or age_seconds > controls.max_age:
        return Standing.SPARE if _spare(left_seconds, lifetime, controls) else Standing.USELESS
    if left_seconds >= controls.min_fresh and left_seconds >= 0.0:
        return Standing.FRESH
    stale = -left_seconds
    if controls.max_stale >= stale >= 0.0:
        return Standing.FRESH
    if controls.min_fresh == 0.0 and controls.max_stale < 0.0 and stale <= lifetime.while_revalidate_seconds:
        return Standing.STALE
    return Standing.SPARE if _spare(left_seconds, lifetime, controls) else Standing.USELESS


def _spare(left_seconds: float, lifetime: Lifetime, controls: Controls) -> bool:
    return not controls.no_cache and -left_seconds <= lifetime.on_error_seconds


def hit_lines(age_seconds: float, left_seconds: float, detail: str = "") -> bytes:
    """Header lines of an answer that was stored."""
    told = f"; detail={detail}".encode() if detail else b""
    return b"Age: %d\r\nCache-Status: agent-sidecar; hit; ttl=%d%b\r\n" % (max(age_seconds, 0), left_seconds, told)


def forwarded(response: Response, why: str, *, stored: bool = False) -> Response:
    """*response*, which the provider has given, saying so.

    Args:
        stored: whether it is taken in as it flows.
    """
    headers = response.headers.end_to_end()
    block = headers.block + _FORWARDED[why, stored]
    return response.with_headers(Headers.passing(block, headers.stated_length))


_FORWARDED: Final = {
    (why, stored): f"Cache-Status: agent-sidecar; fwd={why}{'; stored' if stored else ''}\r\n".encode()
    for why in (BYPASS, URI_MISS, MISS, STALE, REQUEST)
    for stored in (False, True)
}
