"""The same upstream on aiohttp's ClientSession: the reference that the lean one is held to."""

import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from yarl import URL

from sidecar.body import EMPTY, Body, Stream
from sidecar.errors import CallError, ConnectFailed, UpstreamBroken, UpstreamError, UpstreamTimeout
from sidecar.exchange import Attempt, Response
from sidecar.headers import Headers
from sidecar.notes import AttemptRecord
from sidecar.provider import Provider, Timeouts
from sidecar.upstream.dial import Resolver
from sidecar.upstream.head import request_head
from sidecar.upstream.sessions import Handshake, Sessions

#: aiohttp adds these where they are absent; what the agent did not send does not go out.
_NOT_ADDED = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class _AnswerBody(Stream):
    __slots__ = ("_answer", "_chunks", "_record", "_timeouts", "_total_due")

    def __init__(
        self, answer: aiohttp.ClientResponse, record: AttemptRecord, timeouts: Timeouts, total_due: float
    ) -> None:
        super().__init__(answer.content_length)
        self._answer = answer
        self._chunks = answer.content.iter_any()
        self._record = record
        self._timeouts = timeouts
        self._total_due = total_due

    async def __anext__(self) -> bytes:
        try:
            chunk = await self._waited(anext(self._chunks))
        except StopAsyncIteration:
            self._record.ended = time.monotonic()
            raise
        except Exception as error:
            failure = _failure(error, self._timeouts, "between_chunks", begun=True, total_due=self._total_due)
            self._record.error = failure
            self._record.ended = time.monotonic()
            raise failure from error
        self._record.body_bytes += len(chunk)
        return chunk

    async def aclose(self) -> None:
        self._record.ended = self._record.ended or time.monotonic()
        self._answer.close()


class _Names(AbstractResolver):
    """Our resolver as aiohttp asks one."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=at[0], port=at[1], family=of, proto=proto, flags=socket.AI_NUMERICHOST)
            for of, _, proto, _, at in await self._resolver.resolve(host, port)
            if family in (socket.AF_UNSPEC, of)
        ]

    async def close(self) -> None:
        """It is the application's."""


class ReferenceUpstream:
    """See `sidecar.upstream.lean.LeanUpstream`; WebSockets are not its business."""

    def __init__(
        self,
        provider: Provider,
        *,
        resolver: Resolver,
        context: Callable[[], ssl.SSLContext] | None,
        idle_seconds: float = 120.0,
        max_connections: int = 100,
        max_head_bytes: int = 65536,
    ) -> None:
        self._provider = provider
        self._resolver = resolver
        self._context = context
        self._sessions = Sessions()
        self._session: aiohttp.ClientSession | None = None
        self._idle_seconds = idle_seconds
        self._max_connections = max_connections
        self._max_head_bytes = max_head_bytes

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    resolver=_Names(self._resolver),
                    use_dns_cache=False,
                    limit=self._max_connections,
                    keepalive_timeout=self._idle_seconds,
                    ssl=True if self._context is None else self._context(),
                ),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=_NOT_ADDED,
                max_line_size=self._max_head_bytes,
                max_field_size=self._max_head_bytes,
                read_bufsize=128 * 1024,
            )
        return self._session

    async def send(self, attempt: Attempt) -> Response:
        provider, request, record = attempt.provider, attempt.request, attempt.record
        timeouts = provider.timeouts
        began = time.monotonic()
        total_due = began + timeouts.total
        head = request_head(attempt, provider.origin.authority.encode("latin-1"))
        line, _, block = head.data.partition(b"\r\n")
        lines = Headers.from_block(block)
        fields = CIMultiDict((name.decode("latin-1"), value.decode("latin-1")) for name, value in lines)
        if head.chunked:
            fields.popall("Transfer-Encoding", None)  # aiohttp writes it itself, for every body of unknown length
        body = request.body
        handshake = Handshake(self._sessions)
        try:
            with handshake:
                answer = await self._opened().request(
                    request.method,
                    URL(f"{provider.origin}{line.split(b' ')[1].decode('latin-1')}", encoded=True),
                    headers=fields,
                    data=self._sent(body, record) if body.data is None or head.chunked else body.data or None,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(
                        total=timeouts.total,
                        sock_connect=timeouts.connect,
                        sock_read=timeouts.first_byte,
                    ),
                )
        except CallError:
            raise
        except Exception as error:
            if isinstance(error, aiohttp.ClientSSLError):
                self._sessions.forget()
            raise _failure(error, timeouts, "first_byte", begun=False, total_due=total_due) from error
        if not self._sessions.full:
            self._sessions.keep(handshake)
        record.requested = record.requested or began
        record.first_byte = time.monotonic()
        record.status = answer.status
        bodiless = request.method == "HEAD" or answer.status in (204, 304)
        return Response(
            status=answer.status,
            reason=answer.reason or "",
            headers=Headers(answer.raw_headers).end_to_end(),
            body=EMPTY if bodiless else _AnswerBody(answer, record, timeouts, total_due),
            answered_by=provider.name,
            chunked="chunked" in answer.headers.get("Transfer-Encoding", "").lower(),
        )

    @staticmethod
    async def _sent(body: Body, record: AttemptRecord) -> AsyncIterator[bytes]:
        try:
            async for chunk in body:
                yield chunk
            record.requested = time.monotonic()
        finally:
            await body.aclose()

    async def warm(self) -> None:
        """Nothing: the session opens connections when they are asked for."""

    def expect(self) -> None:
        """Nothing, likewise."""

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()


def _failure(error: Exception, timeouts: Timeouts, phase: str, *, begun: bool, total_due: float) -> UpstreamError:
    """aiohttp's exception in our words."""
    match error:
        case aiohttp.ConnectionTimeoutError():
            return ConnectFailed(f"no connection within {timeouts.connect:g} s", kind="connection_timeout")
        case aiohttp.ClientConnectorDNSError():
            return ConnectFailed(str(error), kind="dns_error")
        case aiohttp.ClientConnectorCertificateError():
            return ConnectFailed(str(error), kind="tls_certificate_error")
        case aiohttp.ClientConnectorError():
            return ConnectFailed(str(error))
        case TimeoutError() if time.monotonic() >= total_due:
            return UpstreamTimeout("total", timeouts.total)
        case TimeoutError():
            seconds = timeouts.first_byte if phase == "first_byte" else timeouts.between_chunks
            return UpstreamTimeout(phase, seconds)
        case _:
            return UpstreamBroken(f"the provider broke off: {error or type(error).__name__}", begun=begun)
