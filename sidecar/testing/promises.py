"""What a plugin owes the sidecar and the calls that pass it, a check for each."""

import asyncio
import inspect
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from sidecar.body import StreamedBody
from sidecar.configuration import InvalidConfiguration, schema
from sidecar.dialect import Operation
from sidecar.exchange import Attempt, Response
from sidecar.host import Unusable, check_class
from sidecar.journal import tell
from sidecar.testing.agent import AgentDouble
from sidecar.testing.calls import ANSWERED, CREDENTIAL, SAID, Example, everything, stream_of_audio, stream_of_words
from sidecar.testing.making import answer, configured
from sidecar.testing.stage import Stage

#: How long is waited for what must come at once.
_PATIENCE_SECONDS: Final = 1.0


class BrokenPromise(AssertionError):
    """What a plugin does not keep."""


class Subject(Struct, frozen=True):
    """A plugin's class, and the configuration it is tried with, as `sidecar.testing.configured` takes it."""

    kind: type
    config: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)

    def made(self) -> Any:
        return configured(self.kind, self.config, self.environ)

    def stage(self, *, guarded: bool = False, plugins: int = 1) -> Stage:
        """So many of them in service, around calls of every kind."""
        return Stage(*(self.made() for _ in range(plugins)), guarded=guarded, operations=tuple(Operation))


#: Raises `BrokenPromise`, or what the plugin raises.
Promise = Callable[[Subject], Awaitable[None]]


async def says_what_it_is_for(subject: Subject) -> None:
    """In one line, the first of its docstring: `sidecar plugins info` shows it."""
    first, _, rest = inspect.cleandoc(subject.kind.__doc__ or "").partition("\n")
    _expect(first, f"{subject.kind.__name__} has no docstring of its own; say in one line what it is for")
    _expect(not rest.partition("\n")[0], "what its docstring says first is longer than a line")


async def is_a_class_that_the_sidecar_takes(subject: Subject) -> None:
    try:
        check_class(subject.kind.__name__, subject.kind)
    except Unusable as error:
        raise BrokenPromise(str(error)) from error


async def has_settings_that_a_schema_can_tell(subject: Subject) -> None:
    settings: Any = getattr(subject.kind, "Config", None)
    config = getattr(settings, "__struct_config__", None)
    _expect(config and config.forbid_unknown_fields, "its Config takes settings that it does not know")
    _expect(config and config.frozen, "its Config can be changed")
    msgspec.json.encode(schema({"plugin": settings}))


async def is_made_of_its_settings_alone(subject: Subject) -> None:
    """`sidecar check` makes plugins without serving: with no event loop, so with no task and no connection."""
    try:
        await asyncio.to_thread(subject.made)
    except InvalidConfiguration as error:
        raise BrokenPromise(str(error)) from error
    except Exception as error:
        raise BrokenPromise(f"its constructor raised {type(error).__name__}: {error}") from error


async def starts_before_the_one_that_it_replaces_stops(subject: Subject) -> None:
    """As on a reload; and when it has stopped, nothing of it goes on."""
    before = asyncio.all_tasks()
    async with AsyncExitStack() as later:
        async with subject.stage() as first:
            second = await later.enter_async_context(subject.stage())
            await _play(stream_of_words(), first)
        await _play(stream_of_words(), second)
    await _none_left(before)


async def serves_every_kind_of_call(subject: Subject) -> None:
    """All dialects, sockets, unknown calls, uploads and answers that stream, nonsense, errors, providers gone."""
    async with subject.stage() as bare, subject.stage(guarded=True) as guarded:
        for example in everything():
            await _play(example, bare)
            await _play(example, guarded)


async def holds_no_stream_up(subject: Subject) -> None:
    """The agent has the first chunk before the provider makes the second."""
    for example in (stream_of_words(), stream_of_audio()):
        agent = _Listening()

        async def chunks(example: Example = example, agent: _Listening = agent) -> AsyncIterator[bytes]:
            yield example.told[0]
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await agent.heard.wait()
            except TimeoutError:
                agent.waited = True
            for chunk in example.told[1:]:
                yield chunk

        said = answer(StreamedBody(chunks()), content_type=example.answer_type)
        async with subject.stage() as stage:
            await stage.play_to(agent, example.exchange(), said)
        _expect(not agent.waited, f"{example.name}: the agent heard nothing of it before the provider had said more")


async def lets_go_when_the_agent_leaves(subject: Subject) -> None:
    """While the provider thinks, and in the middle of its answer."""
    before = asyncio.all_tasks()
    for example in (stream_of_words(), stream_of_audio()):
        closed = asyncio.Event()

        async def endless(closed: asyncio.Event = closed) -> AsyncIterator[bytes]:
            try:
                while True:
                    yield b"data: {}\n\n"
                    await asyncio.sleep(0)
            finally:
                closed.set()

        async with subject.stage() as stage:
            await _leave_early(example, stage)
            said = answer(StreamedBody(endless()), content_type=example.answer_type)
            played = await stage.play(example.exchange(), said, leave_after=2)
            _expect(closed.is_set() or not played.sent, f"{example.name}: the provider talks on to nobody")
    await _none_left(before)


async def counts_what_prometheus_takes(subject: Subject) -> None:
    """Proper names, numbers, counters that never fall, and no more series for more calls of the same kinds."""
    rounds = []
    async with subject.stage() as stage:
        for _ in range(3):
            for example in everything():
                await _play(example, stage)
            rounds.append(_samples(stage))
    first, second, third = rounds
    for name, value in third.items():
        _expect(math.isfinite(value), f"{name} is {value}")
        counter = name.partition("{")[0].endswith("_total")
        _expect(not counter or value >= first.get(name, value), f"{name} fell from {first.get(name)} to {value}")
    _expect(not third.keys() - second.keys(), f"calls make series of their own: {sorted(third.keys() - second.keys())}")


async def tells_no_secret(subject: Subject) -> None:
    """Neither credentials nor content are in a verdict, a sample or a line of the log."""
    with _log() as lines:
        async with subject.stage() as stage:
            for example in everything():
                told = tell((await stage.play(example.exchange(), example.reply)).record)
                _says_nothing(f"{example.name}: its verdict", msgspec.json.encode(told.verdicts).decode())
            _says_nothing("its samples", " ".join(_samples(stage)))
    _says_nothing("its log", "\n".join(lines))


async def lives_beside_another_of_its_kind(subject: Subject) -> None:
    """A configuration may name one plugin twice, with two names."""
    async with subject.stage(plugins=2, guarded=True) as stage:
        for example in everything():
            await _play(example, stage)
        _samples(stage)


PROMISES: Final[Sequence[Promise]] = (
    says_what_it_is_for,
    is_a_class_that_the_sidecar_takes,
    has_settings_that_a_schema_can_tell,
    is_made_of_its_settings_alone,
    starts_before_the_one_that_it_replaces_stops,
    serves_every_kind_of_call,
    holds_no_stream_up,
    lets_go_when_the_agent_leaves,
    counts_what_prometheus_takes,
    tells_no_secret,
    lives_beside_another_of_its_kind,
)


class _Listening(AgentDouble):
    """An agent that says when it hears the first of an answer."""

    def __init__(self) -> None:
        super().__init__(None)
        self.heard = asyncio.Event()
        self.waited = False
        """Whether the provider waited for that in vain."""

    def write(self, *parts: bytes) -> None:
        super().write(*parts)
        if self.chunks:
            self.heard.set()


def _expect(kept: object, otherwise: str) -> None:
    if not kept:
        raise BrokenPromise(otherwise)


async def _play(example: Example, stage: Stage) -> None:
    """
    Raises:
        BrokenPromise: the plugin failed.
    """
    try:
        played = await stage.play(example.exchange(), example.reply)
    except Exception as error:
        raise BrokenPromise(f"{example.name}: it raised {type(error).__name__}: {error}") from error
    for fault in played.faults:
        raise BrokenPromise(f"{example.name}: {fault.hook} {fault.reason}")


async def _leave_early(example: Example, stage: Stage) -> None:
    """Call, and leave as soon as the provider has been asked."""
    asked = asyncio.Event()

    async def never(attempt: Attempt) -> Response:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    waiting = asyncio.create_task(asked.wait())
    playing = asyncio.create_task(stage.play(example.exchange(), never))
    try:
        await asyncio.wait((waiting, playing), timeout=_PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not asked.is_set():
            return  # the plugin answers by itself
        playing.cancel()
        await asyncio.wait((playing,), timeout=_PATIENCE_SECONDS)
        _expect(playing.cancelled(), f"{example.name}: it goes on when the agent leaves")
    finally:
        waiting.cancel()
        playing.cancel()


async def _none_left(before: set[asyncio.Task[Any]]) -> None:
    """
    Raises:
        BrokenPromise: there are tasks that were not there *before*.
    """
    if tasks := asyncio.all_tasks() - before:
        _, left = await asyncio.wait(tasks, timeout=_PATIENCE_SECONDS)
        names = ", ".join(sorted(str(getattr(task.get_coro(), "__qualname__", task)) for task in left))
        _expect(not left, f"when it has stopped, tasks of its go on: {names}")


def _samples(stage: Stage) -> dict[str, float]:
    try:
        return stage.samples()
    except (ValueError, TypeError) as error:
        raise BrokenPromise(str(error)) from error


def _says_nothing(where: str, text: str) -> None:
    for secret in (CREDENTIAL, SAID, ANSWERED):
        _expect(secret not in text, f"{where} has {secret!r} in it")


@contextmanager
def _log() -> Iterator[list[str]]:
    """All that is logged meanwhile, at every level, tracebacks included."""
    lines: list[str] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    root, kept = logging.getLogger(), Kept()
    level = root.level
    root.addHandler(kept)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.setLevel(level)
        root.removeHandler(kept)
