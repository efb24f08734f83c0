"""The end of a call that nobody answered, told to the agent as its own provider would tell it. No I/O."""

import math
from collections.abc import Sequence

from msgspec.structs import replace

from sidecar.dialect import Dialect, Phrase
from sidecar.failure import Failure, Kind

#: Kinds of which the provider's own status says more than the kind does, if it is one of these.
_STATUSES = {
    Kind.INVALID: frozenset((400,)),
    Kind.UNSUPPORTED: frozenset((400, 404, 413, 415)),
}
#: Where it makes a difference to wait.
_PASSING = frozenset((Kind.RATE, Kind.CONCURRENCY, Kind.QUOTA, Kind.OVERLOADED))


def phrase_failure(dialect: Dialect, failure: Failure) -> Phrase:
    """*failure* in the words of *dialect*: what its SDKs make the error class of that the agent's code expects.

    SDKs that can be told so do not try again (``x-should-retry: false``): whoever could be asked has been. Where the
    failure is a limit with a known end, the agent learns of it by ``Retry-After``, and by the body where the family has
    a place for it. What the provider said of a credential is left out: it may repeat some of it.
    """
    status, code = dialect.refusals[failure.kind]
    if failure.status in _STATUSES.get(failure.kind, ()):
        status = failure.status
    message = "agent-sidecar: " + (_WORDS[failure.kind] if failure.kind is Kind.AUTH else _words(failure))
    wait = failure.retry_after_seconds if failure.kind in _PASSING else None
    code = code or failure.code or failure.kind.value
    if wait is None:
        phrase = dialect.phrase_error(status, code, message)
    else:
        phrase = dialect.phrase_wait(status, code, message, math.ceil(wait))
    headers = phrase.headers
    if wait is not None:
        headers = headers.with_field("Retry-After", str(math.ceil(wait)))
    if dialect.heeds_should_retry:
        headers = headers.with_field("x-should-retry", "false")
    return replace(phrase, headers=headers)


def final_failure(failures: Sequence[Failure]) -> Failure:
    """Which of the failures of an exchange's attempts, in their order, the agent is to be told.

    If all are limits or overloads, the agent may come back as soon as the first of them is over: that of the first
    provider is told, with the shortest of the waits. Otherwise it is the first that is none of these, since a wait
    would lead to it again.

    Raises:
        ValueError: there are none.
    """
    if not failures:
        raise ValueError("nothing has failed")
    lasting = next((failure for failure in failures if failure.kind not in _PASSING), None)
    if lasting is not None:
        return lasting
    waits = [failure.retry_after_seconds for failure in failures if failure.retry_after_seconds is not None]
    return replace(failures[0], retry_after_seconds=min(waits, default=None))


def _words(failure: Failure) -> str:
    return failure.message or _WORDS[failure.kind]


_WORDS = {
    Kind.RATE: "the provider's rate limit is reached",
    Kind.CONCURRENCY: "too many calls to the provider are under way",
    Kind.QUOTA: "the provider's quota is used up",
    Kind.AUTH: "the provider does not accept the credential",
    Kind.INVALID: "the provider does not accept the request",
    Kind.UNSUPPORTED: "the provider does not have what was asked for",
    Kind.REFUSED: "the provider refuses the content",
    Kind.OVERLOADED: "the provider is overloaded",
    Kind.SERVER: "the provider failed",
    Kind.TIMEOUT: "the provider took too long",
    Kind.NETWORK: "the provider cannot be reached",
}
