"""What can be told of a recording without decoding it."""

from msgspec import Struct


class Sound(Struct, frozen=True, gc=False):
    """``container`` in the words of `sidecar.Speech.format`; "" for bytes of which nothing is known."""

    container: str = ""
    flaw: str = ""
    """Why it is broken or not all there; "" if nothing shows that."""
    seconds: float | None = None
    """How long it plays; None where that is not known. What plays for no time at all is broken."""


def broken(container: str, flaw: str) -> Sound:
    return Sound(container, flaw)


def playing(container: str, seconds: float | None) -> Sound:
    """A whole recording, unless there is nothing in it."""
    return Sound(container, "there is no sound in it" if seconds is not None and seconds <= 0 else "", seconds)
