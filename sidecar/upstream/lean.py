"""The upstream that serves: calls by pooled connections, straight on a C parser."""

import asyncio

from sidecar.body import Body
from sidecar.errors import UpstreamBroken
from sidecar.exchange import Attempt, Response
from sidecar.upstream.answer import Answer
from sidecar.upstream.head import request_head
from sidecar.upstream.pool import Pool

_IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"))


def _repeatable(attempt: Attempt) -> bool:
    """Whether a call may be sent again that came to nothing because the provider gave up a resting connection in the
    moment in which we took it up: its bytes must be here, and it must do nothing but cost.
    """
    request = attempt.request
    return request.body.data is not None and (request.method in _IDEMPOTENT or attempt.exchange.call is not None)


class LeanUpstream(Pool):
    """A pool of connections to a provider that calls by them."""

    async def send(self, attempt: Attempt) -> Response:
        request, record, provider = attempt.request, attempt.record, attempt.provider
        upgrade = attempt.exchange.socket
        head = request_head(attempt, self.authority)
        if upgrade:
            self.ahead.use.upgraded = record.started
            connection = self.unused(record)
        else:
            self.ahead.use.called = record.started
            connection = self.resting(record)
        while True:
            if connection is None:
                connection = await self.acquire(record)
            answer = Answer(
                connection,
                record,
                provider.timeouts,
                attempt.exchange.deadline,
                bodiless=request.method == "HEAD",
                upgrade=upgrade,
            )
            try:
                await connection.request(head, request.body, answer)
                if answer.status != 408 or not record.reused or not _repeatable(attempt):
                    break
                await answer.aclose()  # it is for the time in which nothing was asked
            except UpstreamBroken as error:
                if error.begun or not record.reused or not _repeatable(attempt):
                    raise
            except asyncio.CancelledError:
                await answer.aclose()
                raise
            record.begin_again()
            connection = await self.dialled(record)
        tunnel = answer.tunnel(connection.transport) if upgrade else None
        if tunnel is not None:
            connection.hand_over()
        elif upgrade:
            self.ahead.tend()
        return Response(
            status=answer.status,
            headers=answer.headers,
            reason=answer.reason,
            body=Body(answer.take()) if answer.complete else answer,
            answered_by=provider.name,
            chunked=answer.chunked,
            tunnel=tunnel,
        )
