"""A layer that fails is left out of the call, on both rings; one that must not be left out ends it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from sidecar.body import EMPTY, Body, StreamedBody, tap
from sidecar.errors import PluginFailed, UpstreamBroken
from sidecar.exchange import Attempt, Exchange, Response
from sidecar.guard import Guard
from sidecar.headers import Headers
from sidecar.notes import Fault
from sidecar.stack import waiting
from sidecar.watchdog import Watchdog
from tests import making

BUDGET_SECONDS = 0.04

Layer = Callable[[Any, Callable[[Any], Any]], Any]


class Ring:
    """One guarded layer round a handler that counts how often, and with what, it is called."""

    def __init__(self, name: str, watchdog: Watchdog) -> None:
        self.name = name
        self.watchdog = watchdog
        self.passed_on: list[Any] = []
        self.answers: list[Response] = []
        self.guard = self.guarding()

    def guarding(self, **options: Any) -> Guard:
        self.guard = Guard("plugin", watchdog=self.watchdog, **{"budget_seconds": BUDGET_SECONDS, **options})
        return self.guard

    def subject(self, **fields: Any) -> Any:
        return making.exchange(**fields) if self.name == "around_exchange" else making.attempt(**fields)

    async def inner(self, subject: Any) -> Response:
        self.passed_on.append(subject)
        return self.answers.pop(0) if self.answers else Response(status=200, body=Body(b"inner"))

    async def call(self, layer: Layer, subject: Any = None, inner: Any = None) -> Response:
        wrap = getattr(self.guard, self.name)
        response: Response = await wrap(layer, inner or self.inner)(subject or self.subject())
        return response


def faults(subject: Exchange | Attempt) -> list[Fault]:
    return (subject if isinstance(subject, Exchange) else subject.exchange).notes.faults


@pytest.fixture(params=["around_exchange", "around_attempt"])
async def ring(request: pytest.FixtureRequest) -> AsyncIterator[Ring]:
    watchdog = Watchdog(0.005)
    yield Ring(request.param, watchdog)
    assert not watchdog._watched, "a turn is still watched"
    watchdog.close()


def streaming(*chunks: bytes) -> StreamedBody:
    async def source() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return StreamedBody(source())


# -- layers that do well ---------------------------------------------------------------------------------------------


async def test_a_layer_that_passes_on_is_not_noticed(ring: Ring) -> None:
    async def layer(subject: Any, call_next: Any) -> Response:
        return await call_next(subject)

    subject = ring.subject()
    assert (await ring.call(layer, subject)).body.data == b"inner"
    assert (ring.passed_on, faults(subject)) == ([subject], [])


async def test_a_layer_may_answer_itself(ring: Ring) -> None:
    async def layer(subject: Any, call_next: Any) -> Response:
        return Response(status=299)

    assert (await ring.call(layer)).status == 299
    assert not ring.passed_on


async def test_a_layer_may_pass_on_another_subject_and_another_answer(ring: Ring) -> None:
    async def layer(subject: Any, call_next: Any) -> Response:
        response = await call_next(subject.with_request(subject.request.with_target("/other")))
        return response.with_headers(Headers.of(x_seen="1"))

    assert "x-seen" in (await ring.call(layer)).headers
    assert ring.passed_on[0].request.target == "/other"


async def test_a_layer_may_call_on_more_than_once(ring: Ring) -> None:
    ring.answers = [Response(status=500), Response(status=200)]

    async def layer(subject: Any, call_next: Any) -> Response:
        first = await call_next(subject)
        return await call_next(subject) if first.status == 500 else first

    subject = ring.subject()
    assert (await ring.call(layer, subject)).status == 200
    assert (len(ring.passed_on), faults(subject)) == (2, [])


async def test_a_layer_may_call_on_side_by_side(ring: Ring) -> None:
    """A hedge: two at a time, the first to answer wins. Waiting for either is not the layer's own time."""

    async def layer(subject: Any, call_next: Any) -> Response:
        calls = [asyncio.ensure_future(call_next(subject)) for _ in range(2)]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        done, _ = await asyncio.wait(calls)
        return max((call.result() for call in done), key=lambda answer: answer.status)

    waits = iter((0.0, BUDGET_SECONDS * 4))

    async def inner(subject: Any) -> Response:
        wait = next(waits)
        await asyncio.sleep(wait)
        return Response(status=201 if wait else 200)

    subject = ring.subject()
    assert (await ring.call(layer, subject, inner)).status == 201
    assert faults(subject) == []


async def test_time_inside_call_next_does_not_count(ring: Ring) -> None:
    async def inner(subject: Any) -> Response:
        await asyncio.sleep(BUDGET_SECONDS * 3)
        return Response(status=200)

    async def layer(subject: Any, call_next: Any) -> Response:
        response = await call_next(subject)
        await asyncio.sleep(BUDGET_SECONDS / 4)
        return response

    subject = ring.subject()
    assert (await ring.call(layer, subject, inner)).status == 200
    assert faults(subject) == []


async def test_time_that_a_layer_says_it_waits_for_others_does_not_count(ring: Ring) -> None:
    async def layer(subject: Any, call_next: Any) -> Response:
        with waiting(call_next):
            await asyncio.sleep(BUDGET_SECONDS * 3)
        return Response(status=201)

    subject = ring.subject()
    assert (await ring.call(layer, subject)).status == 201
    assert (faults(subject), ring.passed_on) == ([], [])


async def test_a_layer_that_is_done_waiting_for_others_has_its_own_time_again(ring: Ring) -> None:
    async def layer(subject: Any, call_next: Any) -> Response:
        with waiting(call_next):
            await asyncio.sleep(0)
        await asyncio.sleep(BUDGET_SECONDS * 10)
        return Response(status=201)

    subject = ring.subject()
    assert (await ring.call(layer, subject)).status == 200, "it was passed by"
    assert len(faults(subject)) == 1


def slow() -> StreamedBody:
    """A body that takes longer to come than a layer may take."""

    async def source() -> AsyncIterator[bytes]:
        for _ in range(3):
            await asyncio.sleep(BUDGET_SECONDS)
            yield b"x"

    return StreamedBody(source())


async def test_time_that_the_request_takes_to_come_does_not_count(ring: Ring) -> None:
    async def layer(subject: Any, call_next: Any) -> Response:
        body = await subject.request.body.read(100)
        return Response(status=200, body=Body(body))

    subject = ring.subject(body=slow())
    assert (await ring.call(layer, subject)).body.data == b"xxx"
    assert faults(subject) == []


@pytest.mark.parametrize("tapped", [False, True])
async def test_time_that_an_answer_takes_to_come_does_not_count(ring: Ring, tapped: bool) -> None:
    ring.answers = [Response(status=200, body=tap(slow()) if tapped else slow())]

    async def layer(subject: Any, call_next: Any) -> Response:
        response = await call_next(subject)
        return response.with_body(Body(await response.body.read(100)))

    subject = ring.subject()
    assert (await ring.call(layer, subject)).body.data == b"xxx"
    assert faults(subject) == []


async def test_time_between_the_chunks_of_a_body_does(ring: Ring) -> None:
    """And what was waited for in the past makes up for nothing."""

    async def layer(subject: Any, call_next: Any) -> Response:
        async for _ in subject.request.body:
            await asyncio.sleep(BUDGET_SECONDS * 0.75)
        return Response(status=200)

    subject = ring.subject(body=slow())
    with pytest.raises(PluginFailed, match="longer than its"):
        await ring.call(layer, subject)
    assert [fault.action for fault in faults(subject)] == ["failed"]


async def test_one_that_hangs_after_a_body_has_come_is_cut_short(ring: Ring) -> None:
    ring.answers = [Response(status=200, body=slow())]

    async def layer(subject: Any, call_next: Any) -> Response:
        response = await call_next(subject)
        await response.body.read(100)
        await asyncio.Event().wait()
        return Response(status=200)

    subject = ring.subject(body=slow())
    with pytest.raises(PluginFailed, match="longer than its"):
        await ring.call(layer, subject)


# -- layers that raise -----------------------------------------------------------------------------------------------


class Oops(Exception):
    pass


async def raises_before(subject: Any, call_next: Any) -> Response:
    raise Oops("before")


async def raises_after(subject: Any, call_next: Any) -> Response:
    await call_next(subject.with_request(subject.request.with_target("/changed")))
    raise Oops("after")


async def raises_after_reading(subject: Any, call_next: Any) -> Response:
    response = await call_next(subject)
    aiter(response.body)
    raise Oops("in the middle")


async def raises_after_reading_the_request(subject: Any, call_next: Any) -> Response:
    await anext(aiter(subject.request.body))
    raise Oops("with a chunk in its hand")


async def returns_nothing(subject: Any, call_next: Any) -> Any:
    await call_next(subject)


async def returns_nothing_at_once(subject: Any, call_next: Any) -> Any:
    return None


async def returns_text(subject: Any, call_next: Any) -> Any:
    return "hello"


NONSENSE = {
    "a body of bytes": Response(status=200, body=b"hello"),  # type: ignore[arg-type]
    "a body of text": Response(status=200, body="hello"),  # type: ignore[arg-type]
    "no body": Response(status=200, body=None),  # type: ignore[arg-type]
    "headers in a dict": Response(status=200, headers={"a": "b"}),  # type: ignore[arg-type]
    "no headers": Response(status=200, headers=None),  # type: ignore[arg-type]
    "a status in words": Response(status="200"),  # type: ignore[arg-type]
    "no status": Response(status=None),  # type: ignore[arg-type]
    "an interim status": Response(status=100),
    "an impossible status": Response(status=2000),
}


async def test_one_that_raises_before_it_called_on_is_passed_by_with_the_subject_it_was_given(ring: Ring) -> None:
    subject = ring.subject()
    assert (await ring.call(raises_before, subject)).body.data == b"inner"
    assert ring.passed_on == [subject]
    (fault,) = faults(subject)
    assert (fault.plugin, fault.hook, fault.action) == ("plugin", ring.name, "bypassed")
    assert fault.reason == "raised Oops: before"
    assert fault.at_seconds >= 0


async def test_one_that_raises_after_it_had_an_answer_loses_nothing(ring: Ring) -> None:
    subject = ring.subject()
    assert (await ring.call(raises_after, subject)).body.data == b"inner"
    assert len(ring.passed_on) == 1, "the provider was not asked twice"
    assert faults(subject)[0].action == "bypassed"


async def test_one_that_has_begun_to_read_the_answer_and_raises_ends_the_call(ring: Ring) -> None:
    ring.answers = [Response(status=200, body=streaming(b"a", b"b"))]
    subject = ring.subject()
    with pytest.raises(PluginFailed, match="plugin"):
        await ring.call(raises_after_reading, subject)
    assert faults(subject)[0].action == "failed"


async def test_one_that_has_read_an_answer_in_memory_and_raises_loses_nothing(ring: Ring) -> None:
    assert (await ring.call(raises_after_reading)).body.data == b"inner"


async def test_one_that_has_begun_to_read_the_request_and_raises_ends_the_call(ring: Ring) -> None:
    """The bytes that it has taken are gone: a request without its beginning must not be sent."""
    subject = ring.subject(body=streaming(b"a", b"b"))
    with pytest.raises(PluginFailed):
        await ring.call(raises_after_reading_the_request, subject)
    assert not ring.passed_on


async def test_what_was_raised_inside_is_passed_on_untouched(ring: Ring) -> None:
    error = UpstreamBroken("gone")

    async def inner(subject: Any) -> Response:
        raise error

    async def layer(subject: Any, call_next: Any) -> Response:
        return await call_next(subject)

    subject = ring.subject()
    with pytest.raises(UpstreamBroken) as raised:
        await ring.call(layer, subject, inner)
    assert raised.value is error
    assert (faults(subject), ring.guard.faults) == ([], 0)


async def test_one_that_raises_something_else_over_an_error_from_inside_shows_that_error(ring: Ring) -> None:
    error, asked = UpstreamBroken("gone"), 0

    async def inner(subject: Any) -> Response:
        nonlocal asked
        asked += 1
        raise error

    async def layer(subject: Any, call_next: Any) -> Response:
        try:
            return await call_next(subject)
        except UpstreamBroken as broken:
            raise Oops("while handling it") from broken

    subject = ring.subject()
    with pytest.raises(UpstreamBroken) as raised:
        await ring.call(layer, subject, inner)
    assert raised.value is error
    assert (asked, faults(subject)[0].action) == (1, "bypassed")


async def test_an_error_from_inside_may_be_made_an_answer(ring: Ring) -> None:
    async def inner(subject: Any) -> Response:
        raise UpstreamBroken("gone")

    async def layer(subject: Any, call_next: Any) -> Response:
        try:
            return await call_next(subject)
        except UpstreamBroken:
            return Response(status=299)

    assert (await ring.call(layer, inner=inner)).status == 299


@pytest.mark.parametrize("layer", [returns_nothing, returns_nothing_at_once, returns_text])
async def test_one_that_returns_no_response_is_passed_by(ring: Ring, layer: Layer) -> None:
    subject = ring.subject()
    assert (await ring.call(layer, subject)).body.data == b"inner"
    assert "where a Response is due" in faults(subject)[0].reason
    assert len(ring.passed_on) == 1


@pytest.mark.parametrize("what", NONSENSE)
async def test_one_that_returns_a_response_of_nonsense_is_passed_by(ring: Ring, what: str) -> None:
    """msgspec does not check what a Struct is made of, and a door can do nothing with such an answer."""

    async def layer(subject: Any, call_next: Any) -> Response:
        return NONSENSE[what]

    subject = ring.subject()
    assert (await ring.call(layer, subject)).body.data == b"inner"
    assert len(faults(subject)) == 1


@pytest.mark.parametrize(
    "layer",
    [raises_before, raises_after, raises_after_reading, returns_nothing, returns_nothing_at_once, returns_text],
)
async def test_one_that_must_not_be_skipped_ends_the_call(ring: Ring, layer: Layer) -> None:
    ring.guarding(on_fault="fail")
    subject = ring.subject()
    with pytest.raises(PluginFailed) as failed:
        await ring.call(layer, subject)
    assert failed.value.plugin == "plugin"
    assert (failed.value.status, "plugin" in str(failed.value)) == (502, True)
    assert faults(subject)[0].action == "failed"
    assert len(ring.passed_on) <= 1


# -- layers that take too long ---------------------------------------------------------------------------------------


async def never_returns(subject: Any, call_next: Any) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


async def never_returns_the_answer(subject: Any, call_next: Any) -> Response:
    await call_next(subject)
    await asyncio.Event().wait()
    raise AssertionError


async def swallows_the_cancellation(subject: Any, call_next: Any) -> Response:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        pass
    return Response(status=299)


async def swallows_it_and_calls_on(subject: Any, call_next: Any) -> Response:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        pass
    return await call_next(subject)


async def raises_when_cancelled(subject: Any, call_next: Any) -> Response:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise Oops("instead") from None
    raise AssertionError


async def swallows_it_again_and_again(subject: Any, call_next: Any) -> Response:
    for _ in range(3):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
    return Response(status=299)


async def swallows_it_calls_on_and_dawdles(subject: Any, call_next: Any) -> Response:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        pass
    await call_next(subject)
    await asyncio.Event().wait()
    raise AssertionError


OVERRUNS = [
    never_returns,
    never_returns_the_answer,
    swallows_the_cancellation,
    swallows_it_and_calls_on,
    raises_when_cancelled,
    swallows_it_again_and_again,
    swallows_it_calls_on_and_dawdles,
]


@pytest.mark.both_loops
@pytest.mark.parametrize("layer", OVERRUNS)
async def test_one_that_takes_too_long_is_cut_short_and_passed_by(ring: Ring, layer: Layer) -> None:
    subject = ring.subject()
    async with asyncio.timeout(5):
        assert (await ring.call(layer, subject)).body.data == b"inner"
    assert len(ring.passed_on) == 1
    (fault,) = faults(subject)
    assert (fault.reason, fault.action) == (f"took longer than its {BUDGET_SECONDS:g} s", "bypassed")
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0, "the call would be taken for cancelled"


@pytest.mark.parametrize("layer", OVERRUNS)
async def test_one_that_takes_too_long_and_must_not_be_skipped_ends_the_call(ring: Ring, layer: Layer) -> None:
    ring.guarding(on_fault="fail")
    with pytest.raises(PluginFailed, match="took longer"):
        async with asyncio.timeout(5):
            await ring.call(layer)


async def test_a_layer_is_watched_after_it_called_on_whoever_else_is_asleep(ring: Ring) -> None:
    """While everybody waits inside, no deadline is left and the watchdog sleeps; it must wake for the one to come."""

    async def inner(subject: Any) -> Response:
        while not ring.watchdog.asleep:
            await asyncio.sleep(0.002)
        return Response(status=200, body=Body(b"inner"))

    subject = ring.subject()
    async with asyncio.timeout(5):
        assert (await ring.call(never_returns_the_answer, subject, inner)).body.data == b"inner"
    assert len(faults(subject)) == 1


async def test_the_time_of_all_its_turns_counts_together(ring: Ring) -> None:
    async def layer(subject: Any, call_next: Any) -> Response:
        for _ in range(100):
            response = await call_next(subject)
            await asyncio.sleep(BUDGET_SECONDS / 4)
        return response

    subject = ring.subject()
    assert (await ring.call(layer, subject)).body.data == b"inner"
    assert len(faults(subject)) == 1
    assert 3 <= len(ring.passed_on) <= 6


async def test_one_that_blocks_the_loop_is_noticed(ring: Ring) -> None:
    """Nothing can cut it short, and what it answers is as good as any, but it must not go unseen."""

    async def layer(subject: Any, call_next: Any) -> Response:
        time.sleep(BUDGET_SECONDS * 2)  # noqa: ASYNC251
        return await call_next(subject)

    subject = ring.subject()
    assert (await ring.call(layer, subject)).body.data == b"inner"
    assert len(faults(subject)) == 1
    assert ring.guard.faults == 1


# -- agents that leave -----------------------------------------------------------------------------------------------


@pytest.mark.both_loops
async def test_cancellation_by_the_agent_is_passed_on(ring: Ring) -> None:
    begun, seen = asyncio.Event(), []

    async def inner(subject: Any) -> Response:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("inner")
            raise
        raise AssertionError

    async def layer(subject: Any, call_next: Any) -> Response:
        try:
            return await call_next(subject)
        except asyncio.CancelledError:
            seen.append("layer")
            raise

    subject = ring.subject()
    calling = asyncio.ensure_future(ring.call(layer, subject, inner))
    await begun.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert (seen, faults(subject), ring.guard.faults) == (["inner", "layer"], [], 0)


async def test_cancellation_by_the_agent_while_the_layer_itself_waits_is_no_fault(ring: Ring) -> None:
    ring.guarding(budget_seconds=60)
    subject = ring.subject()
    calling = asyncio.ensure_future(ring.call(never_returns, subject))
    await asyncio.sleep(0)
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert (ring.passed_on, faults(subject)) == ([], [])


async def test_an_agent_that_leaves_just_when_a_layer_overruns_has_left(ring: Ring) -> None:
    async def layer(subject: Any, call_next: Any) -> Response:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            asyncio.current_task().cancel()  # type: ignore[union-attr]
            raise
        raise AssertionError

    calling = asyncio.ensure_future(ring.call(layer))
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(asyncio.shield(calling), 5)
    assert not ring.passed_on, "nobody asks a provider for an agent that has gone"


async def test_a_timeout_of_an_outer_layer_still_works(ring: Ring) -> None:
    """``asyncio.timeout`` is built on cancellation, as the guard is; neither must take the other's for its own."""

    async def inner(subject: Any) -> Response:
        await asyncio.sleep(60)
        raise AssertionError

    async def layer(subject: Any, call_next: Any) -> Response:
        try:
            async with asyncio.timeout(0.01):
                return await call_next(subject)
        except TimeoutError:
            return Response(status=299)

    inner_guard = Guard("inside", watchdog=ring.watchdog, budget_seconds=60)

    async def passes(subject: Any, call_next: Any) -> Response:
        return await call_next(subject)

    guarded = getattr(inner_guard, ring.name)(passes, inner)
    assert (await ring.call(layer, inner=guarded)).status == 299


async def test_a_layer_that_overruns_inside_another_is_the_only_one_passed_by(ring: Ring) -> None:
    outer = Guard("outer", watchdog=ring.watchdog, budget_seconds=BUDGET_SECONDS / 2)

    async def passes(subject: Any, call_next: Any) -> Response:
        return await call_next(subject)

    guarded = getattr(ring.guard, ring.name)(never_returns, ring.inner)
    subject = ring.subject()
    async with asyncio.timeout(5):
        response = await getattr(outer, ring.name)(passes, guarded)(subject)
    assert response.body.data == b"inner"
    assert [fault.plugin for fault in faults(subject)] == ["plugin"]


# -- quarantine ------------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_one_that_fails_again_and_again_is_left_out_for_a_while(
    ring: Ring, caplog: pytest.LogCaptureFixture
) -> None:
    clock, tried = Clock(), 0

    async def layer(subject: Any, call_next: Any) -> Response:
        nonlocal tried
        tried += 1
        raise Oops

    ring.guarding(quarantine_after=3, quarantine_seconds=30, clock=clock)
    for _ in range(10):
        await ring.call(layer)
    assert (tried, ring.guard.quarantined_until, ring.guard.faults) == (3, 1030.0, 3)
    assert len(ring.passed_on) == 10, "every call was served"
    assert [record.message for record in caplog.records if "bypassed for 30 s" in record.message]
    clock.now += 29.9
    await ring.call(layer)
    assert tried == 3
    clock.now += 0.1
    for _ in range(3):
        await ring.call(layer)
    assert tried == 6
    await ring.call(layer)
    assert tried == 6, "it is in quarantine again"


async def test_only_faults_in_a_row_count(ring: Ring) -> None:
    results: Iterator[bool] = iter([True, True, False] * 10)

    async def layer(subject: Any, call_next: Any) -> Response:
        if next(results):
            raise Oops
        return await call_next(subject)

    ring.guarding(quarantine_after=3)
    for _ in range(30):
        await ring.call(layer)
    assert (ring.guard.quarantined_until, ring.guard.faults) == (0.0, 20)


async def test_the_providers_errors_and_agents_that_leave_bring_nobody_into_quarantine(ring: Ring) -> None:
    async def inner(subject: Any) -> Response:
        raise UpstreamBroken("gone")

    async def layer(subject: Any, call_next: Any) -> Response:
        return await call_next(subject)

    ring.guarding(quarantine_after=2)
    for _ in range(10):
        with pytest.raises(UpstreamBroken):
            await ring.call(layer, inner=inner)
    assert ring.guard.quarantined_until == 0.0


async def test_one_that_must_not_be_skipped_ends_calls_while_in_quarantine(ring: Ring) -> None:
    clock = Clock()
    ring.guarding(quarantine_after=1, on_fault="fail", clock=clock)
    for _ in range(2):
        with pytest.raises(PluginFailed):
            await ring.call(raises_before)
    with pytest.raises(PluginFailed, match="quarantine"):
        await ring.call(raises_before)
    assert (ring.guard.faults, ring.passed_on) == (1, [])
    clock.now += 31
    with pytest.raises(PluginFailed, match="Oops"):
        await ring.call(raises_before)


# -- the log ---------------------------------------------------------------------------------------------------------


async def test_faults_fill_no_logs(ring: Ring, caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    ring.guarding(quarantine_after=1000, clock=clock)
    with caplog.at_level(logging.WARNING):
        for _ in range(50):
            await ring.call(raises_before)
        clock.now += 10
        await ring.call(raises_before)
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert f"plugin plugin: {ring.name} raised Oops: before; bypassed" in lines[0]
    assert "49 more" in lines[1]
    assert caplog.records[0].exc_info is not None, "the first one shows where"


async def test_a_hundred_calls_at_once_are_guarded_each_for_itself(ring: Ring) -> None:
    async def layer(subject: Any, call_next: Any) -> Response:
        if int(subject.request.target[1:]) % 2:
            await asyncio.Event().wait()
        return await call_next(subject)

    ring.guarding(quarantine_after=1000)
    subjects = [ring.subject(target=f"/{number}") for number in range(100)]
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*(ring.call(layer, subject) for subject in subjects))
    assert [answer.body.data for answer in answers] == [b"inner"] * 100
    assert [len(faults(subject)) for subject in subjects] == [0, 1] * 50


async def test_an_answer_that_a_layer_keeps_open_is_not_closed_by_the_guard(ring: Ring) -> None:
    closed = False

    async def source() -> AsyncIterator[bytes]:
        nonlocal closed
        try:
            yield b"a"
        finally:
            closed = True

    body = StreamedBody(source())
    ring.answers = [Response(status=200, body=body)]
    response = await ring.call(raises_after)
    assert response.body is body
    assert [chunk async for chunk in response.body] == [b"a"]
    assert closed
    assert EMPTY.data == b""
