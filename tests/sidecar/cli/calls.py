"""Calls as the admin interface tells them."""

from typing import Any

from sidecar.journal import AttemptTold, CallTold, FaultTold, VerdictTold

ID = "3f9a2c1d4e5f60718293a4b5c6d7e8f9"


def attempt(**fields: Any) -> AttemptTold:
    told: dict[str, Any] = {
        "provider": "openai",
        "number": 0,
        "server": "https://api.openai.com",
        "peer": "192.0.2.1:443",
        "started_seconds": 0.001,
        "connect_seconds": 0.099,
        "requested_seconds": 0.2,
        "first_byte_seconds": 0.6,
        "ended_seconds": 1.0,
        "status": 200,
    }
    return AttemptTold(**{**told, **fields})


def call(**fields: Any) -> CallTold:
    told: dict[str, Any] = {
        "id": ID,
        "trace_id": ID,
        "at_ns": 1_790_000_000_125_000_000,
        "door": "base_url",
        "provider": "openai",
        "operation": "chat",
        "endpoint": "chat.completions",
        "method": "POST",
        "path": "/v1/chat/completions",
        "model": "gpt-4o-mini",
        "status": 200,
        "outcome": "completed",
        "answered_by": "openai",
        "first_byte_seconds": 0.61,
        "duration_seconds": 1.0,
        "request_bytes": 1100,
        "response_bytes": 8400,
        "chunks": 24,
        "longest_gap_seconds": 0.21,
        "attempts": (attempt(),),
    }
    return CallTold(**{**told, **fields})


def verdict(plugin: str, outcome: str, reason: str = "", **detail: str | int | float | bool) -> VerdictTold:
    return VerdictTold(plugin=plugin, outcome=outcome, reason=reason, at_seconds=0.0004, detail=detail)


def fault(plugin: str, reason: str = "raised ValueError: no") -> FaultTold:
    return FaultTold(plugin=plugin, hook="around_exchange", reason=reason, action="bypassed", at_seconds=0.0002)
