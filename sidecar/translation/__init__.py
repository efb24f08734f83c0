"""One dialect's call said in another: the request for a provider that speaks differently, and its answer in the shape
that the agent's SDK expects. No I/O.

Each operation has a package of its own here: a neutral form in the middle, and for every wire a module that reads and
writes it. What cannot be said is `Inexpressible`, with the reason, before anything is sent.
"""

from importlib import import_module
from typing import Final

from sidecar.dialect import Operation
from sidecar.exchange import Exchange
from sidecar.translation.contract import Inexpressible, Target, Translated, Untranslatable
from sidecar.translation.sockets import socket_elsewhere

__all__ = ["Inexpressible", "Target", "Translated", "Untranslatable", "translate"]

_PACKAGES: Final = {Operation.CHAT: "chat", Operation.TTS: "speech", Operation.STT: "transcription"}


def translate(exchange: Exchange, target: Target) -> Translated:
    """The call of *exchange* for *target*.

    Args:
        exchange: loaded, so that its request's body is in memory.

    Raises:
        Inexpressible: it cannot be said there.
    """
    if exchange.socket:
        return socket_elsewhere(exchange, target)
    package = _PACKAGES.get(exchange.operation)
    if package is None or exchange.call is None or exchange.provider.dialect is None:
        raise Inexpressible("call", "only calls that are known can be said in another dialect")
    translated: Translated = import_module(f"sidecar.translation.{package}").translate(exchange, target)
    return translated
