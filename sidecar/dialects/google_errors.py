"""Errors in the shape that all of Google's APIs share: `google.rpc.Status` in JSON."""

import re
from collections.abc import Mapping
from typing import ClassVar

from msgspec import Struct

from sidecar.dialect import Phrase
from sidecar.dialects.error_body import Told
from sidecar.dialects.error_kinds import Rules, kind_of
from sidecar.dialects.family import Family, phrase
from sidecar.failure import Kind

_STATUS = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_TYPE = "type.googleapis.com/google.rpc."

_KINDS = {
    (402, "resource_exhausted"): Kind.QUOTA,
    # a project without the API, or a free one where there is nothing for free: others are not concerned
    (None, "service_disabled"): Kind.UNSUPPORTED,
    (None, "api_key_service_blocked"): Kind.AUTH,
}
#: How the names of quotas end that are not over in a minute: GenerateRequestsPerDayPerProjectPerModel-FreeTier.
_LASTING = re.compile(r"per_?(?:day|week|month)", re.IGNORECASE)
_CONCURRENT = re.compile(r"concurren", re.IGNORECASE)
#: A quota that is nothing at all, for this model in this tier.
_NEVER = re.compile(r"\blimit: 0\b")


class GoogleFamily(Family):
    """All that Google says ``RESOURCE_EXHAUSTED`` to is told apart by the quota's name and by what there is of it."""

    rules: ClassVar[Rules] = Rules(kinds=_KINDS)
    refusals: ClassVar[Mapping[Kind, tuple[int, str]]] = {
        Kind.RATE: (429, "rate_limit_exceeded"),
        Kind.CONCURRENCY: (429, "concurrency_limit_exceeded"),
        Kind.QUOTA: (429, "quota_exceeded"),
        # 401 has Google's clients fetch another token and try again
        Kind.AUTH: (403, "permission_denied"),
        Kind.INVALID: (400, ""),
        Kind.UNSUPPORTED: (404, ""),
        Kind.REFUSED: (400, "content_policy_violation"),
        Kind.OVERLOADED: (503, "unavailable"),
        Kind.SERVER: (500, ""),
        Kind.TIMEOUT: (504, "deadline_exceeded"),
        Kind.NETWORK: (502, ""),
    }

    def kind_of(self, status: int, told: Told) -> tuple[Kind, str]:
        kind, decisive = kind_of(status, told, self.rules)
        if kind is not Kind.RATE:
            return kind, decisive
        if any(map(_LASTING.search, told.quotas)) or _NEVER.search(told.message) is not None:
            return Kind.QUOTA, decisive
        if any(map(_CONCURRENT.search, told.quotas)):
            return Kind.CONCURRENCY, decisive
        return kind, decisive

    def phrase_error(self, status: int, kind: str, message: str) -> Phrase:
        return phrase_status(status, kind, message)

    def phrase_wait(self, status: int, kind: str, message: str, retry_after_seconds: float) -> Phrase:
        return phrase_status(status, kind, message, retry_after_seconds)


class Error(Struct):
    code: int | str | None = None
    status: str | None = None

    @property
    def kind(self) -> str:
        return str(self.status or self.code or "error")


def phrase_status(status: int, kind: str, message: str, retry_after_seconds: float | None = None) -> Phrase:
    default = "INTERNAL" if status >= 500 else "INVALID_ARGUMENT"
    details = [{"@type": f"{_TYPE}ErrorInfo", "reason": kind.upper(), "domain": "agent-sidecar"}]
    if retry_after_seconds is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{retry_after_seconds:g}s"})
    error = {"code": status, "message": message, "status": _STATUS.get(status, default), "details": details}
    return phrase(status, {"error": error})
