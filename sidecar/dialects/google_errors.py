"""Errors in the shape that all of Google's APIs share: `google.rpc.Status` in JSON."""

from msgspec import Struct

from sidecar.dialect import Phrase
from sidecar.dialects.family import phrase

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


class Error(Struct):
    code: int | str | None = None
    status: str | None = None

    @property
    def kind(self) -> str:
        return str(self.status or self.code or "error")


def phrase_status(status: int, kind: str, message: str) -> Phrase:
    default = "INTERNAL" if status >= 500 else "INVALID_ARGUMENT"
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": kind.upper(), "domain": "agent-sidecar"}
    error = {"code": status, "message": message, "status": _STATUS.get(status, default), "details": [detail]}
    return phrase(status, {"error": error})
