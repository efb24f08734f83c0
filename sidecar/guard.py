"""What happens when a layer fails: the call goes on without it.

========================================  ===========================================================================
the layer …                               then
========================================  ===========================================================================
raises before it called on                the call goes on with the exchange that the layer was given
raises after it had an answer             that answer is used, unless its body was already begun: then the call fails
raises what was raised inside it          passed on; no fault of the layer's
overruns its own time                     as if it had raised; waiting in ``call_next`` or for a body does not count
overruns it blocking the event loop       what it returned is used, since nothing could stop it; the fault is noted
returns what is no proper `Response`      as if it had raised
calls on more than once                   allowed; answers that it does not return are closed when the exchange is over
is cancelled because the agent left       passed on
fails *after* times in a row              quarantined for a while: calls pass it by
========================================  ===========================================================================

``on_fault: fail`` turns every bypass into an error for the agent, for layers that must not be skipped. This contains
mistakes, not malice: a plugin shares the process, and one that blocks the event loop blocks everything.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from sidecar.body import Body
from sidecar.errors import PluginFailed
from sidecar.exchange import Attempt, Exchange, Response
from sidecar.headers import Headers
from sidecar.notes import Fault, Notes
from sidecar.stack import Handler, Layer
from sidecar.watchdog import NEVER, Watchdog

logger = logging.getLogger(__name__)

Subject = TypeVar("Subject", Exchange, Attempt)


class Guard:
    """Stands guard over one plugin's layers: counts its faults in a row and keeps it in quarantine."""

    def __init__(
        self,
        plugin: str,
        *,
        watchdog: Watchdog,
        budget_seconds: float = 0.25,
        on_fault: str = "bypass",
        quarantine_after: int = 5,
        quarantine_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plugin = plugin
        self.watchdog = watchdog
        self.budget_seconds = budget_seconds
        self.fails = on_fault == "fail"
        self.quarantine_after = quarantine_after
        self.quarantine_seconds = quarantine_seconds
        self.clock = clock
        self.faults = 0
        """In all."""
        self.in_a_row: dict[str, int] = {}
        """By hook: one that does well does not make up for another that fails."""
        self.quarantined_until = 0.0
        self._logged_at = -NEVER
        self._unlogged = 0

    def around_exchange(self, layer: Layer[Exchange], inner: Handler[Exchange]) -> Handler[Exchange]:
        return self._wrap("around_exchange", layer, inner)

    def around_attempt(self, layer: Layer[Attempt], inner: Handler[Attempt]) -> Handler[Attempt]:
        return self._wrap("around_attempt", layer, inner)

    def _wrap(self, hook: str, layer: Layer[Subject], inner: Handler[Subject]) -> Handler[Subject]:
        async def handle(subject: Subject) -> Response:
            if self.quarantined_until and self._in_quarantine():
                if self.fails:
                    raise PluginFailed(self.plugin, "it is in quarantine after failing repeatedly")
                return await inner(subject)
            turn = _Turn(self, subject, inner)
            reason = ""
            fault: BaseException | None = None
            response: object = None
            try:
                response = await layer(subject, turn)
            except asyncio.CancelledError:
                if not turn.expired:
                    raise
            except Exception as error:
                if error is turn.error and not turn.expired:
                    raise
                fault = error
                reason = f"raised {type(error).__name__}: {error}"
            finally:
                self.watchdog.release(turn)
            if turn.expired:
                if turn.uncancelled():  # the agent left as well
                    raise asyncio.CancelledError
                reason = f"took longer than its {self.budget_seconds:g} s"
            elif fault is None:
                reason = _amiss(response)
                if not reason:
                    if (took := turn.own_seconds()) <= self.budget_seconds:
                        if self.in_a_row:
                            self.in_a_row.pop(hook, None)
                    else:
                        reason = f"took {took:.3g} s of its {self.budget_seconds:g} s at a stretch"
                        self.report(hook, _notes(subject), reason, "ignored", None)
                    return response  # type: ignore[return-value]
            return await self._go_on_without(hook, subject, turn, reason, fault)

        return handle

    async def _go_on_without(
        self, hook: str, subject: Subject, turn: "_Turn[Subject]", reason: str, error: BaseException | None
    ) -> Response:
        answer = turn.answer
        usable = answer is not None and not answer.body.started
        possible = usable or (answer is None and (turn.error is not None or not subject.request.body.started))
        action = "bypassed" if possible and not self.fails else "failed"
        self.report(hook, _notes(subject), reason, action, error)
        if action == "failed":
            raise PluginFailed(self.plugin, reason) from error
        if usable:
            assert answer is not None
            return answer
        if turn.error is not None:
            raise turn.error
        answered: Response = await turn.inner(subject)
        return answered

    def report(self, hook: str, notes: Notes | None, reason: str, action: str, error: BaseException | None) -> None:
        """Write a fault down, and decide on quarantine. The log has at most one line in ten seconds per plugin.

        Quarantine is for layers: it is no help against an observer that fails, which holds up nothing.
        """
        self.faults += 1
        in_a_row = self.in_a_row[hook] = self.in_a_row.get(hook, 0) + 1
        if notes is not None:
            notes.faults.append(Fault(self.plugin, hook, reason, action, notes.since()))
        now = self.clock()
        if in_a_row >= self.quarantine_after and hook in ("around_exchange", "around_attempt"):
            self.in_a_row.clear()
            self.quarantined_until = now + self.quarantine_seconds
            logger.warning(
                "plugin %s failed %d times in a row and is bypassed for %g s; last: %s %s",
                self.plugin,
                self.quarantine_after,
                self.quarantine_seconds,
                hook,
                reason,
            )
        elif now - self._logged_at >= 10:
            more = f" ({self._unlogged} more since the last such line)" if self._unlogged else ""
            logger.warning("plugin %s: %s %s; %s%s", self.plugin, hook, reason, action, more, exc_info=error)
            self._logged_at, self._unlogged = now, 0
        else:
            self._unlogged += 1

    def _in_quarantine(self) -> bool:
        if self.clock() < self.quarantined_until:
            return True
        self.quarantined_until = 0.0
        return False


class _Turn(Generic[Subject]):
    """A layer's time with one subject. It is the ``call_next`` that the layer is given: it knows when it waits there.

    Waiting for the agent or a provider to send the rest of a body is not the layer's own time either.
    """

    __slots__ = (
        "_bodies",
        "_cancellations",
        "_inside",
        "_resumed",
        "_spent",
        "answer",
        "due",
        "error",
        "guard",
        "inner",
        "task",
    )

    def __init__(self, guard: Guard, subject: Subject, inner: Handler[Subject]) -> None:
        self.guard = guard
        self.inner: Handler[Subject] = inner
        loop = guard.watchdog.loop  # to look for the running one asks the kernel who we are
        self.task: asyncio.Task[object] = asyncio.current_task(loop)  # type: ignore[assignment]
        self.answer: Response | None = None
        self.error: BaseException | None = None
        self._cancellations = self._inside = 0
        self._spent = 0.0
        body = subject.request.body
        self._bodies: list[Body] | None = [body] if body.data is None else None
        self._resumed = self._clock()
        self.due = self._resumed + guard.budget_seconds
        guard.watchdog.watch(self)

    def __enter__(self) -> None:
        if not self._inside:
            self._spent += self._clock() - self._resumed
            self.due = NEVER
        self._inside += 1

    def __exit__(self, *exc: object) -> None:
        self._inside -= 1
        if not self._inside:
            self._resumed = self._clock()
            self.due = time.monotonic() + self.guard.budget_seconds - self._spent
            if self.guard.watchdog.asleep:
                self.guard.watchdog.rouse()

    async def __call__(self, subject: Subject) -> Response:
        self.__enter__()
        try:
            response: Response = await self.inner(subject)
            self.answer = response
            if response.body.data is None:
                self._bodies = [*(self._bodies or ()), response.body]
                if isinstance(subject, Attempt):  # of the others `Dispatch` knows
                    subject.exchange.notes.open_bodies.append(response.body)
        except BaseException as error:
            self.error = error
            raise
        finally:
            self.__exit__()
        return response

    def _clock(self) -> float:
        """Monotonic, but standing still while somebody waits for a body."""
        now = time.monotonic()
        return now if self._bodies is None else now - sum(body.waited_seconds for body in self._bodies)

    def own_seconds(self) -> float:
        """What it has taken so far, time inside ``call_next`` left out."""
        return self._spent if self._inside else self._spent + self._clock() - self._resumed

    @property
    def expired(self) -> bool:
        return self._cancellations > 0

    def overdue(self, now: float) -> None:
        if (left := self.guard.budget_seconds - self.own_seconds()) > 0:  # it has waited for a body
            self.due = now + left
            return
        self._cancellations += 1
        self.due = now + self.guard.budget_seconds  # one that swallows this is cancelled again
        self.task.cancel()

    def uncancelled(self) -> int:
        """Take our cancellations of the task back; how many of others are left."""
        left = 0
        for _ in range(self._cancellations):
            left = self.task.uncancel()
        return left


def _amiss(response: object) -> str:
    """What is wrong with what a layer has returned; "" for nothing. msgspec does not check what a Struct is made of."""
    if not isinstance(response, Response):
        return f"returned {type(response).__name__} where a Response is due"
    if not isinstance(response.body, Body) or not isinstance(response.headers, Headers):
        return "returned a Response whose body is no Body or whose headers are no Headers"
    status = response.status
    if not isinstance(status, int) or not (200 <= status <= 999 or (status == 101 and response.tunnel is not None)):
        return f"returned a Response of status {status!r}"
    return ""


def _notes(subject: Exchange | Attempt) -> Notes:
    return subject.notes if isinstance(subject, Exchange) else subject.exchange.notes
