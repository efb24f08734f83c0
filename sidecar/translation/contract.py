"""What all translations share: whom they are for, what they give, and how they say that something cannot be said."""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from sidecar.dialect import Call, Dialect
from sidecar.exchange import Request, Response


class Inexpressible(Exception):
    """A request that cannot be said in another dialect. ``str()`` says why, without any of its content.

    ``feature`` is what the other side lacks in the words of `sidecar.payload` (voice, timestamps, tools, …) or the name
    of a field that only the agent's provider knows.
    """

    def __init__(self, feature: str, reason: str) -> None:
        super().__init__(f"{feature}: {reason}")
        self.feature = feature
        self.reason = reason


class Untranslatable(Exception):
    """An answer that cannot be given in the agent's dialect: it is none, or lacks what that must say."""


class Target(Struct, frozen=True, kw_only=True):
    """What a call is to become."""

    dialect: Dialect
    model: str | None = None
    """The model to ask for there; None for the same name, which only providers of the same family can have."""
    voice: str | None = None
    """The voice to speak with there; None for the same name, likewise."""
    may_lose: frozenset[str] = frozenset()
    """Features and fields that may be left out where they cannot be said (`Inexpressible.feature`)."""


class Translated(Struct, frozen=True, kw_only=True):
    """A call said in another dialect."""

    request: Request
    """Without any credential of the agent's: `sidecar.credentials` puts in the provider's own."""
    call: Call
    """What it is in that dialect."""
    answer: Callable[[Response], Awaitable[Response]]
    """Gives an answer of status 2xx in the agent's dialect: a stream while it flows, anything else once it is whole.

    It raises `Untranslatable` where that is not possible; a stream that turns out to be none raises
    `sidecar.errors.UpstreamBroken` when it is read. Closing what it gives closes what it was given.
    """
    lost: tuple[str, ...] = ()
    """What was left out: by leave of `Target.may_lose`, or because it makes no difference to the answer."""
