"""Where the time of a call went, drawn with characters. No I/O."""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from sidecar.cli.quantities import seconds
from sidecar.journal import AttemptTold, CallTold

#: A look-up that took less was none: the name was known.
_LOOK_UP_SECONDS = 0.0005
_FULL, _LEFT, _RIGHT = "█", "▐", "▌"


class Phase(Struct, frozen=True):
    """A stretch of time; seconds since the call came in."""

    name: str
    start: float
    end: float
    broke: bool = False
    """Whether it ended because something went wrong."""

    @property
    def lasting(self) -> float:
        return self.end - self.start


def before(call: CallTold) -> Phase:
    """From the call's coming in to the first attempt, or to its end if there was none: time of our own."""
    end = call.attempts[0].started_seconds if call.attempts else call.duration_seconds
    return Phase("sidecar", 0.0, end)


def phases(attempt: AttemptTold, end: float) -> Sequence[Phase]:
    """The phases of *attempt*, as far as it got; *end* is that of the call, for an attempt that has none noted.

    ``connect``, or what it consists of, is left out for a connection that was open already; the answer of some attempts
    begins while the request is still going out, and then ``wait`` is empty.
    """
    finish = end if attempt.ended_seconds is None else attempt.ended_seconds
    marks = list(_connecting(attempt))
    marks.append(("send", attempt.requested_seconds))
    marks.append(("wait", attempt.first_byte_seconds))
    marks.append(("answer", attempt.ended_seconds if attempt.first_byte_seconds is not None else None))
    found: list[Phase] = []
    start, broke = attempt.started_seconds, attempt.error is not None
    for name, mark in marks:
        later = [at for _, at in marks[len(found) :] if at is not None]
        if not later:  # it did not get further than this
            found.append(Phase(name, start, max(finish, start), broke))
            return found
        stop = max(start, min(mark if mark is not None else later[0], finish))
        found.append(Phase(name, start, stop, broke and name == "answer"))
        start = stop
    return found


def _connecting(attempt: AttemptTold) -> Iterator[tuple[str, float | None]]:
    """The ends of what had to be done for a connection."""
    if attempt.connect_seconds is None:
        return
    connected = attempt.started_seconds + attempt.connect_seconds
    if not attempt.connect_seconds or attempt.tcp_seconds is None:
        yield "connect", connected if attempt.connect_seconds else None
        return
    secured = connected - (attempt.tls_seconds or 0.0)
    if (attempt.dns_seconds or 0.0) >= _LOOK_UP_SECONDS:
        yield "dns", secured - attempt.tcp_seconds
    yield "tcp", secured
    if attempt.tls_seconds is not None:
        yield "tls", connected


def drawn(rows: Sequence[Phase], total: float, width: int) -> Iterator[tuple[str, str, str, str]]:
    """Each phase as name, when it began, how long it took, and a bar on a scale of *total* seconds."""
    for phase in rows:
        mark = " ✗" if phase.broke else ""
        yield phase.name, f"+{seconds(phase.start)}", seconds(phase.lasting), bar(phase, total, width) + mark


def bar(phase: Phase, total: float, width: int) -> str:
    """A bar of *width* characters in all. What is too short to see is half a character wide."""
    halves = 2 * width
    scale = halves / total if total > 0 else 0.0
    start = min(round(phase.start * scale), halves - 1)
    end = max(min(round(phase.end * scale), halves), start + 1)
    cells = []
    for cell in range(width):
        left, right = start <= 2 * cell < end, start <= 2 * cell + 1 < end
        cells.append({(True, True): _FULL, (True, False): _RIGHT, (False, True): _LEFT}.get((left, right), " "))
    return "".join(cells).rstrip()
