"""What goes in: plugins, calls and answers, with everything defaulted that a test does not care about."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from sidecar.body import Body, StreamedBody
from sidecar.configuration.decoding import Decoder
from sidecar.configuration.document import Node, parsed
from sidecar.configuration.problem import Finding, InvalidConfiguration, Place, Source, ordered
from sidecar.dialects import load
from sidecar.exchange import Exchange, Request, Response
from sidecar.headers import Headers
from sidecar.notes import Notes
from sidecar.provider import Origin, Provider, Timeouts
from sidecar.testing.provider import Talk, scripted

P = TypeVar("P")


def configured(kind: type[P], config: str = "", environ: Mapping[str, str] | None = None) -> P:
    """A plugin made of *config*, the YAML that a user writes under its ``config:``.

    Raises:
        InvalidConfiguration: it is wrong; ``str()`` is what the user is shown.
    """
    source = Source("config", config)
    findings: list[Finding] = []
    start = Place(source)
    root = parsed(source, findings.append) or Node({}, start, start)
    made: Any = kind
    value = None if findings else Decoder(environ or {}, findings.append).section(root, made.Config, "")
    if findings:
        raise InvalidConfiguration(ordered(findings))
    plugin: P = made(value)
    return plugin


def provider(dialect: str, name: str | None = None, *, propagate_trace: bool = False) -> Provider:
    """A provider that speaks *dialect*, under its dialect's name unless *name* is given."""
    return Provider(
        name=name or dialect,
        origin=Origin("https", f"{name or dialect}.example", 443),
        dialect=load(dialect),
        propagate_trace=propagate_trace,
        timeouts=Timeouts(),
    )


def call(
    dialect: str,
    target: str,
    body: Any = b"",
    *,
    method: str | None = None,
    headers: Mapping[str, str] | None = None,
    to: Sequence[Provider] = (),
    socket: bool = False,
) -> Exchange:
    """An exchange as the sidecar makes it of a request.

    Args:
        target: path and query at the provider: ``/v1/chat/completions``.
        body: bytes as they are, a `Body` (an upload that streams: see `streamed`), or anything else as JSON.
        method: POST, or GET of a *socket*, unless it is given.
        to: the candidates, whom the agent called first; one provider of *dialect* if there are none.
        socket: whether the agent asks for a WebSocket.
    """
    method = method or ("GET" if socket else "POST")
    fields = {"Host": "agent", **({"Connection": "Upgrade", "Upgrade": "websocket"} if socket else {})}
    if not isinstance(body, bytes | Body):
        body = msgspec.json.encode(body)
        fields["Content-Type"] = "application/json"
    whole = body if isinstance(body, Body) else Body(body)
    if whole.length is None:
        fields["Transfer-Encoding"] = "chunked"
    elif whole.length or method == "POST":
        fields["Content-Length"] = str(whole.length)
    candidates = tuple(to) or (provider(dialect),)
    path, _, query = target.partition("?")
    return Exchange(
        id=f"{random.getrandbits(128):032x}",
        request=Request(method=method, target=target, headers=_headers(fields, headers or {}), body=whole),
        provider=candidates[0],
        candidates=candidates,
        notes=Notes(time.monotonic()),
        call=load(dialect).recognise(method, path, query),
        socket=socket,
        received_ns=time.time_ns(),
    )


def answer(body: Any = b"", status: int = 200, **headers: str) -> Response:
    """A provider's answer: bytes as they are, a list of bytes as a stream of chunks, a `Body`, anything else as JSON.

    *headers* have underscores for hyphens: ``answer(b"…", content_type="audio/mpeg")``.
    """
    fields = {name.replace("_", "-").title(): value for name, value in headers.items()}
    if isinstance(body, list) and all(isinstance(chunk, bytes) for chunk in body):
        body = streamed(body)
    elif not isinstance(body, bytes | Body):
        body = msgspec.json.encode(body)
        fields.setdefault("Content-Type", "application/json")
    whole = body if isinstance(body, Body) else Body(body)
    if whole.length is not None:
        fields.setdefault("Content-Length", str(whole.length))
    return Response(status=status, headers=_headers(fields, {}), body=whole, chunked=whole.length is None)


def streamed(
    chunks: Iterable[bytes], error: Exception | None = None, *, length: int | None = None, gap_seconds: float = 0.0
) -> Body:
    """A body that comes chunk by chunk and then, if there is an *error*, breaks.

    Args:
        length: what ``Content-Length`` promises; None for a chunked body.
        gap_seconds: the time after each chunk.
    """

    async def coming() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk
            await asyncio.sleep(gap_seconds)
        if error is not None:
            raise scripted(error)

    return StreamedBody(coming(), length=length)


def socket_answer(*, sent: int = 1, received: int = 1, close_code: int | None = 1000) -> Response:
    """A provider that takes the upgrade to a WebSocket, over which the agent has *sent* and *received* so many messages
    when it is closed; without a *close_code* it breaks off.

    No frames are made: layers see the head of the answer, and ``exchange_closed`` what was counted.
    """
    headers = Headers.of(connection="Upgrade", upgrade="websocket")
    return Response(status=101, headers=headers, tunnel=Talk(asyncio.Transport(), b"", sent, received, close_code))


def _headers(fields: Mapping[str, str], over: Mapping[str, str]) -> Headers:
    """*fields*, and *over* in place of those of the same name."""
    headers = Headers((name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items())
    for name, value in over.items():
        headers = headers.with_field(name, value)
    return headers
