"""Plugins in service, between an agent and a provider that are the test's."""

import asyncio
import re
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Self

import msgspec
from msgspec import Struct

from sidecar import __version__
from sidecar.body import EMPTY
from sidecar.dialect import Operation
from sidecar.dialects import names
from sidecar.dispatch import Dispatch
from sidecar.errors import CallError, ConnectFailed, PluginFailed
from sidecar.exchange import Attempt, Exchange, Record, Request, Response
from sidecar.guard import Guard
from sidecar.headers import Headers
from sidecar.hookspecs import Question, Runtime, Sample, Told
from sidecar.host import Host, Loaded, check_class
from sidecar.intercept.background import Background
from sidecar.intercept.incoming import UploadBody
from sidecar.intercept.outgoing import Delivery, error_response
from sidecar.notes import Fault, Verdict
from sidecar.provider import Provider
from sidecar.stack import Handler, bare, compose
from sidecar.testing.agent import AgentDouble
from sidecar.testing.making import provider
from sidecar.testing.provider import Scripted, ScriptedProvider, Talk, is_scripted
from sidecar.watchdog import Watchdog

_METRIC, _LABEL = re.compile(r"[a-z_:][a-z0-9_:]*"), re.compile(r"[a-z_][a-z0-9_]*")
#: How long tasks that a plugin started during a call are waited for.
_PATIENCE_SECONDS = 1.0


class Played(Struct, frozen=True, kw_only=True):
    """What came of a call."""

    response: Response
    """What the outermost layer answered; its body has been read."""
    headers: Headers
    """As the agent got them, length and transfer coding included."""
    chunks: tuple[bytes, ...]
    """Of the body that the agent got."""
    passed_on: tuple[Exchange, ...]
    """What the exchange layers called on with."""
    attempts: tuple[Attempt, ...]
    """What came out of the attempt layers: one for each provider tried."""
    sent: tuple[Request, ...]
    """What providers were sent: their credentials put in, the body whole."""
    record: Record
    """What ``exchange_closed`` was told."""

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)

    @property
    def outcome(self) -> str:
        """completed, cancelled or failed."""
        return self.record.outcome

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return self.record.verdicts

    @property
    def faults(self) -> tuple[Fault, ...]:
        return self.record.faults


class Stage:
    """Plugins in service, for more calls than one: ``async with Stage(plugin) as stage: await stage.play(…)``.

    Args:
        plugins: outermost first; each goes by its class's name in lower case.
        guarded: whether the sidecar's guard stands over the layers, by the settings that follow.
        operations: the kinds of calls that the layers stand around; None for all but passthrough, as in service.
        before: whose plugins these take over from, as when a new configuration comes into force.

    Raises:
        sidecar.host.Unusable: the sidecar would refuse such a plugin; the message says why.
    """

    def __init__(
        self,
        *plugins: object,
        guarded: bool = False,
        operations: Sequence[Operation] | None = None,
        budget_seconds: float = 0.25,
        on_fault: str = "bypass",
        quarantine_after: int = 5,
        quarantine_seconds: float = 30.0,
        before: "Stage | None" = None,
    ) -> None:
        self._watchdog = Watchdog(0.01)
        self._guarded = guarded
        loaded: list[Loaded] = []
        for plugin in plugins:
            check_class(type(plugin).__name__, type(plugin))
            label = type(plugin).__name__.lower()
            namesakes = sum(type(other.plugin) is type(plugin) for other in loaded)
            guard = Guard(
                f"{label}-{namesakes + 1}" if namesakes else label,
                watchdog=self._watchdog,
                budget_seconds=budget_seconds,
                on_fault=on_fault,
                quarantine_after=quarantine_after,
                quarantine_seconds=quarantine_seconds,
            )
            loaded.append(Loaded(guard.plugin, plugin, operations, guard))
        self._host = Host(loaded)
        self._lifespans = AsyncExitStack()
        self._before = before
        self._provider = ScriptedProvider((ConnectFailed("no call has been played yet"),))
        self.warmed: list[Provider] = []
        """Providers that plugins wanted a connection to, by ``runtime.warm``."""
        self._passed_on: list[Exchange] = []

    async def __aenter__(self) -> Self:
        self._lifespans.callback(self._watchdog.close)
        try:
            for loaded, lifespan in self._host.implementations("lifespan"):
                runtime = Runtime(
                    name=loaded.label,
                    version=__version__,
                    digest="0123456789ab",
                    providers={name: provider(name) for name in names()},
                    calls=Background(_Behind(self)),
                    warm=self.warmed.append,
                    before=None if self._before is None else self._before._host.alike(loaded),
                )
                await self._lifespans.enter_async_context(lifespan(runtime))
        except BaseException:
            await self._lifespans.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._lifespans.aclose()

    async def play(self, exchange: Exchange, *answers: Scripted, leave_after: int | None = None) -> Played:
        """Have *exchange* answered; the provider gives *answers* in turn, the last one for ever.

        An error among them becomes an error for the agent, as in service. To give a streamed answer more than once,
        script a function that makes it. Tasks that a plugin starts on the way are awaited for at most a second.

        Args:
            leave_after: the agent leaves after so many chunks of the answer.

        Raises:
            Exception: what a layer, an observer or such a task raised, unless the stage is guarded.
        """
        return await self.play_to(AgentDouble(leave_after), exchange, *answers)

    async def play_to(self, agent: AgentDouble, exchange: Exchange, *answers: Scripted) -> Played:
        """The same for an *agent* that the test has made."""
        others = asyncio.all_tasks()
        passed_on = self._passed_on = []
        scripted = self._provider = ScriptedProvider(answers)
        bodiless = exchange.request.method == "HEAD"
        delivery = Delivery(agent, exchange, http_1_0=False, bodiless=bodiless, keep_alive=True, told=False)
        response: Response | None = None
        error: BaseException | None = None
        outcome = "failed"
        try:
            try:
                response = await self._answered(exchange)
            except Exception as failure:
                error = failure
                self._let_out(failure)
                response = error_response(exchange, _for_the_agent(failure))
            await _deliver(exchange, response, delivery)
            outcome = "completed" if error is None else "failed"
        except asyncio.CancelledError as left:
            outcome, error = "cancelled", left
            raise
        except Exception as broken:
            error = broken
            if isinstance(broken, ConnectionError) and not delivery.reading:
                outcome = "cancelled"
            else:
                self._let_out(broken)
        finally:
            for body in (response.body if response else EMPTY, *exchange.notes.open_bodies):
                await body.aclose()
            sent, head = len(exchange.request.body.data or b""), b""
            if exchange.request.body.data is None and scripted.sent:
                uploaded = scripted.sent[0].body.data or b""
                sent, head = len(uploaded), uploaded[: UploadBody.HEAD_BYTES]
            record = delivery.record(response, outcome, error, request_bytes=sent, request_head=head)
            self._closed(record)
        await asyncio.sleep(0)  # what plugins have scheduled begins
        await self._settled(asyncio.all_tasks() - others)
        assert response is not None
        return Played(
            response=response,
            headers=response.headers if agent.headers is None else agent.headers,
            chunks=tuple(agent.chunks),
            passed_on=tuple(passed_on),
            attempts=tuple(scripted.attempts),
            sent=tuple(scripted.sent),
            record=record,
        )

    def samples(self) -> dict[str, float]:
        """The plugins' numbers, by what stands before them on ``/metrics`` after ``sidecar_``:
        ``calls_total{plugin="echo",voice="alloy"}``.

        Raises:
            ValueError: Prometheus would refuse them.
        """
        found: dict[str, float] = {}
        for loaded in self._host.plugins:
            for sample in self._host.samples(loaded):
                name = _told(sample)
                if name in found:
                    raise ValueError(f"{name} is there twice")
                found[name] = sample.value
        return found

    async def console(
        self, plugin: str, path: str, method: str = "GET", body: bytes = b"", **query: str
    ) -> Told | None:
        """What *plugin* says over the admin interface; None if it says nothing."""
        return await self._host.console(plugin, Question(method=method, path=path, query=query, body=body))

    async def _answered(self, exchange: Exchange) -> Response:
        operation, socket = exchange.operation, exchange.socket
        attempts: Handler[Attempt] = compose(
            [
                (loaded.plugin.around_attempt, loaded.guard.around_attempt if self._guarded else bare)
                for loaded in self._host.standing_around("around_attempt", operation, socket=socket)
            ],
            self._provider.send,
        )
        dispatch = Dispatch(attempts)
        passed_on = self._passed_on

        async def innermost(passed: Exchange) -> Response:
            passed_on.append(passed)
            return await dispatch(passed)

        handle: Handler[Exchange] = compose(
            [
                (loaded.plugin.around_exchange, loaded.guard.around_exchange if self._guarded else bare)
                for loaded in self._host.standing_around("around_exchange", operation, socket=socket)
            ],
            innermost,
        )
        return await handle(exchange)

    def _let_out(self, error: Exception) -> None:
        """Raise *error* unless it is one that the agent is to see."""
        if not self._guarded and not is_scripted(error):
            raise error

    def _closed(self, record: Record) -> None:
        if self._guarded:
            self._host.exchange_closed(record)
            return
        for loaded, closed in self._host.implementations("exchange_closed"):
            if loaded.operations is None or record.exchange.operation in loaded.operations:
                closed(record)

    async def _settled(self, started: set[asyncio.Task[Any]]) -> None:
        """What plugins do behind the agent's back is done."""
        if not started:
            return
        done, _ = await asyncio.wait(started, timeout=_PATIENCE_SECONDS)
        for task in done:
            if not task.cancelled() and (error := task.exception()) is not None and not self._guarded:
                raise error


class _Behind:
    """What answers calls that plugins make themselves: whatever the last call was played with."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def answer(self, exchange: Exchange) -> Awaitable[Response]:
        return self._stage._answered(exchange)

    def opened(self, exchange: Exchange) -> None:
        pass

    def closed(self, record: Record) -> None:
        self._stage._closed(record)


async def play(
    plugin: object, exchange: Exchange, *answers: Scripted, leave_after: int | None = None, guarded: bool = False
) -> Played:
    """One call on a `Stage` of its own."""
    async with Stage(plugin, guarded=guarded) as stage:
        return await stage.play(exchange, *answers, leave_after=leave_after)


async def _deliver(exchange: Exchange, response: Response, delivery: Delivery) -> None:
    """Bring the answer to the agent, as `sidecar.intercept.calls` does."""
    if isinstance(response.tunnel, Talk):
        response.tunnel.take_place(exchange)
    elif response.body.data is not None and not response.chunked:
        delivery.send_whole(response, response.body.data)
    else:
        await delivery.send(response)


def _for_the_agent(failure: Exception) -> CallError:
    if isinstance(failure, CallError):
        return failure
    return PluginFailed("sidecar", f"{type(failure).__name__}: {failure}")


def _told(sample: Sample) -> str:
    """
    Raises:
        ValueError: it is no sample as Prometheus wants it.
    """
    if not _METRIC.fullmatch(sample.name) or not all(_LABEL.fullmatch(name) for name, _ in sample.labels):
        raise ValueError(f"{sample.name}: expected names of lower-case letters, digits and _")
    if sample.kind not in ("gauge", "counter") or (sample.kind == "counter") != sample.name.endswith("_total"):
        raise ValueError(f"{sample.name} is a {sample.kind}: expected _total at the end of a counter's name only")
    labels = ",".join(f'{name}="{value}"' for name, value in sample.labels)
    return f"{sample.name}{{{labels}}}" if labels else sample.name
