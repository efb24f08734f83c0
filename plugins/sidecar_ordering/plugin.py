"""The ordering plugin: the best provider for this call now, and a second one before the caller notices."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from sidecar import (
    AroundExchange,
    Exchange,
    ExchangeHandler,
    Lifespan,
    Operation,
    Response,
    Runtime,
    Sample,
    Samples,
    hookimpl,
)
from sidecar.failure import failure_of
from sidecar.repeatable import repeatable
from sidecar_ordering.answering import TAIL_BYTES, Answering
from sidecar_ordering.attempts import Outcome
from sidecar_ordering.candidates import Asked
from sidecar_ordering.clock import Clock
from sidecar_ordering.config import Calls, OrderingConfig
from sidecar_ordering.driving import Driven, drive
from sidecar_ordering.keeping import Keeper, unix_now
from sidecar_ordering.options import Group, Groups, check
from sidecar_ordering.resuming import MOST_BYTES, rest_of
from sidecar_ordering.sizes import size_of
from sidecar_ordering.telling import counted, interrupted, told_failure, verdict_of


class Ordering(AroundExchange, Lifespan, Samples):
    """Sends each call to whom it is best sent to, and elsewhere if that goes wrong."""

    Config = OrderingConfig
    sockets = True

    def __init__(self, config: OrderingConfig) -> None:
        self.config = config
        self.clock = Clock()
        self.groups: Groups
        self.keeper: Keeper
        self._name = "ordering"
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._counts: dict[tuple[str, str], int] = {}

    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Runtime) -> AsyncIterator[None]:
        self._name = runtime.name
        config = self.config
        configured = {
            Operation.TTS: config.tts,
            Operation.STT: config.stt,
            Operation.CHAT: config.chat,
            Operation.REALTIME: config.realtime,
        }
        operations = {operation: calls for operation, calls in configured.items() if calls is not None}
        check(operations, runtime.providers)
        self.groups = Groups(runtime.providers, operations, random.Random())
        keeper = self.keeper = Keeper(self.groups, self.clock, config.state, config.shared)
        if isinstance(runtime.before, Ordering):
            keeper.take_over(runtime.before.keeper)
            self.groups.remember(runtime.before.groups.snapshots(self.clock.now(), unix_now()))
        else:
            await keeper.read()
        keeper.start()
        try:
            yield
        finally:
            for task in self._tasks:
                task.cancel()
            await keeper.stop()

    # -- a call --------------------------------------------------------------------------------------------------------

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        if not self.groups.concern(exchange):
            return await call_next(exchange)
        body = exchange.request.body
        if body.data is None and body.length is not None:
            exchange = await exchange.loaded(self.config.max_request)
        if exchange.request.body.data is None:
            exchange.note(self._name, "skip", "the request's body streams past")
            return await call_next(exchange)
        now = self.clock.now()
        group = self.groups.of(exchange, now)
        asked = self._asked(exchange, group.calls, now)
        driven = await drive(group, asked, exchange, call_next, self._tasks, self.clock)
        exchange.notes.verdicts.append(verdict_of(self._name, driven, exchange))
        counted(self._counts, driven)
        if driven.outcome is None or driven.outcome.response is None or driven.outcome.failure is not None:
            return told_failure(driven, exchange, self._name)
        return self._answer(driven, exchange, call_next, group, asked)

    def _asked(self, exchange: Exchange, calls: Calls, now: float) -> Asked:
        config, headers = self.config, exchange.request.headers
        deadline = self.clock.of(exchange.deadline)
        if calls.deadline is not None:
            deadline = min(deadline, self.clock.of(exchange.notes.received) + calls.deadline)
        conversation = None
        if calls.mode == "sticky" and config.conversation_header is not None:
            conversation = headers.get(config.conversation_header)
        critical = calls.hedge.race > 1 and config.critical_header is not None and config.critical_header in headers
        return Asked(
            size=size_of(exchange),
            deadline=deadline,
            awaits=calls.awaits,
            repeatable=repeatable(exchange) is None,
            conversation=conversation,
            critical=critical,
        )

    def _answer(
        self, driven: Driven, exchange: Exchange, call_next: ExchangeHandler, group: Group, asked: Asked
    ) -> Response:
        assert driven.outcome is not None
        response, course = driven.outcome.response, driven.course
        assert response is not None
        if response.body.data is not None:
            course.ended(self.clock.now())
            return response
        resumes = group.calls.resume and exchange.operation is Operation.CHAT

        async def following(error: Exception, tail: bytes) -> AsyncIterator[bytes] | None:
            failure, broken = failure_of(error), driven.answering
            reason = f"the answer of {broken} broke off: {failure.kind}"
            if resumes and len(tail) < MOST_BYTES and tail.endswith((b"\n\n", b"\r\n\r\n")):
                ranking = group.balancer.rank(asked, self.clock.now())
                rest = await rest_of(exchange, call_next, group, ranking, broken, tail)
                if rest is not None:
                    exchange.note(self._name, "resumed", f"{reason}; {rest[0]} goes on", code=failure.code)
                    return rest[1]
            exchange.note(self._name, "broken", reason, code=failure.code)
            return interrupted(exchange, response, failure, error, tail)

        remembered = MOST_BYTES if resumes else TAIL_BYTES
        return response.with_body(Answering(response.body, course, following, self.clock, remembered))

    @hookimpl
    def samples(self) -> Iterable[Sample]:
        for (why, candidate), number in self._counts.items():
            labels = (("plugin", self._name), ("candidate", candidate), ("why", why))
            yield Sample("ordering_attempts_total", number, "Attempts, by what they were for.", "counter", labels)
