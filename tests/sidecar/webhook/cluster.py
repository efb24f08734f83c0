"""A Kubernetes API of two objects: versions, conflicts, JSON patches, tokens, and faults on demand."""

import asyncio
import contextlib
import copy
import datetime as dt
import json
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import jsonpatch
from aiohttp import web
from aiohttp.test_utils import TestServer

from sidecar.lab.certificates import Authority
from sidecar.webhook.keeping import Keeper
from sidecar.webhook.kubernetes import Access, access, connected
from sidecar.webhook.objects import Objects

NAMESPACE: Final = "agent-sidecar-system"
OBJECTS: Final = Objects(
    NAMESPACE, "agent-sidecar-injector", "agent-sidecar-injector-certificate", "agent-sidecar-injector"
)
SECRETS, CONFIGURATIONS = "secrets", "mutatingwebhookconfigurations"
TOKEN: Final = "eyJhbGciOiJSUzI1NiJ9.the-first-token.of-the-service-account"
_VERBS: Final = {"GET": "get", "PUT": "update", "PATCH": "patch", "POST": "create", "DELETE": "delete"}

Table = dict[str, Any]


class Call(NamedTuple):
    verb: str
    group: str
    resource: str
    namespace: str
    name: str


Fault = Callable[[web.Request, Call], Awaitable[web.StreamResponse | None]]


def _webhook(name: str, service: str = OBJECTS.service) -> Table:
    called = {"name": service, "namespace": NAMESPACE, "path": "/mutate/any", "port": 443}
    return {"name": name, "clientConfig": {"service": called}, "sideEffects": "None", "failurePolicy": "Fail"}


class Cluster:
    """``faults`` are asked in order before a call is answered; one that answers nothing lets it pass."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = Authority()
        self.tokens = {TOKEN}
        self.faults: list[Fault] = []
        self.calls: list[Call] = []
        self.statuses: Counter[tuple[str, str, int]] = Counter()
        self._version = 100
        self.objects: dict[tuple[str, str], Table] = {
            (SECRETS, OBJECTS.secret): {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "Opaque",
                "metadata": {"name": OBJECTS.secret, "namespace": NAMESPACE, "labels": {"kept": "as-it-is"}},
            },
            (CONFIGURATIONS, OBJECTS.configuration): {
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": "MutatingWebhookConfiguration",
                "metadata": {"name": OBJECTS.configuration, "labels": {"kept": "as-it-is"}},
                "webhooks": [_webhook("a.agent-sidecar.io"), _webhook("b.agent-sidecar.io")],
            },
        }
        for each in self.objects.values():
            each["metadata"]["resourceVersion"] = self._next()
        self.access: Access
        self.environ: dict[str, str] = {}

    def _next(self) -> str:
        self._version += 1
        return str(self._version)

    # -- what tests look at and do ---------------------------------------------------------------------------------

    @property
    def secret(self) -> Table:
        return self.objects[SECRETS, OBJECTS.secret]

    @property
    def configuration(self) -> Table:
        return self.objects[CONFIGURATIONS, OBJECTS.configuration]

    @property
    def data(self) -> dict[str, bytes]:
        return {name: b64decode(value) for name, value in self.secret.get("data", {}).items()}

    @property
    def bundles(self) -> list[bytes]:
        """Whom each webhook trusts."""
        return [b64decode(each["clientConfig"].get("caBundle", "")) for each in self.configuration["webhooks"]]

    @property
    def bundle(self) -> bytes:
        (only,) = set(self.bundles)
        return only

    def touch(self, whole: Table) -> Table:
        """Somebody changes *whole*, which gets a new version; the caller makes the change."""
        whole["metadata"]["resourceVersion"] = self._next()
        return whole

    def keep(self, data: dict[str, bytes]) -> None:
        """Somebody puts *data* into the Secret."""
        self.touch(self.secret)["data"] = {name: b64encode(value).decode() for name, value in data.items()}

    def trust(self, bundle: bytes | None) -> None:
        """Somebody sets whom all webhooks trust; None takes it out, as applying the manifests anew may."""
        for each in self.touch(self.configuration)["webhooks"]:
            each["clientConfig"].pop("caBundle", None)
            if bundle is not None:
                each["clientConfig"]["caBundle"] = b64encode(bundle).decode()

    def write_account(self, token: str = TOKEN) -> None:
        """What the kubelet mounts."""
        for name, content in (("token", token), ("namespace", NAMESPACE), ("ca.crt", self.authority.pem.decode())):
            (self.directory / name).write_text(content)

    def keeper(self, now: Callable[[], dt.datetime], chance: float = 0.5, at: Access | None = None) -> Keeper:
        found = self.access if at is None else at
        return Keeper(OBJECTS, partial(connected, found, OBJECTS), now=now, chance=lambda: chance)

    @contextlib.contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        self.faults.append(fault)
        try:
            yield
        finally:
            self.faults.remove(fault)

    # -- what the API does -----------------------------------------------------------------------------------------

    async def answer(self, request: web.Request) -> web.StreamResponse:
        where = request.match_info
        call = Call(
            _VERBS[request.method],
            where.get("group", ""),
            where["resource"],
            where.get("namespace", ""),
            where["name"],
        )
        self.calls.append(call)
        for fault in tuple(self.faults):
            if (answer := await fault(request, call)) is not None:
                return answer
        answer = await self._answer(request, call)
        self.statuses[call.verb, call.resource, answer.status] += 1
        return answer

    async def _answer(self, request: web.Request, call: Call) -> web.Response:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return failure(401, "Unauthorized")
        kept = self.objects.get((call.resource, call.name))
        if kept is None or kept["metadata"].get("namespace", "") != call.namespace:
            return failure(404, "NotFound")
        body = await request.read()
        if call.verb == "update":
            given = json.loads(body)
            if given["metadata"]["resourceVersion"] != kept["metadata"]["resourceVersion"]:
                return failure(409, "Conflict")
            if kept.get("immutable"):
                return failure(422, "Invalid")
            kept = given
        elif call.verb == "patch":
            assert request.content_type == "application/json-patch+json"
            try:
                kept = jsonpatch.apply_patch(copy.deepcopy(kept), json.loads(body))
            except (jsonpatch.JsonPatchConflict, jsonpatch.JsonPatchTestFailed):
                return failure(422, "Invalid")
            for each in kept["webhooks"]:
                assert b64decode(each["clientConfig"].get("caBundle", "")).count(b"BEGIN CERTIFICATE") < 10
        if call.verb in ("update", "patch"):
            self.objects[call.resource, call.name] = self.touch(kept)
        return web.json_response(kept)


def failure(status: int, reason: str, message: str = "of no interest") -> web.Response:
    """As Kubernetes fails."""
    told = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason}
    return web.json_response({**told, "code": status}, status=status)


@asynccontextmanager
async def cluster(directory: Path) -> AsyncIterator[Cluster]:
    """A cluster that serves; *directory* becomes that of a pod's service account."""
    made = Cluster(directory)
    made.write_account()
    application = web.Application()
    application.router.add_route("*", "/api/v1/namespaces/{namespace}/{resource}/{name}", made.answer)
    application.router.add_route("*", "/apis/{group}/v1/{resource}/{name}", made.answer)
    server = TestServer(application, host="127.0.0.1", scheme="https")
    await server.start_server(ssl=made.authority.server_context([]))
    try:
        made.environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(server.port)}
        made.access = access(made.environ, directory)
        yield made
    finally:
        await server.close()


class Clock:
    """The time of day as a test has it. It begins in the past, so that what is made while it runs is valid now, which
    is the only time that clients check by."""

    def __init__(self, days_ago: float = 75.0) -> None:
        self.now = dt.datetime.now(dt.UTC) - dt.timedelta(days=days_ago)

    def __call__(self) -> dt.datetime:
        return self.now

    def pass_by(self, **duration: float) -> None:
        self.now += dt.timedelta(**duration)


async def settled(clock: Clock, *keepers: Keeper) -> None:
    """Let all of them look until they present something, as time passes."""
    for _ in range(4):
        await asyncio.gather(*(keeper.look() for keeper in keepers))
        clock.pass_by(seconds=30)
    assert [keeper.missing for keeper in keepers] == [None] * len(keepers)
