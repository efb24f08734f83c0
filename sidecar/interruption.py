"""How a stream of events that broke off tells so in its own terms. No I/O.

A connection that ends without its end is an error for every client, but says nothing of why. An event does; after it
the connection still ends like that, for clients that do not know such events.
"""

from typing import Final

from sidecar.dialect import Call, Dialect
from sidecar.failure import Failure
from sidecar.phrasing import phrase_failure

#: Dialects and endpoints whose clients go by the name of an event.
_NAMED: Final = frozenset((("anthropic", None), ("cartesia", None), ("openai", "responses")))


def interruption(dialect: Dialect, call: Call, failure: Failure) -> bytes:
    """The event of a stream in *dialect* that tells of *failure*. It may follow only where an event has ended."""
    body = phrase_failure(dialect, failure).body.replace(b"\r", b" ").replace(b"\n", b" ")
    named = (dialect.name, None) in _NAMED or (dialect.name, call.endpoint) in _NAMED
    return b"%bdata: %b\n\n" % (b"event: error\n" if named else b"", body)
