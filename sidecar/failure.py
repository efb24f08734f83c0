"""What it means that a provider did not do what it was asked: kinds of failure, and what to do about each.

Nothing here does I/O. A provider's own words are read by its dialect (`sidecar.dialect.Dialect.failure`), what our side
of the wire raises by `failure_of`.

What a kind means:

===========  =====  =========  =======  ============  ==================================================================
kind         again  elsewhere  health   out for       why
===========  =====  =========  =======  ============  ==================================================================
rate         later  yes        no       told, or 5 s  a healthy provider keeps to its word; before the time is up every
                                                      further try is refused as well, and counted
concurrency  later  yes        no       told          there is room as soon as a call of ours ends: wait for that, since
                                                      to back off leaves places empty, and a hedge takes one more
quota        no     yes        no       told, or      no waiting of seconds brings the money back; asked again at times,
                                        300 s         since nobody tells when it is there
auth         no     by choice  no       told, or      what the owner has to see must not be hidden by somebody else's
                                        300 s         answer; the provider is well, and other credentials may do
invalid      no     no         no       no            the caller's mistake: whoever is asked will say so
unsupported  no     yes        no       no            too large, or a model, voice or feature that is not to be had
                                                      *here*; of the next call that says nothing
refused      no     by choice  no       no            to carry what one provider's policy forbids to a laxer one is for
                                                      the owner to decide
overloaded   soon   yes        yes      told          it has no room for anybody's calls; shorter than an illness, but
                                                      until it is over others are the better choice
server       soon   yes        yes      told          the next try often meets another machine
timeout      no     yes        yes      told          a second wait of the same length is what no caller has time for;
                                                      one such failure costs as much as several quick ones
network      soon   yes        yes      told          a fresh connection often goes another way
===========  =====  =========  =======  ============  ==================================================================

*Again* at the same provider (`Failure.retry_here`), *elsewhere* at another one (`Failure.retry_elsewhere`,
`Failure.elsewhere_by_choice`), *health* (`Failure.counts_against_health`), *out for* (`Failure.blocks_until`): for as
long as the provider told or, where it told nothing, as stands there.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from sidecar.errors import CallError, ConnectFailed, UpstreamError, UpstreamTimeout

#: The most that is kept of a provider's code and of its words, in characters.
CODE_LIMIT: Final = 64
MESSAGE_LIMIT: Final = 2000
#: The longest wait that is believed: to the end of a month, when budgets begin anew.
MOST_SECONDS: Final = 31 * 86400.0


class Kind(StrEnum):
    RATE = "rate"
    """Too many requests or tokens in a given time."""
    CONCURRENCY = "concurrency"
    """Too many calls at the same time."""
    QUOTA = "quota"
    """The money, or what was granted for a day or a month, is used up."""
    AUTH = "auth"
    """The credential is missing, wrong, or not good for this."""
    INVALID = "invalid"
    """The caller's fault: no other provider would accept it."""
    UNSUPPORTED = "unsupported"
    """Not to be had here: another provider may accept it."""
    REFUSED = "refused"
    """Against the provider's policy for contents."""
    OVERLOADED = "overloaded"
    SERVER = "server"
    TIMEOUT = "timeout"
    NETWORK = "network"
    """No connection, or one that ended before the answer was whole."""


#: Where another try at the same provider can be worth it, at once or after a wait.
_AGAIN: Final = frozenset((Kind.RATE, Kind.CONCURRENCY, Kind.OVERLOADED, Kind.SERVER, Kind.NETWORK))
_ELSEWHERE: Final = frozenset(Kind) - {Kind.AUTH, Kind.INVALID, Kind.REFUSED}
_BY_CHOICE: Final = frozenset((Kind.AUTH, Kind.REFUSED))
_UNHEALTHY: Final = frozenset((Kind.OVERLOADED, Kind.SERVER, Kind.TIMEOUT, Kind.NETWORK))
_LIMITS: Final = frozenset((Kind.RATE, Kind.CONCURRENCY, Kind.QUOTA))
_OF_THIS_CALL: Final = frozenset((Kind.INVALID, Kind.UNSUPPORTED, Kind.REFUSED))
#: What is noticed only once work has begun, or by silence: nobody knows how far the provider came.
_UNCERTAIN: Final = frozenset((Kind.SERVER, Kind.TIMEOUT, Kind.NETWORK))
#: How long a provider is left alone that did not say for how long, in seconds.
_OUT_SECONDS: Final = {Kind.RATE: 5.0, Kind.QUOTA: 300.0, Kind.AUTH: 300.0}


class Failure(Struct, frozen=True, kw_only=True):
    """What became of a call that has no usable answer."""

    kind: Kind
    code: str = ""
    """The provider's own, or a ``Proxy-Status`` token (RFC 9209) of ours. At most `CODE_LIMIT` characters out of
    letters, digits and ``_.:/-``, and nothing of the call in it: fit for logs, metrics and verdicts.
    """
    status: int = 0
    """HTTP status of the answer, or the one that an error within an answer names; 0 if there is none."""
    retry_after_seconds: float | None = None
    """How long the provider wants to be left alone; None where it does not say, or waiting is of no use."""
    message: str = ""
    """The provider's words, at most `MESSAGE_LIMIT` characters. For the agent alone: they may repeat what it sent."""
    sent: bool = True
    """Whether any byte of the request may have reached the provider."""

    def __repr__(self) -> str:
        """Without the message: reprs end up in logs."""
        return f"Failure({self.kind}, {self.code!r}, status={self.status}, retry_after={self.retry_after_seconds})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("kind", self.kind), ("code", self.code), ("status", self.status)]

    @property
    def retry_here(self) -> bool:
        """Whether the same call may succeed at the same provider: after `retry_after_seconds`, if that is known."""
        return self.kind in _AGAIN

    @property
    def retry_elsewhere(self) -> bool:
        """Whether another provider may well do what this one did not."""
        return self.kind in _ELSEWHERE

    @property
    def elsewhere_by_choice(self) -> bool:
        """Whether another provider might do it, but to ask one is for the owner's configuration to decide."""
        return self.kind in _BY_CHOICE

    @property
    def counts_against_health(self) -> bool:
        """Whether the provider is the worse for it; a refusal within its rules is none of that."""
        return self.kind in _UNHEALTHY

    @property
    def is_limit(self) -> bool:
        """Whether it is about how much the caller may have, and nothing else is wrong."""
        return self.kind in _LIMITS

    @property
    def needs_attention(self) -> bool:
        """Whether it stays like this until somebody does something about it: pays, or puts in another key."""
        return self.kind in (Kind.QUOTA, Kind.AUTH)

    @property
    def may_have_taken_effect(self) -> bool:
        """Whether the provider may have done what it was asked, so that a call that is not `repeatable` ends here.

        `sidecar.repeatable.repeatable` tells which calls those are.
        """
        return self.sent and self.kind in _UNCERTAIN

    def blocks_until(self, now: float) -> float | None:
        """Until when the provider is to be left alone, on the clock of *now*; None if this is no reason to.

        Left alone is not all of a provider, but the model that was asked for, with the credential that was used:
        limits are counted by these, and a key that is wrong says nothing of another.
        """
        if self.kind in _OF_THIS_CALL:
            return None
        seconds = self.retry_after_seconds
        if seconds is None:
            seconds = _OUT_SECONDS.get(self.kind)
        return None if seconds is None else now + seconds


#: `OSError` and others by the name of their class, since those of sockets and TLS are defined where I/O is done.
_CODES: Final = {
    "SSLCertVerificationError": "tls_certificate_error",
    "SSLError": "tls_protocol_error",
    "gaierror": "dns_error",
    "ConnectionRefusedError": "connection_refused",
    "ConnectionError": "connection_terminated",
    "OSError": "destination_unavailable",
}
_BEFORE_SENDING: Final = frozenset(("dns_error", "connection_refused", "tls_certificate_error"))
#: By ``kind`` of an `UpstreamError`. All others are the network's.
_KINDS: Final = {
    "connection_timeout": Kind.TIMEOUT,
    "http_response_timeout": Kind.TIMEOUT,
    # of the pool's places, none came free
    "connection_limit_reached": Kind.CONCURRENCY,
    # it was the agent's upload that failed
    "proxy_internal_error": Kind.INVALID,
}


def failure_of(error: BaseException) -> Failure:
    """What *error*, raised instead of an answer, means.

    What is no provider's doing (a plugin's failure, a body that cannot be read again, a cancellation) becomes
    `Kind.INVALID`, with which nobody is blamed and nothing is tried again.
    """
    if isinstance(error, UpstreamTimeout):
        return Failure(kind=Kind.TIMEOUT, code=f"{error.phase}_timeout", message=_words(error), sent=error.sent)
    if isinstance(error, UpstreamError):
        kind = _KINDS.get(error.kind, Kind.NETWORK)
        sent = error.sent and not isinstance(error, ConnectFailed)
        return Failure(kind=kind, code=error.kind, message=_words(error), sent=sent)
    if isinstance(error, CallError):
        return Failure(kind=Kind.INVALID, code=error.kind, message=_words(error), sent=False)
    if isinstance(error, TimeoutError):
        return Failure(kind=Kind.TIMEOUT, code="timeout", message=_words(error))
    if isinstance(error, OSError):
        names = [parent.__name__ for parent in type(error).__mro__]
        code = next(_CODES[name] for name in names if name in _CODES)
        return Failure(kind=Kind.NETWORK, code=code, message=_words(error), sent=code not in _BEFORE_SENDING)
    return Failure(kind=Kind.INVALID, code="proxy_internal_error")


def _words(error: BaseException) -> str:
    return str(error)[:MESSAGE_LIMIT]
