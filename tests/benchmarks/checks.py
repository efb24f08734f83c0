"""Before anything is measured: that all contestants answer the same calls with the same bytes."""

import http.client
from collections.abc import Callable

from tests.benchmarks import calls
from tests.benchmarks.calls import Template
from tests.benchmarks.processes import Unfit
from tests.benchmarks.rig import Rig

_CALLS: tuple[tuple[str, str, Callable[[str], Template]], ...] = (
    ("small", "chat", lambda prefix: calls.chat(prefix)),
    ("media", "speech", lambda prefix: calls.speech(prefix)),
    ("media", "transcription", lambda prefix: calls.transcription(prefix)),
    ("media", "stream", lambda prefix: calls.stream(prefix, chunks=3, gap_ms=1)),
)
#: Events say when they were sent, so only the number of their bytes can be compared.
_VARYING = "stream"


def check(rig: Rig) -> None:
    """
    Raises:
        Unfit: a contestant answers something else than the provider does.
    """
    for origin, what, make in _CALLS:
        for suffix in ("", "-tls"):
            expected = None
            for contestant in rig.contestants:
                if contestant.command is None and suffix:
                    continue
                rig.only(contestant.name)
                port, prefix = rig.address(contestant.name, origin + suffix)
                status, body = _call(port, make(prefix).render(1))
                told = str(len(body)).encode() if what == _VARYING else body
                expected = expected or told
                if status != 200 or told != expected:
                    raise Unfit(
                        f"{contestant.label}, {what} by {origin}{suffix}: answered {status} with {len(body)} bytes "
                        f"that differ from the provider's: {body[:200]!r}"
                    )


def _call(port: int, request: bytes) -> tuple[int, bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    method, target, _ = line.split(" ")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, target, body, dict(field.split(": ", 1) for field in fields))
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        return 0, f"{type(error).__name__}: {error}".encode()
    finally:
        connection.close()
