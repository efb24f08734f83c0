"""Faults on demand: what can be made to go wrong, when it is due, and the words for it.

A fault is written ``NAME`` or ``NAME:ARGUMENT``. Those marked * happen to the connection before the request is read;
a number in brackets is the argument's default.

======================  ===============================================================================
``slow`` [1]            the answer's first byte comes that many seconds later
``stall`` [part]        after that many bytes (or messages of a socket) nothing more comes; the connection stays open
``cut`` [part]          the connection is reset (RST) after that many bytes or messages
``close`` [part]        the connection is closed (FIN) there, without an end of the body or a close frame
``short`` [part]        the answer ends there as if that were all of it; a socket closes with 1000
``close-code`` [1011]   a socket is closed with that code after its first message
``rate``                429 for too many requests; the argument is the Retry-After in seconds, none: no such header
``concurrency``         429 for too many at the same time; the argument as above
``quota``               the money is used up, by whatever status the provider has for that
``overloaded``          503 (529, …)
``NNN``                 any status, with the provider's own body
``malformed-sse``       an event stream breaks off in the middle of an event's JSON, and goes on with the next
``malformed-head`` *    what comes is no HTTP
``silent`` *            accepted, and never answered
``reset`` *             reset instead of an answer
``early`` [413]         * refused with that status while the upload is still under way
``length-long``         a Content-Length greater than what comes; then the connection is closed
``length-short``        a Content-Length smaller than what comes
``close-after``         a whole answer that promises keep-alive, and then the connection is closed
``informational`` [103] an interim answer before the real one
``trailers``            a chunked answer that ends in trailers
======================  ===============================================================================

A part of a body, where no argument says how much, is its first chunk and half of the second, or half of a body that
comes as one; a part of a socket's talk is its first message.
"""

import random
from collections.abc import Callable

from msgspec import Struct

from sidecar.lab.journal import Received
from sidecar.lab.reply import Refusal, Trouble, trouble_of

Predicate = Callable[[Received], bool]

EARLY = frozenset(("malformed-head", "silent", "reset", "early"))
"""Those that happen before the request is read."""

_NUMBERED = {
    "slow": 1.0,
    "stall": None,
    "cut": None,
    "close": None,
    "short": None,
    "close-code": 1011.0,
    "early": 413.0,
    "rate": None,
    "concurrency": None,
    "informational": 103.0,
}
_PLAIN = frozenset(
    (
        "quota",
        "overloaded",
        "malformed-sse",
        "malformed-head",
        "silent",
        "reset",
        "length-long",
        "length-short",
        "close-after",
        "trailers",
    )
)

NAMES = (*_NUMBERED, *sorted(_PLAIN))

_REFUSALS = {
    "rate": Trouble.RATE,
    "concurrency": Trouble.CONCURRENCY,
    "quota": Trouble.QUOTA,
    "overloaded": Trouble.OVERLOADED,
}


class Fault(Struct, frozen=True):
    """What is to go wrong; see the table above."""

    name: str
    number: float | None = None

    @classmethod
    def parse(cls, text: str) -> "Fault":
        """Raises:
        ValueError: no fault is called so, or it takes no such argument.
        """
        name, colon, argument = text.strip().partition(":")
        if name.isdecimal() and len(name) == 3 and not colon:
            return cls(name)
        if name not in _NUMBERED and name not in _PLAIN:
            raise ValueError(f"no fault is called {name!r}; there are {', '.join(NAMES)}, and statuses")
        if not colon:
            return cls(name, _NUMBERED.get(name))
        if name in _PLAIN:
            raise ValueError(f"{name} takes no argument")
        try:
            return cls(name, float(argument))
        except ValueError:
            raise ValueError(f"the argument of {name} must be a number, not {argument!r}") from None

    def refusal(self) -> Refusal | None:
        """The refusal that it stands for, if it stands for one."""
        if (trouble := _REFUSALS.get(self.name)) is not None:
            return Refusal(trouble, retry_after_seconds=self.number)
        if self.name.isdecimal():
            status = int(self.name)
            return Refusal(trouble_of(status), status=status)
        if self.name == "early":
            status = int(self.number or 413)
            return Refusal(trouble_of(status), status=status)
        return None

    @property
    def size(self) -> int | None:
        """The argument as a count of bytes or messages."""
        return None if self.number is None else int(self.number)

    def __str__(self) -> str:
        return self.name if self.number is None else f"{self.name}:{self.number:g}"


def fault(spec: Fault | str) -> Fault:
    return spec if isinstance(spec, Fault) else Fault.parse(spec)


class FaultPlan:
    """Which requests to one provider are to fail: those that say so, the next ones, those like this, or some."""

    def __init__(self, random_source: random.Random) -> None:
        self._random = random_source
        self._next: list[Fault] = []
        self._conditions: list[tuple[Predicate, Fault]] = []
        self._rates: list[tuple[float, Fault]] = []

    def fail_next(self, spec: Fault | str, n: int = 1) -> None:
        """The next *n* requests."""
        self._next += [fault(spec)] * n

    def fail_if(self, predicate: Predicate, spec: Fault | str) -> None:
        """Every request of which *predicate* is true. It sees the body too, unless the fault happens before that."""
        self._conditions.append((predicate, fault(spec)))

    def fail_rate(self, spec: Fault | str, probability: float) -> None:
        """Each request with that probability."""
        if not 0 <= probability <= 1:
            raise ValueError(f"a probability lies between 0 and 1, not at {probability}")
        self._rates.append((probability, fault(spec)))

    def clear_faults(self) -> None:
        self._next.clear()
        self._conditions.clear()
        self._rates.clear()

    def at_head(self, received: Received) -> Fault | None:
        """The fault to be done to a request of which only the head is there."""
        if (asked := received.header("x-lab-fault")) is not None:
            return Fault.parse(asked)
        if self._next:
            return self._next.pop(0)
        for probability, spec in self._rates:
            if self._random.random() < probability:
                return spec
        return self._by_condition(received, early=True)

    def at_body(self, received: Received) -> Fault | None:
        """The fault to be done to a whole request that got none at its head."""
        return self._by_condition(received, early=False)

    def _by_condition(self, received: Received, *, early: bool) -> Fault | None:
        return next(
            (spec for predicate, spec in self._conditions if (spec.name in EARLY) == early and predicate(received)),
            None,
        )
