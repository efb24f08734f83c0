"""What every plugin that ships with the sidecar keeps; one that is added to pyproject.toml is held to it by itself."""

import asyncio
import logging
import re
import tomllib
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from msgspec import Struct
from msgspec.structs import replace

from sidecar import (
    AroundAttempt,
    AroundExchange,
    Attempt,
    AttemptHandler,
    Body,
    Chat,
    Exchange,
    ExchangeHandler,
    Lifespan,
    Operation,
    PluginConfig,
    Response,
    Runtime,
    Sample,
    Samples,
    Speech,
    hookimpl,
)
from sidecar.configuration.shape import Form, Shape, fields_of
from sidecar.dialects import names
from sidecar.host import find
from sidecar.testing import BrokenPromise, Stage, answer, call, contract, promises, socket_answer, untouched
from sidecar.testing import stage as staging
from sidecar.testing.calls import everything
from sidecar.testing.contract import words
from sidecar.testing.promises import PROMISES, Promise, Subject
from tests import corpus
from tests.collector import collecting
from tests.sidecar.intercept.stage import Received, Streaming, get, post, stage, until
from tests.wire import answer as wire_answer

_PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: Class path by name.
SHIPPED: dict[str, str] = _PROJECT["entry-points"]["sidecar"]

every_plugin = pytest.mark.parametrize("use", SHIPPED)


@pytest.fixture(autouse=True)
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Plugins without settings export to where OpenTelemetry's variables say: to a collector of this test's own."""
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with collecting() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", running.url)
        yield


@every_plugin
@pytest.mark.parametrize("promise", PROMISES, ids=words)
async def test_a_shipped_plugin(use: str, promise: Promise) -> None:
    await promise(Subject(find(use)))


@every_plugin
async def test_a_shipped_plugin_leaves_alone_what_it_sees_for_the_first_time(use: str) -> None:
    await untouched(find(use))


@every_plugin
@pytest.mark.parametrize("dialect", names())
async def test_what_sdks_really_send_passes_byte_for_byte(use: str, dialect: str) -> None:
    answers = {each.case: each for each in corpus.answers() if each.dialect == dialect}
    for case in (each for each in corpus.cases() if each.dialect == dialect):
        exchange = call(dialect, case.target, case.body, method=case.method, socket=case.is_socket)
        exchange = exchange.with_request(replace(exchange.request, headers=case.headers, body=Body(case.body)))
        said = socket_answer() if case.is_socket else answer(b"")
        if captured := answers.get(case.name):
            said = replace(
                answer(captured.body), status=captured.status, headers=captured.headers.without("transfer-encoding")
            )
        async with Stage(Subject(find(use)).made(), operations=tuple(Operation)) as one:
            played = await one.play(exchange, said)
        (sent,) = played.sent
        assert (sent.method, sent.target, sent.body.data) == (case.method, case.target, case.body), case.name
        assert sent.headers == case.headers, case.name
        if not case.is_socket:
            assert (played.status, played.body) == (said.status, said.body.data), case.name


@every_plugin
def test_a_shipped_plugin_is_called_the_same_everywhere(use: str) -> None:
    assert SHIPPED[use] == f"sidecar_{use.replace('-', '_')}:{use.title().replace('-', '')}"


@every_plugin
def test_every_setting_of_a_shipped_plugin_says_what_it_is_for_and_has_a_default(use: str) -> None:
    assert described(find(use).Config) == []  # type: ignore[attr-defined]


def described(section: type[Struct]) -> list[str]:
    """The settings below *section* that are not described, or required."""
    found = []
    for name, setting in fields_of(section).items():
        if not setting.shape.description or setting.required:
            found.append(name)
        inner: Shape | None = setting.shape
        while inner is not None:
            if inner.form is Form.SECTION:
                found += [f"{name}.{each}" for each in described(inner.kind)]
            inner = inner.inner
    return found


@every_plugin
async def test_a_shipped_plugin_speaks_in_the_name_that_it_has_in_the_configuration(use: str) -> None:
    subject = Subject(find(use))
    async with subject.stage(plugins=2) as two:
        seen: set[str] = set()
        for example in everything():
            played = await two.play(example.exchange(), example.reply)
            seen.update(verdict.plugin for verdict in played.verdicts)
            if not played.attempts:
                assert played.record.answered_by in (use, f"{use}-2")
        assert seen in (set(), {use, f"{use}-2"})
        assert all(re.match(rf'{use.replace("-", "_")}_\w+{{plugin="{use}(-2)?"', name) for name in two.samples())


@every_plugin
async def test_two_of_a_shipped_plugin_are_told_apart_on_the_page_for_prometheus(use: str) -> None:
    plugins = f"[{{use: {use}}}, {{use: {use}, name: second}}]"
    async with stage(Received(wire_answer(b"{}")), plugins=plugins) as between:
        agent = await between.agent()
        for _ in range(2):
            assert (await agent.ask(post(b"{}", path="/lab/v1/chat/completions"))).status == 200
        page = await between.metrics()
    series = [line.rpartition(" ")[0] for line in page.splitlines() if not line.startswith("#")]
    assert sorted(series) == sorted(set(series))


@every_plugin
async def test_a_running_sidecar_with_a_shipped_plugin_holds_no_stream_up_and_ends_it_when_the_agent_leaves(
    use: str,
) -> None:
    provider = Streaming()
    async with stage(provider, plugins=f"[{{use: {use}, operations: [passthrough, chat]}}]") as between:
        for ask in (get(), post(b"{}", path="/lab/v1/chat/completions")):
            provider.ended.clear()
            agent = await between.agent()
            await agent.send(ask)
            await agent.head()
            assert await agent.chunk() == b"first", "the provider has not made the second"
            agent.leave()
            async with asyncio.timeout(5):
                await provider.ended.wait()
        await until(lambda: between.sidecar.application.metrics.in_flight == 0)


# -- plugins that keep less ------------------------------------------------------------------------------------------


class Passing(AroundExchange):
    """Does nothing, and so keeps everything."""

    Config: type[PluginConfig] = PluginConfig
    sockets = True

    def __init__(self, config: PluginConfig) -> None: ...

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        return await call_next(exchange)


class Undocumented(Passing):
    pass


class Longwinded(Passing):
    """Does nothing, but takes its time to say so,
    since it has nothing else to do.
    """


class Unmarked(Passing):
    """Forgets its mark."""

    def samples(self) -> list[Sample]:
        return []


class Anything(Struct):
    """Settings that take everything."""


class Careless(Passing):
    """Takes settings that it does not know."""

    Config = Anything  # type: ignore[assignment]


class Eager(Passing):
    """Begins its work when it is made."""

    def __init__(self, config: PluginConfig) -> None:
        self.working = asyncio.get_running_loop().create_task(asyncio.sleep(0))


class Forgetful(Passing, Lifespan):
    """Forgets what it began."""

    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Runtime) -> AsyncIterator[None]:
        self.working = asyncio.create_task(self.work())
        yield

    async def work(self) -> None:
        await asyncio.sleep(2)


class Exclusive(Passing, Lifespan):
    """There can be only one."""

    serving = False

    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Runtime) -> AsyncIterator[None]:
        if Exclusive.serving:
            raise OSError("address already in use")
        Exclusive.serving = True
        yield
        Exclusive.serving = False


class Trusting(Passing):
    """Takes every chat for one."""

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        if exchange.operation == Operation.CHAT:
            assert isinstance(exchange.payload, Chat), "a chat without a view"
        return await call_next(exchange)


class Absent(Passing):
    """Forgets to return."""

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        await call_next(exchange)
        return None  # type: ignore[return-value]


class Collecting(Passing):
    """Wants to have all of an answer first."""

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        response = await call_next(exchange)
        return response if response.tunnel else response.with_body(await response.body.buffered(1 << 20))


class Obstinate(Passing):
    """Does not hear that the agent has left."""

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        try:
            return await call_next(exchange)
        except asyncio.CancelledError:
            return Response(status=200)


class Leaving(Passing):
    """Leaves a task behind for each call."""

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        if exchange.call is not None and exchange.call.stream:
            return await call_next(exchange)
        response = await call_next(exchange)
        self.working = asyncio.create_task(asyncio.sleep(3 if response.body.data is None else 0))
        return response


class Counting(Passing, Samples):
    """Counts, in one way or another."""

    def __init__(self, config: PluginConfig) -> None:
        self.calls: list[Exchange] = []

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        self.calls.append(exchange)
        return await call_next(exchange)

    @hookimpl
    def samples(self) -> Iterable[Sample]:
        yield Sample("counting_calls_total", len(self.calls), "Calls.", "counter")


class Misnaming(Counting):
    """Has names of its own for its numbers."""

    @hookimpl
    def samples(self) -> Iterable[Sample]:
        yield Sample("Calls-So-Far", len(self.calls), "Calls.")


class Falling(Counting):
    """Counts down."""

    @hookimpl
    def samples(self) -> Iterable[Sample]:
        yield Sample("falling_total", -len(self.calls), "Calls.", "counter")


class Dividing(Counting):
    """Divides by nothing."""

    @hookimpl
    def samples(self) -> Iterable[Sample]:
        yield Sample("dividing_share", float("nan"), "A share.")


class Endless(Counting):
    """Has a series for each call."""

    @hookimpl
    def samples(self) -> Iterable[Sample]:
        for each in self.calls:
            yield Sample("endless_calls", 1, "Calls.", labels=(("id", each.id),))


class Talkative(Passing):
    """Says what was said."""

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        payload = exchange.payload
        exchange.note("talkative", "heard", payload.text if isinstance(payload, Speech) else "")
        return await call_next(exchange)


class Logging(Passing):
    """Logs who pays."""

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        logging.getLogger("third.party").debug("called by %s", exchange.request.headers.get("authorization"))
        return await call_next(exchange)


class Labelled(Counting):
    """Takes the credential for a label."""

    @hookimpl
    def samples(self) -> Iterable[Sample]:
        for each in {seen.request.headers.get("authorization") or "" for seen in self.calls}:
            yield Sample("labelled_calls", 1, "Calls.", labels=(("agent", each),))


class Sharing(Passing):
    """Keeps what it knows where all of its kind see it."""

    seen: ClassVar[set[str]] = set()

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        if exchange.id in self.seen:
            raise RuntimeError("seen before")
        self.seen.add(exchange.id)
        return await call_next(exchange)


class Stamping(AroundAttempt):
    """Puts a stamp on each request."""

    Config = PluginConfig

    def __init__(self, config: PluginConfig) -> None: ...

    @hookimpl
    async def around_attempt(self, attempt: Attempt, call_next: AttemptHandler) -> Response:
        headers = attempt.request.headers.adding("X-Stamp", "1")
        return await call_next(attempt.with_request(attempt.request.with_headers(headers)))


BREAKING: dict[type, tuple[Promise, str]] = {
    Undocumented: (promises.says_what_it_is_for, "has no docstring"),
    Longwinded: (promises.says_what_it_is_for, "longer than a line"),
    Unmarked: (promises.is_a_class_that_the_sidecar_takes, "lacks @hookimpl"),
    Careless: (promises.has_settings_that_a_schema_can_tell, "does not know"),
    Eager: (promises.is_made_of_its_settings_alone, "no running event loop"),
    Forgetful: (promises.starts_before_the_one_that_it_replaces_stops, "Forgetful.work"),
    Exclusive: (promises.starts_before_the_one_that_it_replaces_stops, "address already in use"),
    Trusting: (promises.serves_every_kind_of_call, "an empty body (openai): it raised AssertionError: a chat without"),
    Absent: (promises.serves_every_kind_of_call, "chat (openai): "),
    Collecting: (promises.holds_no_stream_up, "heard nothing of it"),
    Obstinate: (promises.lets_go_when_the_agent_leaves, "goes on when the agent leaves"),
    Leaving: (promises.lets_go_when_the_agent_leaves, "tasks of its go on: sleep"),
    Misnaming: (promises.counts_what_prometheus_takes, "Calls-So-Far"),
    Falling: (promises.counts_what_prometheus_takes, "fell from"),
    Dividing: (promises.counts_what_prometheus_takes, "is nan"),
    Endless: (promises.counts_what_prometheus_takes, "series of their own"),
    Talkative: (promises.tells_no_secret, "its verdict has 'nobody may hear what I ask' in it"),
    Logging: (promises.tells_no_secret, "its log has 'sk-nobody-may-see-this' in it"),
    Labelled: (promises.tells_no_secret, "its samples has 'sk-nobody-may-see-this' in it"),
    Sharing: (promises.lives_beside_another_of_its_kind, "seen before"),
}


@pytest.mark.parametrize("promise", PROMISES, ids=words)
@pytest.mark.parametrize("kind", [Passing, Counting])
async def test_a_plugin_that_does_no_wrong_keeps(kind: type, promise: Promise) -> None:
    await promise(Subject(kind))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is waited for in vain is not waited for long."""
    for module in (promises, staging):
        monkeypatch.setattr(module, "_PATIENCE_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("kind", BREAKING, ids=lambda kind: kind.__name__)
async def test_a_plugin_that_breaks_a_promise_is_found(kind: type) -> None:
    promise, why = BREAKING[kind]
    with pytest.raises((BrokenPromise, OSError)) as broken:
        await promise(Subject(kind))
    assert why in str(broken.value)


def test_every_promise_can_be_broken() -> None:
    assert {promise for promise, _ in BREAKING.values()} == set(PROMISES)


@pytest.mark.usefixtures("impatient")
async def test_the_contract_says_all_that_a_plugin_does_not_keep() -> None:
    class Bad(Talkative, Forgetful):
        pass

    with pytest.raises(BrokenPromise) as broken:
        await contract(Bad)
    lines = str(broken.value).splitlines()
    assert lines[0] == "Bad keeps 7 of 11 promises, and not:"
    assert [line.partition(": ")[0].strip() for line in lines[1:]] == [
        "says what it is for",
        "starts before the one that it replaces stops",
        "lets go when the agent leaves",
        "tells no secret",
    ]


async def test_a_plugin_is_held_to_the_contract_with_the_settings_that_are_given() -> None:
    await contract(Passing, "")
    with pytest.raises(BrokenPromise, match="pace: is not a setting"):
        await contract(Passing, "pace: 1")


async def test_what_is_changed_is_not_untouched() -> None:
    await untouched(Passing)
    with pytest.raises(BrokenPromise, match=r"what providers are sent is .*X-Stamp"):
        await untouched(Stamping)
    with pytest.raises(BrokenPromise, match="the answer's body is"):
        await untouched(Collecting)
