"""The command as a process of its own, or called in this one."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import Result

FREE_PORTS = ("listen.address=127.0.0.1:0", "admin.address=127.0.0.1:0", "probes.address=127.0.0.1:0")
PATIENCE_SECONDS = 30

Invoke = Callable[..., Result]


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SIDECAR_", "OTEL_"))}
    return {**kept, **variables}


@contextlib.asynccontextmanager
async def started(*arguments: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
    """Run the command as a process, at most as long as the test needs it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sidecar", *arguments, env=environment(env or {}), stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def ended(*arguments: str, env: Mapping[str, str] | None = None) -> Ended:
    """Run the command as a process to its end."""
    async with started(*arguments, env=env) as process, asyncio.timeout(PATIENCE_SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


class Serving:
    """`sidecar run` as a process, ready. ``ready`` is the line that it logged about that."""

    def __init__(self, process: Process, ready: dict[str, Any]) -> None:
        self.process = process
        self.ready = ready
        self.proxy, self.admin, self.probes = (
            f"http://{ready['addresses'][name]}" for name in ("proxy", "admin", "probes")
        )

    async def logged(self, part: str) -> dict[str, Any]:
        """The next line whose message has *part* in it."""
        return await _logged(self.process, part)

    async def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.process.communicate()
            return await self.process.wait()


async def _logged(process: Process, part: str) -> dict[str, Any]:
    assert process.stderr is not None
    seen = b""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while line := await process.stderr.readline():
            seen += line
            if line.startswith(b"{") and part in (told := json.loads(line))["message"]:
                return dict(told)
    raise AssertionError(f"never said {part!r}: {seen.decode()}")


@contextlib.asynccontextmanager
async def serving(
    directory: Path,
    *overrides: str,
    arguments: tuple[str, ...] = (),
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[Serving]:
    """Run a sidecar on free ports, with its CA in *directory* and without plugins, unless *overrides* say otherwise."""
    fixed = (*FREE_PORTS, f"tls.directory={directory}", "plugins=[]")
    options = [option for override in (*fixed, *overrides) for option in ("--set", override)]
    async with started("run", *options, *arguments, env=env) as process:
        yield Serving(process, await _logged(process, "ready"))
