"""How Google's services refuse, and JSON fields in both of the spellings that they take."""

from typing import Any

from sidecar.lab.call import Json
from sidecar.lab.reply import STATUS, Refusal, Reply, Trouble, json_reply, text_reply

_STATUSES = {
    Trouble.AUTH: "UNAUTHENTICATED",
    Trouble.NOT_FOUND: "NOT_FOUND",
    Trouble.METHOD: "NOT_FOUND",
    Trouble.INVALID: "INVALID_ARGUMENT",
    Trouble.TOO_LARGE: "INVALID_ARGUMENT",
    Trouble.UNSUPPORTED: "INVALID_ARGUMENT",
    Trouble.RATE: "RESOURCE_EXHAUSTED",
    Trouble.CONCURRENCY: "RESOURCE_EXHAUSTED",
    Trouble.QUOTA: "RESOURCE_EXHAUSTED",
    Trouble.SERVER: "INTERNAL",
    Trouble.OVERLOADED: "UNAVAILABLE",
    Trouble.TIMEOUT: "DEADLINE_EXCEEDED",
}
_QUOTAS = {
    Trouble.RATE: "RequestsPerMinutePerProject",
    Trouble.CONCURRENCY: "ConcurrentRequestsPerProject",
    Trouble.QUOTA: "RequestsPerDayPerProject",
}
_TYPE = "type.googleapis.com/google.rpc."


def refuse(refusal: Refusal, *, status: int = 0, name: str = "") -> Reply:
    """*refusal* as Google says it; *status* and *name* where a service has its own."""
    if refusal.trouble in (Trouble.NOT_FOUND, Trouble.METHOD) and not refusal.param:
        # a path that nobody knows is answered by the front end, in HTML
        html = f"<!DOCTYPE html><html lang=en><title>Error 404 (Not Found)!!1</title><p>{refusal.message}</html>"
        return text_reply(html, status=404, content_type="text/html; charset=UTF-8")
    code = refusal.status_or(status or STATUS[refusal.trouble])
    error: dict[str, Any] = {
        "code": code,
        "message": refusal.message,
        "status": name or _STATUSES[refusal.trouble],
    }
    if details := _details(refusal):
        error["details"] = details
    return json_reply({"error": error}, status=code)


def _details(refusal: Refusal) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = []
    if (quota := _QUOTAS.get(refusal.trouble)) is not None:
        violation = {"quotaMetric": "lab.googleapis.com/requests", "quotaId": quota, "quotaValue": "0"}
        details.append({"@type": f"{_TYPE}QuotaFailure", "violations": [violation]})
    if refusal.retry_after_seconds is not None:
        details.append({"@type": f"{_TYPE}RetryInfo", "retryDelay": f"{refusal.retry_after_seconds:g}s"})
    if refusal.trouble is Trouble.INVALID and refusal.param:
        violation = {"field": refusal.param, "description": refusal.message}
        details.append({"@type": f"{_TYPE}BadRequest", "fieldViolations": [violation]})
    return details


def field(value: Json, camel: str, default: Any = None) -> Any:
    """A field by its camelCase name or its snake_case one: the services take both, and SDKs mix them."""
    if camel in value:
        return value[camel]
    snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in camel)
    return value.get(snake, default)
