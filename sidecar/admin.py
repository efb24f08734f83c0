"""The two small servers beside the proxy: probes and metrics, which the pod's surroundings may reach, and the admin
interface, which only this machine may, for the command line.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec
from aiohttp import web

from sidecar.hookspecs import Question, Told
from sidecar.journal import Journal, tell

logger = logging.getLogger(__name__)

#: Of what a plugin is sent: a file of entries to take over, say.
_MOST_BYTES = 256 * 1024 * 1024
_LOCAL_NAMES = frozenset(("localhost", "127.0.0.1", "[::1]"))


class Administered(Protocol):
    """What the servers tell about."""

    journal: Journal

    def checks(self) -> Mapping[str, bool]:
        """What readiness consists of; never the state of a provider, since a pod's own readiness hangs on it."""
        ...

    def account(self) -> None:
        """See to it that every call that has ended is in the journal."""
        ...

    async def console(self, plugin: str, question: Question) -> Told | None:
        """What a plugin says; None if it says nothing, or there is none of that name.

        Raises:
            Exception: whatever it raises.
        """
        ...

    def metrics_text(self) -> str: ...

    def status(self) -> dict[str, Any]:
        """Version, configuration, listeners, plugins and stacks."""
        ...


def probes_application(administered: Administered) -> web.Application:
    """``/livez``, ``/readyz``, ``/startupz`` (each with ``?verbose``) and ``/metrics``."""

    async def live(request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(request: web.Request) -> web.Response:
        checks = administered.checks()
        lines = [f"[{'+' if passed else '-'}] {name}\n" for name, passed in checks.items()]
        passed = all(checks.values())
        text = ("ok\n" if passed else "not ready\n") if "verbose" not in request.query else "".join(lines)
        return web.Response(text=text, status=200 if passed else 503)

    async def metrics(request: web.Request) -> web.Response:
        return web.Response(
            text=administered.metrics_text(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )

    application = web.Application()
    application.router.add_get("/livez", live)
    application.router.add_get("/readyz", ready)
    application.router.add_get("/startupz", ready)
    application.router.add_get("/metrics", metrics)
    return application


def admin_application(administered: Administered) -> web.Application:
    """``/status``, ``/calls``, ``/calls/follow``, ``/calls/{id}`` and ``/plugins/{name}/…``, as JSON."""

    async def status(request: web.Request) -> web.Response:
        return _json(administered.status())

    async def calls(request: web.Request) -> web.Response:
        try:
            last = max(0, int(request.query.get("last", "50")))
        except ValueError:
            return _json({"error": "last wants a number"}, 400)
        administered.account()
        return _json([tell(record) for record in administered.journal.last(last)])

    async def call(request: web.Request) -> web.Response:
        prefix = request.match_info["id"]
        administered.account()
        found = administered.journal.find(prefix)
        if not found:
            return _json({"error": f"no call {prefix} among the last ones"}, 404)
        if len(found) > 1:
            return _json({"error": f"{len(found)} calls begin with {prefix}; give more of the id"}, 409)
        return _json(tell(found[0]))

    async def follow(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await answer.prepare(request)
        await answer.write(b"\n")  # following has begun
        async for record in administered.journal.follow():
            await answer.write(msgspec.json.encode(tell(record)) + b"\n")
        return answer

    async def console(request: web.Request) -> web.Response:
        plugin = request.match_info["plugin"]
        question = Question(
            method=request.method, path=request.match_info["path"], query=dict(request.query), body=await request.read()
        )
        try:
            told = await administered.console(plugin, question)
        except Exception as error:
            logger.exception("plugin %s failed to answer %s %s", plugin, question.method, question.path)
            return _json({"error": f"plugin {plugin} failed: {type(error).__name__}: {error}"}, 500)
        if told is None:
            return _json({"error": f"no plugin {plugin} is in service, or it has nothing to say"}, 404)
        if isinstance(told.value, bytes):
            return web.Response(body=told.value, status=told.status, content_type="application/octet-stream")
        return _json(told.value, told.status)

    application = web.Application(middlewares=[_local_only], client_max_size=_MOST_BYTES)
    application.router.add_get("/status", status)
    application.router.add_get("/calls", calls)
    application.router.add_get("/calls/follow", follow)
    application.router.add_get("/calls/{id}", call)
    application.router.add_route("*", "/plugins/{plugin}/{path:.*}", console)
    return application


@web.middleware
async def _local_only(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A web page must not be able to ask, not even under a name that it has pointed to this machine."""
    host = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdecimal() else request.host
    if host not in _LOCAL_NAMES or "Origin" in request.headers:
        return _json({"error": "the admin interface is for this machine; call it by 127.0.0.1 or localhost"}, 403)
    return await handler(request)


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
