"""One agent with one SDK, as a process of its own: makes the calls it is told to and says what came of them.

    python -m tests.scenarios.sdk.agent MODULE DIRECTORY

MODULE is one of `tests.scenarios.sdk.agents`, DIRECTORY has the recording. Each line on standard input is a call to
make, each line on standard output what came of it; see `tests.scenarios.sdk.process`.
"""

import asyncio
import base64
import importlib
import inspect
import ipaddress
import json
import os
import socket
import sys
import time
from typing import Any

from tests.scenarios.sdk.material import Made, Samples

# aiohttp would ask name servers by itself if this were there: it is the sidecar's, and no agent has it
sys.modules["aiodns"] = None  # type: ignore[assignment]

#: Pauses of this length are an SDK's waiting for its next try, which nobody needs to sit out.
_PAUSE_SECONDS = (0.05, 30.0)


class Naps:
    """Has pauses skipped while a call asks for that, and remembers how long they were to be."""

    def __init__(self) -> None:
        self.skipping = False
        self.seconds: list[float] = []
        self._sleep, self._sleep_async = time.sleep, asyncio.sleep
        vars(time)["sleep"], vars(asyncio)["sleep"] = self.sleep, self.sleep_async

    def _skips(self, seconds: float) -> bool:
        shortest, longest = _PAUSE_SECONDS
        skipped = self.skipping and shortest <= seconds <= longest
        if skipped:
            self.seconds.append(seconds)
        return skipped

    def sleep(self, seconds: float) -> None:
        if not self._skips(seconds):
            self._sleep(seconds)

    async def sleep_async(self, delay: float, result: Any = None) -> Any:
        return await self._sleep_async(0 if self._skips(delay) else delay, result)


class Home:
    """Keeps the process on loopback: everything else cannot be reached, at once and on every machine.

    ``missed``: the hosts that it was kept from.
    """

    def __init__(self) -> None:
        self.missed: list[str] = []
        sys.addaudithook(self._stay)

    def _stay(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            host = arguments[0]
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            host = arguments[1][0]
        else:
            return
        host = host.decode() if isinstance(host, bytes) else host
        if host is None or host == "localhost" or _is_loopback(host):
            return
        self.missed.append(host)
        raise socket.gaierror(socket.EAI_NONAME, f"the agent went for {host} by itself")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def told(made: Made) -> dict[str, Any]:
    if isinstance(made, str):
        return {"text": made}
    if isinstance(made, Samples):
        data = base64.b64encode(made.data).decode()
        return {"samples": data, "rate": made.rate, "codec": made.codec}
    return {"sound": base64.b64encode(made).decode()}


def lamented(error: BaseException) -> dict[str, Any]:
    """An error as the agent sees it: its class by its full name, the status in it, its words."""
    kind = type(error)
    status = getattr(error, "status_code", None) or getattr(error, "code", None)
    return {
        "error": f"{kind.__module__}.{kind.__qualname__}",
        "status": status if isinstance(status, int) else None,
        "words": str(error),
    }


def main() -> None:
    saying = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what SDKs print is no answer

    def say(**what: Any) -> None:
        saying.write(json.dumps(what) + "\n")
        saying.flush()

    naps, home = Naps(), Home()
    try:
        calls = importlib.import_module(f"tests.scenarios.sdk.agents.{sys.argv[1]}")
    except ImportError as error:
        say(missing=str(error))
        return
    say(ready=True)
    with asyncio.Runner() as runner:
        for line in sys.stdin:
            wanted = json.loads(line)
            naps.skipping, naps.seconds, home.missed = wanted["impatient"], [], []
            try:
                made = getattr(calls, wanted["call"])(wanted["url"])
                outcome = told(runner.run(made) if inspect.iscoroutine(made) else made)
            except Exception as error:
                outcome = lamented(error)
            say(**outcome, naps=naps.seconds, alone=list(dict.fromkeys(home.missed)))


if __name__ == "__main__":
    main()
