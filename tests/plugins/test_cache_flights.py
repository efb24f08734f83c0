"""Identical calls under way share one call at the provider, and nobody is harmed by who leaves."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sidecar_cache.flights import Flight

from sidecar import Body, Notes, Response, StreamedBody, UpstreamBroken

LIMIT = 1000


class Closing(Body):
    """Tells *provider* that it was let go, which a generator that never began does not."""

    def __init__(self, provider: "Provider") -> None:
        super().__init__()
        self._provider = provider

    async def aclose(self) -> None:
        self._provider.closed = True


class Provider:
    """An answer that comes when the test says so."""

    def __init__(self) -> None:
        self._coming: asyncio.Queue[bytes | BaseException | None] = asyncio.Queue()
        self.closed = False
        self.taken = 0

    def say(self, *chunks: bytes | BaseException | None) -> None:
        for chunk in chunks:
            self._coming.put_nowait(chunk)

    def response(self) -> Response:
        return Response(
            status=200, body=StreamedBody(self._chunks(), wrapped=Closing(self)), chunked=True, answered_by="openai"
        )

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            while (chunk := await self._coming.get()) is not None:
                if isinstance(chunk, BaseException):
                    raise chunk
                self.taken += 1
                yield chunk
        finally:
            self.closed = True


class Led:
    """A flight with its leader, and what became of it."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.provider, self.notes = Provider(), Notes(0.0)
        self.flight = Flight(limit)
        self.ended: list[Flight] = []

    def answered(self) -> Response:
        response = self.provider.response()
        self.notes.open_bodies.append(response.body)
        return self.flight.leads(response, self.notes, self.ended.append)

    async def leader_leaves(self, response: Response) -> None:
        for body in (response.body, *self.notes.open_bodies):
            await body.aclose()


async def read(body: Body) -> bytes:
    try:
        return b"".join([chunk async for chunk in body])
    finally:
        await body.aclose()


async def joined(flight: Flight) -> Response:
    response = await flight.join()
    assert response is not None
    return response


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def test_fifty_that_come_at_any_time_get_all_of_one_answer() -> None:
    led = Led()
    early = [asyncio.create_task(led.flight.join()) for _ in range(20)]
    await turns()
    leader = asyncio.create_task(read(led.answered().body))
    led.provider.say(b"one ")
    await turns()
    late = [asyncio.create_task(led.flight.join()) for _ in range(29)]
    await turns()
    led.provider.say(b"two ", b"three", None)
    bodies = []
    for task in (*early, *late):
        response = await task
        assert response is not None
        assert (response.status, response.chunked, response.answered_by) == (200, True, "openai")
        bodies.append(response.body)
    assert await asyncio.gather(leader, *map(read, bodies)) == [b"one two three"] * 50
    assert led.provider.taken == 3
    assert led.ended == [led.flight]
    assert led.flight.whole
    assert len(led.flight.times) == 3


async def test_who_leads_alone_reads_the_answer_itself() -> None:
    led = Led()
    response = led.answered()
    led.provider.say(b"one", b"two", None)
    assert await read(response.body) == b"onetwo"
    assert led.flight.pump is None
    assert led.flight.whole
    assert led.provider.closed


async def test_what_has_come_is_given_at_once_and_the_rest_as_it_comes() -> None:
    led = Led()
    leader = aiter(led.answered().body)
    led.provider.say(b"one", b"two")
    assert [await anext(leader), await anext(leader)] == [b"one", b"two"]
    follower = aiter((await asyncio.wait_for(joined(led.flight), 5)).body)
    assert [await anext(follower), await anext(follower)] == [b"one", b"two"]
    led.provider.say(b"three")
    assert await anext(follower) == b"three", "though the leader does not read at present"
    led.provider.say(None)
    with pytest.raises(StopAsyncIteration):
        await anext(follower)
    assert await anext(leader) == b"three"


async def test_the_leader_may_leave_once_somebody_follows() -> None:
    led = Led()
    response = led.answered()
    leader = aiter(response.body)
    led.provider.say(b"one")
    await anext(leader)
    follower = await joined(led.flight)
    await led.leader_leaves(response)
    assert not led.provider.closed
    led.provider.say(b"two", None)
    assert await read(follower.body) == b"onetwo"
    assert led.flight.whole
    assert led.provider.closed


async def test_the_leader_may_leave_while_somebody_is_about_to_follow() -> None:
    led = Led()
    response = led.answered()
    leader = aiter(response.body)
    led.provider.say(b"one")
    await anext(leader)
    joining = asyncio.create_task(led.flight.join())
    await asyncio.sleep(0)  # it has taken over, and has nothing to read with yet
    await led.leader_leaves(response)
    led.provider.say(b"two", None)
    follower = await joining
    assert follower is not None
    assert await read(follower.body) == b"onetwo"


async def test_if_the_leader_leaves_while_it_alone_waits_others_must_call() -> None:
    led = Led()
    response = led.answered()
    leading = asyncio.create_task(read(response.body))
    await turns()
    joining = asyncio.create_task(led.flight.join())
    await turns()
    leading.cancel()
    assert await joining is None
    assert (led.flight.abandoned, led.flight.failed) == (True, False)
    assert led.provider.closed
    assert led.ended == [led.flight]
    assert not led.flight.whole


async def test_the_last_to_leave_ends_the_call() -> None:
    led = Led()
    response = led.answered()
    led.provider.say(b"one")
    leader = aiter(response.body)
    await anext(leader)
    followers = [await joined(led.flight) for _ in range(2)]
    await led.leader_leaves(response)
    await followers[0].body.aclose()
    await turns()
    assert not led.provider.closed
    await followers[1].body.aclose()
    await turns(20)
    assert led.provider.closed
    assert led.ended == [led.flight]
    assert not led.flight.whole


async def test_all_may_leave_before_anybody_reads_on() -> None:
    led = Led()
    response = led.answered()
    led.provider.say(b"one")
    await anext(aiter(response.body))
    follower = await joined(led.flight)
    await follower.body.aclose()
    await led.leader_leaves(response)  # the task that reads on has not begun
    await turns(20)
    assert led.provider.closed
    assert led.ended == [led.flight]


async def test_who_is_cancelled_while_it_waits_to_join_is_gone() -> None:
    led = Led()
    joining = asyncio.create_task(led.flight.join())
    await turns()
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    assert led.flight.followers == 0
    led.provider.say(b"one", None)
    assert await read(led.answered().body) == b"one"
    assert led.flight.pump is None


async def test_an_answer_that_breaks_breaks_for_all() -> None:
    led = Led()
    joining = asyncio.create_task(led.flight.join())
    await turns()
    leader = asyncio.create_task(read(led.answered().body))
    follower = await joining
    assert follower is not None
    led.provider.say(b"one", UpstreamBroken("it broke", begun=True))
    for reading in (leader, read(follower.body)):
        with pytest.raises(UpstreamBroken, match="it broke"):
            await reading
    assert led.flight.failed
    assert not led.flight.whole


async def test_without_an_answer_there_is_nothing_to_follow() -> None:
    flight = Flight(LIMIT)
    joining = asyncio.create_task(flight.join())
    await turns()
    flight.end(UpstreamBroken("it broke", begun=False))
    assert await joining is None
    assert (flight.failed, flight.abandoned) == (True, False)


async def test_an_answer_in_memory_is_given_to_all() -> None:
    led = Led()
    joining = asyncio.create_task(led.flight.join())
    await turns()
    response = Response(status=200, body=Body(b"whole"))
    assert led.flight.leads(response, led.notes, led.ended.append) is response
    assert await joining is response
    assert led.flight.chunks == [b"whole"]
    assert led.flight.whole


async def test_of_an_answer_that_is_too_long_little_is_held() -> None:
    led = Led()
    response = led.answered()
    led.provider.say(*[b"x" * 100] * 50, None)
    assert await read(response.body) == b"x" * 5000
    assert led.flight.held_bytes <= LIMIT + 100
    assert not led.flight.whole
    assert not led.flight.joinable


async def test_in_an_answer_that_is_too_long_nobody_misses_anything() -> None:
    led = Led()
    joining = asyncio.create_task(led.flight.join())
    await turns()
    leader = asyncio.create_task(read(led.answered().body))
    led.provider.say(*[bytes([number]) * 100 for number in range(50)], None)
    slow = await joining
    assert slow is not None
    await turns(200)
    assert led.flight.held_bytes <= LIMIT + 100
    assert led.provider.taken < 50, "the slow one holds it up"
    expected = b"".join(bytes([number]) * 100 for number in range(50))
    assert set(await asyncio.gather(leader, read(slow.body))) == {expected}


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 2**32), limit=st.sampled_from([5, 40, 10_000]))
def test_whatever_happens_everybody_gets_a_beginning_of_the_answer_and_who_stays_all(seed: int, limit: int) -> None:
    asyncio.run(_anything(random.Random(seed), limit))


async def _anything(chance: random.Random, limit: int) -> None:
    led = Led(limit)
    breaks = chance.random() < 0.2
    content = [bytes([65 + number]) * chance.randint(1, 9) for number in range(chance.randint(0, 12))]
    whole = b"".join(content)
    got: list[tuple[bytes, str]] = []

    async def agent(response: Response | None, patience: int) -> None:
        if response is None:
            got.append((b"", "none"))
            return
        data, how = b"", "left"
        try:
            async for chunk in response.body:
                data += chunk
                if patience and len(data) > patience:
                    break
                for _ in range(chance.randint(0, 3)):
                    await asyncio.sleep(0)
            else:
                how = "all"
        except UpstreamBroken:
            how = "broken"
        finally:
            await response.body.aclose()
            got.append((data, how))

    async def follow() -> None:
        await agent(await led.flight.join(), chance.choice([0, 0, 5, 20]))

    async def lead() -> None:
        response = led.answered()
        try:
            await agent(response, chance.choice([0, 0, 5, 20]))
        finally:
            await led.leader_leaves(response)

    tasks = []
    steps = [*content, UpstreamBroken("it broke", begun=True) if breaks else None]
    tasks.append(asyncio.create_task(lead()))
    tasks[0].add_done_callback(lambda _: led.flight.end(asyncio.CancelledError()))  # cancelled before it began
    while steps or chance.random() < 0.3:
        await turns(chance.randint(0, 3))
        if steps and chance.random() < 0.6:
            led.provider.say(steps.pop(0))
        elif led.flight.joinable:
            tasks.append(asyncio.create_task(follow()))
        if chance.random() < 0.1:
            chance.choice(tasks).cancel()
    await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
    await turns(20)
    for data, how in got:
        assert whole.startswith(data)
        assert how != "all" or (data == whole and not breaks)
    assert led.provider.closed or led.flight.response is None
    assert led.flight.response is None or led.ended == [led.flight]
    assert not led.flight.whole or b"".join(led.flight.chunks) == whole
