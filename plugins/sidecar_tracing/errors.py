"""Errors as attributes and as the status of a span."""

from sidecar.errors import CallError


def error_type_of(error: BaseException | None, status: int | None) -> str:
    """``error.type``: of low cardinality."""
    if isinstance(error, CallError):
        return error.kind
    if error is not None:
        return type(error).__name__
    return str(status) if status else "_OTHER"


def message_of(error: BaseException | None) -> str:
    """Only our own errors are told in words: those of others may hold anything."""
    return str(error)[:500] if isinstance(error, CallError) else ""
