"""Layers nested round a handler. Composed once, when a configuration is taken into service; per call nothing but plain
async calls remains.
"""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from sidecar.exchange import Response

T = TypeVar("T")

Handler = Callable[[T], Awaitable[Response]]
Layer = Callable[[T, Handler[T]], Awaitable[Response]]
Wrap = Callable[[Layer[T], Handler[T]], Handler[T]]


def compose(layers: Iterable[tuple[Layer[T], Wrap[T]]], innermost: Handler[T]) -> Handler[T]:
    """Nest *layers* round *innermost*; the first of them ends up outermost.

    Each layer comes with the function that stands guard over it: given the layer and the handler inside it, it
    returns the handler that others see.
    """
    handler = innermost
    for layer, wrap in reversed(list(layers)):
        handler = wrap(layer, handler)
    return handler


def waiting(call_next: Handler[T]) -> AbstractContextManager[None]:
    """``with waiting(call_next): await …``: what a layer awaits there is not its own time, as in *call_next* itself.

    For waiting for what another call of the same layer is doing, say.
    """
    return call_next if isinstance(call_next, AbstractContextManager) else nullcontext()


def bare(layer: Layer[T], inner: Handler[T]) -> Handler[T]:
    """A layer without a guard, for tests."""

    async def handle(subject: T) -> Response:
        return await layer(subject, inner)

    return handle
