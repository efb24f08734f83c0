"""The plugin as it serves: a real sidecar between agents and three real servers that behave as a world says.

Hours pass in minutes: everything that takes time takes it `SPEED` times as fast, the plugin's own clock included. So
what the sidecar itself costs, about a millisecond, counts `SPEED` times: what is printed is worse than it is.
"""

import asyncio
import json
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final, NamedTuple

import aiohttp
from aiohttp import web
from sidecar_ordering.clock import Clock
from sidecar_ordering.plugin import Ordering

from tests.benchmarks.ordering.foresight import expected
from tests.benchmarks.ordering.world import TRIES, Arrival, Provider, World
from tests.running import Running, running

SPEED: Final = 30.0
#: What a new connection costs before anything can be asked on it (TCP and TLS across a network), in the world's time.
CONNECT_SECONDS: Final = 0.15
#: How long clients without a sidecar wait for one provider.
ATTEMPT_SECONDS: Final = 6.0

_ANSWER: Final = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop", "logprobs": None}
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()
_STATUS: Final = {"server": 500, "rate": 429}


class Told(NamedTuple):
    seconds: float
    """Of the world; the caller's patience if there was no answer in time."""
    succeeded: bool
    attempts: int


class Server:
    """One provider of the world, as a server that speaks OpenAI's dialect."""

    def __init__(self, world: World, number: int, began: float) -> None:
        self._provider: Provider = world.providers[number]
        self._world, self._number, self._began = world, number, began
        self._tries: dict[tuple[str, int], int] = {}
        self._connected: set[int] = set()
        self.asked: dict[tuple[str, int], int] = {}
        """So many times, by who asks and call."""

    async def listen(self, stack: AsyncExitStack) -> str:
        application = web.Application()
        application.router.add_post("/v1/chat/completions", self._answer)
        runner = web.AppRunner(application, access_log=None, handler_cancellation=True)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        who, call = (await request.json())["messages"][0]["content"].split()
        key = (who, int(call))
        self.asked[key] = tried = self.asked.get(key, 0) + 1
        connection = id(request.transport)
        if connection not in self._connected:
            self._connected.add(connection)
            await asyncio.sleep(CONNECT_SECONDS / SPEED)
        arrival = self._world.arrivals[key[1]]
        now = (time.monotonic() - self._began) * SPEED
        outcome = self._provider.ask(arrival.size, now, arrival.luck[self._number][min(tried, TRIES) - 1])
        if math.isinf(outcome.seconds):
            await asyncio.Event().wait()
        await asyncio.sleep(outcome.seconds / SPEED)
        if not outcome.kind:
            return web.Response(body=_ANSWER, content_type="application/json")
        headers = {}
        if outcome.retry_after_seconds is not None:
            headers["Retry-After"] = str(outcome.retry_after_seconds)
        said = {"error": {"message": "no", "type": outcome.kind, "code": None}}
        return web.json_response(said, status=_STATUS[outcome.kind], headers=headers)


Client = Callable[[int, float], Awaitable[bool]]


def body(who: str, call: int) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": f"{who} {call}"}]}).encode()


class FixedOrder:
    """A client that asks the providers in a fixed order, the next one when one fails or takes too long.

    Args:
        pooled: whether it keeps its connections.
    """

    def __init__(self, who: str, urls: Sequence[str], *, pooled: bool) -> None:
        self._who, self._urls, self._pooled = who, urls, pooled
        self._session: aiohttp.ClientSession

    async def open(self, stack: AsyncExitStack) -> None:
        connector = aiohttp.TCPConnector(limit=0, force_close=not self._pooled)
        self._session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))

    async def call(self, number: int, deadline: float) -> bool:
        for url in self._urls:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            timeout = aiohttp.ClientTimeout(total=min(left, ATTEMPT_SECONDS / SPEED))
            try:
                async with self._session.post(
                    f"{url}/v1/chat/completions", data=body(self._who, number), headers=_HEADERS, timeout=timeout
                ) as response:
                    if response.status == 200:
                        await response.read()
                        return True
            except (aiohttp.ClientError, TimeoutError):
                continue
        return False


_HEADERS: Final = {"Content-Type": "application/json", "Authorization": "Bearer k"}


class BySidecar:
    """A client that knows one provider, and a sidecar before it."""

    def __init__(self, sidecar: Running) -> None:
        self._url = f"{sidecar.proxy}/a/v1/chat/completions"
        self._session: aiohttp.ClientSession

    async def open(self, stack: AsyncExitStack) -> None:
        connector = aiohttp.TCPConnector(limit=0)
        self._session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))

    async def call(self, number: int, deadline: float) -> bool:
        timeout = aiohttp.ClientTimeout(total=max(deadline - time.monotonic(), 0.001))
        try:
            async with self._session.post(
                self._url, data=body("ours", number), headers=_HEADERS, timeout=timeout
            ) as response:
                await response.read()
                return response.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False


async def run(world: World, *, share: float = 0.05) -> dict[str, list[Told]]:
    """Every call of *world* by each client, side by side; and what a choice with foresight would have taken."""
    async with AsyncExitStack() as stack:
        began = time.monotonic() + 0.5
        servers = [Server(world, number, began) for number in range(len(world.providers))]
        urls = [await server.listen(stack) for server in servers]
        names = [server_world.nature.name for server_world in world.providers]
        candidates = ", ".join(f"{{provider: {name}}}" for name in names)
        sidecar = await stack.enter_async_context(
            running(
                "catalogue=false",
                *(f"providers.{name}={{url: '{url}', dialect: openai}}" for name, url in zip(names, urls, strict=True)),
                plugins=f"[{{use: ordering, config: {{chat: {{candidates: [{candidates}], "
                f"deadline: {world.deadline_seconds:g}s, hedge: {{share: {share}}}}}}}}}]",
            )
        )
        ordering = next(
            loaded.plugin for loaded in sidecar.application.service.host.plugins if isinstance(loaded.plugin, Ordering)
        )
        ordering.clock = Clock(SPEED)
        clients: dict[str, Any] = {
            "naive": FixedOrder("naive", urls, pooled=False),
            "good": FixedOrder("good", urls, pooled=True),
            "ours": BySidecar(sidecar),
        }
        for client in clients.values():
            await client.open(stack)
        told: dict[str, list[Told]] = {name: [] for name in (*clients, "clairvoyant")}

        async def one(name: str, number: int, arrival: Arrival) -> None:
            started = time.monotonic()
            succeeded = await clients[name].call(number, started + world.deadline_seconds / SPEED)
            seconds = (time.monotonic() - started) * SPEED if succeeded else world.deadline_seconds
            asked = sum(server.asked.get((name, number), 0) for server in servers)
            told[name].append(Told(seconds, succeeded, asked))

        async with asyncio.TaskGroup() as group:
            for number, arrival in enumerate(world.arrivals):
                await asyncio.sleep(max(began + arrival.at / SPEED - time.monotonic(), 0.0))
                told["clairvoyant"].append(_with_foresight(world, arrival))
                for name in clients:
                    group.create_task(one(name, number, arrival))
        return told


def _with_foresight(world: World, arrival: Arrival) -> Told:
    """The provider of the least expected time at that moment, then the next; the luck of a call nobody knows."""
    order = sorted(
        range(len(world.providers)), key=lambda each: expected(world.providers[each], arrival.size, arrival.at)
    )
    at = arrival.at
    for attempts, number in enumerate(order, 1):
        outcome = world.providers[number].ask(arrival.size, at, arrival.luck[number][0])
        at += min(outcome.seconds, ATTEMPT_SECONDS)
        if not outcome.kind and outcome.seconds <= ATTEMPT_SECONDS:
            return Told(at - arrival.at, at - arrival.at <= world.deadline_seconds, attempts)
    return Told(world.deadline_seconds, False, len(order))
