"""The providers' own SDKs, through every door that they can take: the same call in a table, once for each door."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from sidecar.journal import CallTold
from sidecar.lab import Received
from tests.scenarios.sdk.process import Outcome
from tests.scenarios.sdk.table import CONNECT, DIRECT, Cell, SdkCall, cells
from tests.scenarios.sdk.world import PROVIDERS, World, heard

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: Headers that a proxy changes or ends; those of a handshake are compared in test_transparency.
_OF_THE_HOP = frozenset((b"host", b"connection", b"keep-alive", b"transfer-encoding"))
#: Headers whose values SDKs draw anew for each client or connection.
_DRAWN = frozenset((b"sec-websocket-key", b"x-deepgram-session-id"))
#: What the lab draws, where the agent says it again.
_IDENTIFIER = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Seen(NamedTuple):
    """What a provider saw of a request: all that does not differ from one run to the next."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    frames: tuple[str | bytes, ...]


def seen(received: Received) -> Seen:
    body, kind = received.body, (received.header("content-type") or "").encode()
    boundary = re.search(rb"boundary=(\S+)", kind)
    headers = []
    for name, value in received.headers:
        if name.lower() in _OF_THE_HOP:
            continue
        if boundary is not None:
            value = value.replace(boundary[1], b"boundary")
        headers.append((name, b"drawn" if name.lower() in _DRAWN else value))
    if boundary is not None:
        body = body.replace(boundary[1], b"boundary")
    body = _IDENTIFIER.sub(b"identifier", body)
    target = _IDENTIFIER.sub(b"identifier", received.target.encode()).decode()
    frames = tuple(frame.data for frame in received.frames if frame.sender == "client")
    return Seen(received.method, target, tuple(headers), body, frames)


def differences(here: list[Seen], there: list[Seen]) -> Iterator[str]:
    if len(here) != len(there):
        yield f"{len(here)} requests instead of {len(there)}"
    for number, (one, other) in enumerate(zip(here, there, strict=False)):
        for name in Seen._fields:
            ours, theirs = getattr(one, name), getattr(other, name)
            if isinstance(ours, tuple) and ours != theirs:
                ours, theirs = (
                    [part for part in ours if part not in theirs] or ours,
                    [p for p in theirs if p not in ours],
                )
            if ours != theirs:
                yield f"{name} of request {number}: {ours!r} instead of {theirs!r}"


def place(here: World, call: SdkCall, door: str) -> str | None:
    """The URL to tell the agent."""
    match door:
        case _ if door == DIRECT:
            lab = here.lab
            return lab.tls_url(PROVIDERS[call.provider]) if call.tls else lab.url(PROVIDERS[call.provider])
        case "base_url":
            return f"{here.sidecar.proxy}/{call.provider}"
        case "port":
            return here.sidecar.port(call.provider)
        case _:
            return None


async def made(here: World, call: SdkCall, door: str, skip_or_fail: Callable[[str], None]) -> Outcome:
    agent = await here.agent(call.sdk, proxied=door == CONNECT)
    if agent.missing:
        skip_or_fail(f"the SDK is not installed: {agent.missing}")
    return await agent.call(call.name, place(here, call, door))


@pytest.fixture(scope="module")
def seen_directly() -> dict[str, list[Seen]]:
    """By call, what the provider sees where there is no sidecar."""
    return {}


async def without_sidecar(
    here: World, call: SdkCall, known: dict[str, list[Seen]], skip_or_fail: Callable[[str], None]
) -> list[Seen]:
    key = f"{call.sdk}.{call.name}"
    if key not in known:
        outcome = await made(here, call, DIRECT, skip_or_fail)
        assert outcome.error is None, f"not even without the sidecar: {outcome}"
        assert not here.ledger.untold(), "the control of the experiment went through the sidecar"
        known[key] = [seen(received) for received in here.received(call.provider)]
        here.forget()
    return known[key]


def _parameters(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    return {} if callspec is None else dict(callspec.params)


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def agents_ahead(request: pytest.FixtureRequest, shared_world: World) -> None:
    wanted = [parameters["cell"] for item in request.session.items if "cell" in (parameters := _parameters(item))]
    shared_world.prepare((cell.call.sdk, door == CONNECT) for cell in wanted for door in (DIRECT, cell.door))


@pytest.mark.parametrize("cell", [pytest.param(cell, id=str(cell)) for cell in cells()])
async def test_a_call_is_what_it_is_without_the_sidecar(
    here: World, cell: Cell, seen_directly: dict[str, list[Seen]], skip_or_fail: Callable[[str], None]
) -> None:
    call, door = cell
    expected = await without_sidecar(here, call, seen_directly, skip_or_fail)

    outcome = await made(here, call, door, skip_or_fail)
    assert outcome.error is None, f"{outcome} after {here.received(call.provider)}"
    answer = outcome.text if outcome.text is not None else await heard(outcome.heard)
    assert answer == call.answer

    told = await here.ledger.calls(len(call.calls))
    for one, facts in zip(told, call.calls, strict=True):
        assert_told(one, call, door, facts)

    received = here.received(call.provider)
    assert list(differences([seen(one) for one in received], expected)) == []
    for each in received:
        assert each.header("host") == here.authority(call.provider)
        name, value = call.credential
        assert each.header(name) == value
        assert not [field for field, _ in each.headers if field.lower().startswith(b"x-sidecar")]
    assert not here.ledger.untold(), "the sidecar served more calls than the agent made"


def assert_told(told: CallTold, call: SdkCall, door: str, facts: Any) -> None:
    expected = {"provider": call.provider, "door": door, "outcome": "completed", "status": 200, "error": None}
    expected |= {"answered_by": call.provider, "method": "POST", "stream": False, "faults": ()}
    expected |= {"model": None, "voice": None, "language": None} | facts
    assert {name: getattr(told, name) for name in expected} == expected
    assert told.response_bytes > 0
    assert told.first_byte_seconds is None or told.first_byte_seconds > 0
    assert len(told.attempts) == 1
    if told.status == 101:
        assert told.messages_sent
        assert told.messages_received
    assert (told.request_bytes > 0) == (told.method == "POST" or told.status == 101)
