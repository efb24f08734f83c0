"""A plugin held to all that is expected of one. The sidecar's own plugins are; anybody may hold theirs."""

from collections.abc import Mapping

from sidecar.exchange import Request
from sidecar.testing.calls import everything
from sidecar.testing.promises import PROMISES, BrokenPromise, Promise, Subject
from sidecar.testing.stage import Played, Stage


async def contract(plugin: type, config: str = "", environ: Mapping[str, str] | None = None) -> None:
    """Hold *plugin*, made of *config*, to everything that the sidecar expects of one: `sidecar.testing.promises`.

    Args:
        config: the YAML that a user writes under ``config:``.
        environ: what references in it refer to.

    Raises:
        BrokenPromise: ``str()`` has all that it does not keep.
    """
    subject = Subject(plugin, config, environ or {})
    broken: list[str] = []
    causes: list[Exception] = []
    for promise in PROMISES:
        try:
            await promise(subject)
        except Exception as error:
            told = str(error) if isinstance(error, BrokenPromise) else f"it raised {type(error).__name__}: {error}"
            broken.append(f"  {words(promise)}: {told}")
            causes.append(error)
    if broken:
        head = f"{plugin.__name__} keeps {len(PROMISES) - len(broken)} of {len(PROMISES)} promises, and not:"
        raise BrokenPromise("\n".join((head, *broken))) from causes[0]


async def untouched(plugin: type, config: str = "", environ: Mapping[str, str] | None = None) -> None:
    """Hold *plugin* to leaving alone what it sees for the first time: for one that only watches, or remembers.

    Raises:
        BrokenPromise: a request or an answer is not what it was, byte for byte.
    """
    subject = Subject(plugin, config, environ or {})
    async with Stage() as nothing:
        for example in everything():
            plain = _seen(await nothing.play(example.exchange(), example.reply))
            async with subject.stage() as stage:
                played = _seen(await stage.play(example.exchange(), example.reply))
            for what, before in plain.items():
                if played[what] != before:
                    raise BrokenPromise(f"{example.name}: {what} is {played[what]!r:.200}, where {before!r:.200} was")


def words(promise: Promise) -> str:
    """A promise by its name."""
    return str(getattr(promise, "__name__", promise)).replace("_", " ")


def _seen(played: Played) -> dict[str, object]:
    """All that provider and agent see of a call."""
    return {
        "what providers are sent": tuple(map(_wire, played.sent)),
        "the status": played.record.status,
        "the answer's header": played.headers.fields,
        "the answer's body": played.chunks,
        "the outcome": played.outcome,
    }


def _wire(request: Request) -> tuple[object, ...]:
    return request.method, request.target, request.headers.fields, request.body.data
