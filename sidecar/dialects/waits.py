"""How long to wait, and how much is left: what answers say of time and of limits, in every spelling that is in use.

==============================================  ==============================================================
``retry-after-ms: 1200``                        Azure, OpenAI, and whoever has SDKs of Stainless's
``retry-after: 20`` or an HTTP date             RFC 9110 section 10.2.3
``x-ratelimit-remaining-tokens: 0`` and         OpenAI, Groq, Azure OpenAI; resets are spans (``1s``, ``6m0s``,
``x-ratelimit-reset-tokens: 6m0s``              ``20ms``), seconds, or seconds since the epoch
``x-ratelimit-remaining-req-minute: 7``         Mistral; also ``-tokens-minute``, ``-tokens-month``, and of old
                                                ``x-ratelimitbysize-remaining-minute`` with ``ratelimitbysize-reset``
``x-ratelimit-remaining: 5``                    AssemblyAI and many gateways
``anthropic-ratelimit-tokens-reset: 2027-…Z``   Anthropic: dates of RFC 3339
``current-concurrent-requests: 3`` and          ElevenLabs
``maximum-concurrent-requests: 15``
==============================================  ==============================================================

No two providers mean different things by one name, so that one reader serves all of them.
"""

import email.utils
import math
import re
from datetime import datetime
from typing import Final

from sidecar.dialect import Limit, Resource
from sidecar.failure import MOST_SECONDS
from sidecar.headers import Headers

_SPAN: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|us|µs|ns|[dhms]))+")
_SPAN_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|[dhms])")
_SECONDS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
#: Numbers from here on are seconds since the epoch, and from there on milliseconds.
_EPOCH_SECONDS, _EPOCH_MILLISECONDS = 1e9, 1e12

#: "Please try again in 1m2.5s.", "Please retry after 26 seconds."
_IN_PROSE: Final = re.compile(
    r"\b(?:try again|retry) (?:in|after) ((?:\d+(?:\.\d+)?(?:ms|[dhms]))+\b|(\d+(?:\.\d+)?) (?:milli)?seconds?\b)", re.I
)
#: "Quota will be replenished in 3.12:11:32."
_REPLENISHED: Final = re.compile(r"replenished in (?:(\d{1,3})\.)?(\d\d):(\d\d):(\d\d)", re.I)

_LIMIT_LINE: Final = re.compile(
    rb"\n(?:x-ratelimit-(?P<what>limit|remaining|reset)(?:-(?P<name>[a-z-]+))?"
    rb"|anthropic-ratelimit-(?P<their_name>[a-z-]+)-(?P<their_what>limit|remaining|reset)"
    rb"|x-ratelimitbysize-(?P<size_what>limit|remaining)-(?P<size_name>[a-z]+)"
    rb"|(?P<concurrent>current|maximum)-concurrent-requests)[ \t]*:[ \t]*(?P<value>[^\r\n]*)"
)
_LEADING_NUMBER: Final = re.compile(r"\d{1,15}(?:\.\d{1,9})?")
_WINDOWS: Final = ("-second", "-minute", "-hour", "-day", "-month")
_RESOURCES: Final = {
    "": Resource.REQUESTS,
    "requests": Resource.REQUESTS,
    "req": Resource.REQUESTS,
    "tokens": Resource.TOKENS,
    "project-tokens": Resource.TOKENS,
    "input-tokens": Resource.INPUT_TOKENS,
    "output-tokens": Resource.OUTPUT_TOKENS,
    "audio-seconds": Resource.AUDIO_SECONDS,
    "characters": Resource.CHARACTERS,
}


def bounded(seconds: float) -> float | None:
    """*seconds* as a wait that can be believed; None for what is no number."""
    return None if math.isnan(seconds) else min(max(seconds, 0.0), MOST_SECONDS)


def number(text: str | None) -> float | None:
    """A number as headers have it, which ends where other words begin: ``100, 100;w=60`` is 100."""
    found = None if text is None else _LEADING_NUMBER.match(text.strip())
    return None if found is None else float(found[0])


def span(text: str) -> float | None:
    """Seconds of ``1h2m3.5s``, ``20ms``, ``46s``."""
    if _SPAN.fullmatch(text) is None:
        return None
    return bounded(sum(float(amount) * _SECONDS[unit] for amount, unit in _SPAN_PART.findall(text)))


def until(text: str | None, now: float | None) -> float | None:
    """Seconds from *now* to a moment told as a span, as seconds, since the epoch, or as a date.

    Args:
        now: seconds since the epoch; None if that is not known, and then neither is how far off a moment is.
    """
    if text is None:
        return None
    text = text.strip()
    if (seconds := span(text)) is not None:
        return seconds
    try:
        value = float(text)
    except ValueError:
        moment = _moment(text)
    else:
        if not value >= _EPOCH_SECONDS:
            return bounded(value)
        moment = value / 1000 if value >= _EPOCH_MILLISECONDS else value
    return None if moment is None or now is None else bounded(moment - now)


def _moment(text: str) -> float | None:
    """Seconds since the epoch of a date of RFC 3339 or of HTTP."""
    try:
        if text[4:5] == "-":
            date = datetime.fromisoformat(text.upper())
            return date.timestamp() if date.tzinfo is not None else None
        fields = email.utils.parsedate_tz(text)
        return None if fields is None else float(email.utils.mktime_tz(fields))
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def answered_at(headers: Headers) -> float | None:
    """When an answer was made, by its ``Date``, in seconds since the epoch."""
    value = headers.get_bytes(b"date")
    return None if value is None else _moment(value.decode("latin-1"))


def retry_after(headers: Headers, told_seconds: float | None, message: str) -> float | None:
    """How long an answer asks to be left alone. What stands first of these counts: the headers that are there for it,
    what the body has in a field, the words of the message, and the limits that are used up.

    The last come last: they tell when all of a limit is there again, which OpenAI fills up all the time; what its
    message names is when there is enough of it for this call.

    Args:
        told_seconds: what a field of the body says.
    """
    for name in (b"retry-after-ms", b"x-ms-retry-after-ms"):
        milliseconds = headers.get_bytes(name)
        if milliseconds is not None and (value := number(milliseconds.decode("latin-1"))) is not None:
            return bounded(value / 1000)
    now = answered_at(headers)
    asked = headers.get_bytes(b"retry-after")
    if asked is not None and (seconds := until(asked.decode("latin-1"), now)) is not None:
        return seconds
    if told_seconds is not None:
        return bounded(told_seconds)
    if (seconds := in_prose(message)) is not None:
        return seconds
    resets = [limit.resets_in_seconds for limit in limits(headers, now) if _is_used_up(limit)]
    return max([reset for reset in resets if reset is not None], default=None)


def _is_used_up(limit: Limit) -> bool:
    """Whether nothing is left of it; a reset that comes alone says so too."""
    if limit.resets_in_seconds is None:
        return False
    return limit.remaining == 0 or (limit.remaining is None and limit.limit is None)


def in_prose(message: str) -> float | None:
    """The wait that a message names, as many do without any header: OpenAI, Groq, Gemini, Azure."""
    if (found := _IN_PROSE.search(message)) is not None:
        if found[2] is None:
            return span(found[1].lower())
        return bounded(float(found[2]) * (1e-3 if "milli" in found[1].lower() else 1.0))
    if (found := _REPLENISHED.search(message)) is not None:
        days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
        return bounded(((days * 24 + hours) * 60 + minutes) * 60.0 + seconds)
    return None


def limits(headers: Headers, now: float | None) -> tuple[Limit, ...]:
    """What headers say of limits, in the order in which they first name them."""
    block = b"\n" + headers.block.lower()
    if b"ratelimit" not in block and b"-concurrent-requests" not in block:
        return ()
    told: dict[str, dict[str, str]] = {}
    for line in _LIMIT_LINE.finditer(block):
        value = line["value"].decode("latin-1").strip()
        if (concurrent := line["concurrent"]) is not None:
            told.setdefault("concurrency", {})[concurrent.decode()] = value
        elif (size_name := line["size_name"]) is not None:
            told.setdefault(f"tokens-{size_name.decode()} by size", {})[line["size_what"].decode()] = value
        else:
            name, what = line["name"] or line["their_name"] or b"", line["what"] or line["their_what"]
            told.setdefault(name.decode(), {})[what.decode()] = value
    found = [_limit(name, values, headers, now) for name, values in told.items()]
    return tuple([limit for limit in found if limit is not None])


def _limit(name: str, values: dict[str, str], headers: Headers, now: float | None) -> Limit | None:
    if name == "concurrency":
        most, current = number(values.get("maximum")), number(values.get("current"))
        left = None if most is None or current is None else max(most - current, 0.0)
        return Limit(what=Resource.CONCURRENCY, limit=most, remaining=left)
    by_size = name.endswith(" by size")
    for window in _WINDOWS:
        name = name.removesuffix(" by size").removesuffix(window)
    if (what := _RESOURCES.get(name)) is None:
        return None
    reset = headers.get("ratelimitbysize-reset") if by_size else values.get("reset")
    return Limit(
        what=what,
        limit=number(values.get("limit")),
        remaining=number(values.get("remaining")),
        resets_in_seconds=until(reset, now),
    )
