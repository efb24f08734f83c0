"""Nouns for tests, with everything defaulted that a test does not care about."""

import time
from typing import Any

from sidecar.body import EMPTY, Body
from sidecar.exchange import Attempt, Exchange, Request
from sidecar.headers import Headers
from sidecar.notes import AttemptRecord, Notes
from sidecar.provider import Origin, Provider, Timeouts


def provider(port: int = 80, *, scheme: str = "http", host: str = "127.0.0.1", **fields: Any) -> Provider:
    timeouts = fields.pop("timeouts", Timeouts())
    return Provider(name=fields.pop("name", "lab"), origin=Origin(scheme, host, port), timeouts=timeouts, **fields)


def exchange(
    to: Provider | None = None,
    method: str = "POST",
    target: str = "/v1/chat/completions",
    body: Body | bytes = EMPTY,
    headers: Headers | None = None,
    **fields: Any,
) -> Exchange:
    to = to or provider()
    body = Body(body) if isinstance(body, bytes) else body
    if headers is None:
        headers = Headers([(b"Host", b"agent"), (b"Accept", b"*/*")])
    return Exchange(
        id=fields.pop("id", "0" * 31 + "1"),
        request=Request(method=method, target=target, headers=headers, body=body),
        provider=to,
        candidates=(to,),
        notes=Notes(time.monotonic()),
        received_ns=time.time_ns(),
        **fields,
    )


def attempt(to: Provider | None = None, **fields: Any) -> Attempt:
    of = exchange(to, **fields)
    record = AttemptRecord(of.provider, 0)
    of.notes.attempts.append(record)
    return Attempt(exchange=of, provider=of.provider, request=of.request, record=record)
