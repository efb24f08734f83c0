"""Work done a slice at a time, so that whatever else goes on in this process has its turn in between.

A piece of work is a generator: each ``yield`` ends a slice, and what it returns is what came of it. A thread would be
no help: as long as it runs Python it holds up the event loop all the same.
"""

import asyncio
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")

Slices = Generator[None, None, T]


def whole(work: Slices[T]) -> T:
    """All of it at once.

    Raises:
        Exception: whatever the work raises.
    """
    while True:
        try:
            next(work)
        except StopIteration as end:
            came: T = end.value
            return came


def in_turns(loop: asyncio.AbstractEventLoop, work: Slices[None]) -> None:
    """The first slice now, each further one when all that waited by then has had its turn."""
    try:
        next(work)
    except StopIteration:
        return
    loop.call_soon(in_turns, loop, work)
