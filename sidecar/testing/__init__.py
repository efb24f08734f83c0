"""A kit for those who write plugins: a call, a provider that says what the test tells it to, and what came of it.

::

    played = await play(Shout(ShoutConfig()), call("openai", "/v1/audio/speech", {"input": "hello"}), answer(b"..."))
    assert played.body == b"..."
    assert played.sent[0].body.data == b'{"input":"HELLO"}'

No sockets and no process: the layers are composed, and the answer is delivered, by the sidecar's own code, but to an
agent and from a provider that are the test's. What a layer raises reaches the test; with ``guarded=True`` the sidecar's
guard stands over the layers, as it does in service, and the agent gets what it would get.

``await contract(Shout)`` holds a plugin to what is expected of every one.
"""

from sidecar.configuration import InvalidConfiguration
from sidecar.testing.contract import contract, untouched
from sidecar.testing.making import answer, call, configured, provider, socket_answer, streamed
from sidecar.testing.promises import BrokenPromise
from sidecar.testing.provider import Scripted
from sidecar.testing.stage import Played, Stage, play

__all__ = [
    "BrokenPromise",
    "InvalidConfiguration",
    "Played",
    "Scripted",
    "Stage",
    "answer",
    "call",
    "configured",
    "contract",
    "play",
    "provider",
    "socket_answer",
    "streamed",
    "untouched",
]
