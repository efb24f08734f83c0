"""The innermost handler of an exchange: its candidates, one attempt after another."""

from sidecar.errors import UpstreamError
from sidecar.exchange import Attempt, Exchange, Response
from sidecar.notes import AttemptRecord
from sidecar.stack import Handler


class Dispatch:
    """Tries the candidates in their order. Only one that could not even be reached makes way for the next: whatever
    was sent may have been heard, and is an ordering plugin's business.
    """

    def __init__(self, attempt: Handler[Attempt]) -> None:
        self._attempt = attempt

    async def __call__(self, exchange: Exchange) -> Response:
        last = exchange.candidates[-1]
        for provider in exchange.candidates:
            record = AttemptRecord(provider, len(exchange.notes.attempts))
            exchange.notes.attempts.append(record)
            attempt = Attempt(exchange=exchange, provider=provider, request=exchange.request, record=record)
            try:
                response = await self._attempt(attempt)
            except UpstreamError as error:
                record.failed(error)
                if error.sent or provider is last:
                    raise
                continue
            except BaseException as error:
                record.failed(error)
                raise
            if response.body.data is None:
                exchange.notes.open_bodies.append(response.body)
            return response
        raise AssertionError("an exchange has at least one candidate")
