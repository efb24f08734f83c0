"""Of which kind an error is: by its dialect's table, by words that mean the same wherever they are used, by status."""

import re
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from sidecar.dialects.error_body import Told
from sidecar.failure import CODE_LIMIT, Kind

#: By status and code, in lower case with underscores. None for any status; "" for whatever code there is or is not.
Kinds = Mapping[tuple[int | None, str], Kind]


class Rules(Struct, frozen=True, kw_only=True):
    """What is particular to the errors of one family. The first that holds counts, in the order of the fields."""

    phrases: tuple[tuple[int, str, Kind], ...] = ()
    """Status, words of the message in lower case, kind: where a code does not tell one trouble from another. They go
    before codes, since they are there to contradict them.
    """
    kinds: Kinds = {}


#: Statuses that mean the same with everybody. Those of the 4xx that are not here are the caller's fault, of the 5xx the
#: server's.
_BY_STATUS: Final = {
    401: Kind.AUTH,
    402: Kind.QUOTA,
    403: Kind.AUTH,
    404: Kind.UNSUPPORTED,
    405: Kind.UNSUPPORTED,
    406: Kind.UNSUPPORTED,
    407: Kind.AUTH,
    408: Kind.TIMEOUT,
    # a lock that somebody else has; SDKs try again
    409: Kind.SERVER,
    410: Kind.UNSUPPORTED,
    413: Kind.UNSUPPORTED,
    414: Kind.UNSUPPORTED,
    415: Kind.UNSUPPORTED,
    # what the server itself depends on
    424: Kind.SERVER,
    425: Kind.OVERLOADED,
    426: Kind.UNSUPPORTED,
    429: Kind.RATE,
    431: Kind.UNSUPPORTED,
    451: Kind.REFUSED,
    499: Kind.NETWORK,
    501: Kind.UNSUPPORTED,
    503: Kind.OVERLOADED,
    504: Kind.TIMEOUT,
    505: Kind.UNSUPPORTED,
    # of proxies before the provider: no connection to it, or no answer from it
    521: Kind.NETWORK,
    522: Kind.TIMEOUT,
    523: Kind.NETWORK,
    524: Kind.TIMEOUT,
    525: Kind.NETWORK,
    526: Kind.NETWORK,
    529: Kind.OVERLOADED,
}


def by_status(status: int) -> Kind:
    return _BY_STATUS.get(status) or (Kind.INVALID if 400 <= status < 500 else Kind.SERVER)


def _each(kind: Kind, codes: str) -> dict[str, Kind]:
    return dict.fromkeys(codes.split(), kind)


#: Codes that are more telling than any status they come with.
_WORDS: Final = {
    **_each(Kind.RATE, "rate_limit_exceeded rate_limit_error rate_limited too_many_requests slow_down"),
    **_each(Kind.RATE, "resource_exhausted ratelimitreached ratelimitexceeded"),
    **_each(
        Kind.CONCURRENCY,
        "concurrency_limited concurrency_limit_exceeded concurrent_limit_exceeded too_many_concurrent_requests",
    ),
    **_each(Kind.QUOTA, "insufficient_quota quota_exceeded quotaexceeded insufficientquota billing_error"),
    **_each(Kind.QUOTA, "payment_required insufficient_funds insufficient_credits insufficient_balance"),
    **_each(Kind.QUOTA, "credit_balance_exhausted billing_hard_limit_reached billing_not_active billing_disabled"),
    **_each(Kind.AUTH, "invalid_api_key api_key_invalid invalid_auth authentication_error unauthenticated"),
    **_each(Kind.AUTH, "account_deactivated consumer_suspended"),
    **_each(Kind.UNSUPPORTED, "model_not_found unknown_model invalid_model model_decommissioned model_not_available"),
    **_each(Kind.UNSUPPORTED, "voice_not_found invalid_voice unsupported_model unsupported_value failed_precondition"),
    **_each(Kind.UNSUPPORTED, "unsupported_parameter unsupported_media_type unsupported_file unsupported_format"),
    **_each(Kind.UNSUPPORTED, "unsupported_language unsupported_country_region_territory language_not_supported"),
    **_each(Kind.UNSUPPORTED, "context_length_exceeded string_above_max_length request_too_large payload_too_large"),
    **_each(Kind.UNSUPPORTED, "unimplemented deploymentnotfound operationnotsupported"),
    **_each(Kind.REFUSED, "content_policy_violation content_filter responsibleaipolicyviolation moderation_blocked"),
    **_each(Kind.OVERLOADED, "overloaded_error overloaded server_is_overloaded engine_overloaded over_capacity"),
    **_each(Kind.OVERLOADED, "capacity_exceeded"),
}
#: Codes that say no more than a status does, for errors that have none.
_WITHOUT_STATUS: Final = {
    **_each(Kind.AUTH, "unauthorized permission_error permission_denied forbidden access_denied"),
    **_each(Kind.INVALID, "invalid_request_error invalid_request invalid_argument bad_request out_of_range"),
    **_each(Kind.INVALID, "already_exists"),
    **_each(Kind.UNSUPPORTED, "not_found_error not_found"),
    **_each(Kind.OVERLOADED, "service_unavailable unavailable service_unavailable_error"),
    **_each(Kind.TIMEOUT, "timeout_error timeout deadline_exceeded gateway_timeout"),
    **_each(Kind.NETWORK, "cancelled"),
}
#: In the message of a request that is called invalid: what is wrong with it is wrong here.
_NOT_HERE: Final = re.compile(
    r"not (?:currently )?support|unsupported|does not exist|decommissioned|too (?:long|large|big)\b|should be less than"
    r"|exceeds? (?:the |its |your )?(?:maximum|max|limit|duration|size|context|character)|context (?:length|window)",
    re.IGNORECASE,
)
_JUDGED_BY_WORDS: Final = frozenset((400, 422))


def kind_of(status: int, told: Told, rules: Rules) -> tuple[Kind, str]:
    """The kind, and the code that says so, "" if it is another thing that does.

    Args:
        status: of the answer or, of an error within one, that it names; 0 for none.
    """
    message = told.message.lower()
    for number, phrase, kind in rules.phrases:
        if number == status and phrase in message:
            return kind, ""
    codes = [(code, _lowered(code)) for code in told.codes]
    for code, lowered in codes:
        if (known := rules.kinds.get((status, lowered)) or rules.kinds.get((None, lowered))) is not None:
            return known, code
        # 402 is about money, whatever is said besides
        if (word := _WORDS.get(lowered)) is not None and (status != 402 or word is Kind.QUOTA):
            return word, code
    if (usual := rules.kinds.get((status, ""))) is not None:
        return usual, ""
    if status < 400:
        return next(((_WITHOUT_STATUS[low], code) for code, low in codes if low in _WITHOUT_STATUS), (Kind.SERVER, ""))
    if status in _JUDGED_BY_WORDS and _NOT_HERE.search(message) is not None:
        return Kind.UNSUPPORTED, ""
    return by_status(status), ""


def _lowered(code: str) -> str:
    return code.strip().lower().replace(" ", "_").replace("-", "_")


_SHOWN: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.:/ -]{{0,{CODE_LIMIT - 1}}}")
#: A word in which letters and digits are mixed for long is a key or an id, and no code.
_DRAWN: Final = re.compile(r"(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{16,}")
_MOST_WORDS: Final = 6


def shown(decisive: str, told: Told, status: int) -> str:
    """The code to show: the one that was decisive, or the first that is a word, or a number; else the status."""
    codes = [code for code in (decisive, *told.codes) if _is_shown(code)]
    code = next((code for code in codes if not code.isdigit()), codes[0] if codes else str(status or "error"))
    return code.strip().replace(" ", "_")


def _is_shown(code: str) -> bool:
    return _SHOWN.fullmatch(code) is not None and _DRAWN.search(code) is None and len(code.split()) <= _MOST_WORDS
