"""An agent's process, as the test that drives it sees it.

One line of JSON each way: the call's name and the URL to use go in, what the agent made of the answer comes out.
"""

import asyncio
import base64
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.scenarios.sdk.material import Samples

ROOT = Path(__file__).parents[3]
_START_SECONDS, _CALL_SECONDS = 60.0, 20.0
_MAX_LINE_BYTES = 16 * 1024 * 1024


class Outcome(msgspec.Struct, kw_only=True):
    """What came of a call: a ``text``, a ``sound``, ``samples``, or an ``error`` (its class) with ``status`` and words.

    ``naps``: the pauses that the SDK made before further tries, in seconds; they were skipped. ``alone``: the hosts
    that the agent went for by itself, in vain.
    """

    text: str | None = None
    sound: str | None = None
    samples: str | None = None
    rate: int = 0
    codec: str = ""
    error: str | None = None
    status: int | None = None
    words: str = ""
    naps: list[float] = []
    alone: list[str] = []

    @property
    def heard(self) -> bytes | Samples:
        """The audio in it."""
        if self.samples is not None:
            return Samples(base64.b64decode(self.samples), self.rate, self.codec)
        return base64.b64decode(self.sound or "")


def clean_environment(**variables: str) -> dict[str, str]:
    """Nothing but *variables* and what a process cannot do without: build machines export CAs and proxies."""
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"} | variables


class Agent:
    """``missing``: why there is no such agent here, if its SDK is not installed. Made by `start`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self.missing: str | None = None
        self._process = process
        self._ready = False
        self._readiness = asyncio.Lock()

    @classmethod
    async def start(cls, name: str, directory: Path, environment: Mapping[str, str]) -> Self:
        """Start an agent with its home in *directory*. It is not awaited: the first call does that."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.scenarios.sdk.agent", name, str(directory)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_MAX_LINE_BYTES,
            cwd=ROOT,
            env={**environment, "HOME": str(directory)},
        )
        return cls(name, process)

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def ready(self) -> None:
        async with self._readiness:
            if not self._ready:
                self.missing = (await self._line(_START_SECONDS)).get("missing")
                self._ready = True

    async def call(self, name: str, url: str | None, *, impatient: bool = False) -> Outcome:
        """Have the agent make a call. *impatient*: pauses between tries are skipped."""
        await self.ready()
        self.send(name, url, impatient=impatient)
        return msgspec.convert(await self._line(_CALL_SECONDS), Outcome)

    def send(self, name: str, url: str | None, *, impatient: bool = False) -> None:
        """Have the agent make a call of which nothing is awaited."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"call": name, "url": url, "impatient": impatient}).encode() + b"\n")

    async def _line(self, timeout_seconds: float) -> dict[str, Any]:
        process = self._process
        assert process.stdout is not None
        assert process.stderr is not None
        line = b""
        try:
            async with asyncio.timeout(timeout_seconds):
                line = await process.stdout.readline()
        except TimeoutError:
            process.kill()
        if not line:
            said = (await process.stderr.read()).decode(errors="replace")
            await process.wait()
            raise AssertionError(f"the agent {self.name} hung or died (exit {process.returncode}): {said[-2000:]}")
        return dict(json.loads(line))

    async def kill(self) -> None:
        """End the process at once, as the kernel would."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()
