"""A pod: a network namespace of its own, joined to ours by one cable. What runs in it runs as in a container."""

import asyncio
import contextlib
import itertools
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/k8s/image/redirect.nft"
SIDECAR_UID, AGENT_UID = 64443, 2000
PATIENCE_SECONDS = 30.0
_NUMBERS = itertools.count(1)


def missing() -> str:
    """What keeps us from making pods here; "" for nothing."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    absent = [program for program in ("ip", "nft", "setpriv", "curl") if shutil.which(program) is None]
    return f"there is no {', '.join(absent)}" if absent else ""


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Pod:
    """``outside`` and ``outside6`` are our ends of the cable: servers of tests listen there."""

    def __init__(self, directory: Path) -> None:
        number = next(_NUMBERS)
        self.name = f"sidecar-{os.getpid()}-{number}"
        self.cable = f"sc{os.getpid() % 100_000}x{number}"
        third = (os.getpid() * 7 + number) % 250 + 1
        self.inside, self.outside = f"10.217.{third}.2", f"10.217.{third}.1"
        self.inside6, self.outside6 = f"fd00:217:{third:x}::2", f"fd00:217:{third:x}::1"
        self.directory = directory
        self.trust = directory / "trust"
        self.files = Path("/etc/netns") / self.name

    async def make(self) -> None:
        self.files.mkdir(parents=True)
        (self.files / "hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
        (self.files / "resolv.conf").write_text(f"nameserver {self.outside}\n")
        for directory in (self.directory, self.trust, self.directory / "keys"):
            directory.mkdir(exist_ok=True)
            directory.chmod(0o755)
        for directory in (self.trust, self.directory / "keys"):
            os.chown(directory, SIDECAR_UID, SIDECAR_UID)
        await done("ip", "netns", "add", self.name)
        await done("ip", "link", "add", self.cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        for address in (f"{self.outside}/24", f"{self.outside6}/64"):
            await done("ip", "address", "add", address, "dev", self.cable, *_at_once(address))
        await done("ip", "link", "set", self.cable, "up")
        for link in ("lo", "eth0"):
            await self.done("ip", "link", "set", link, "up")
        for address in (f"{self.inside}/24", f"{self.inside6}/64"):
            await self.done("ip", "address", "add", address, "dev", "eth0", *_at_once(address))
        await self.done("ip", "route", "add", "default", "via", self.outside)
        await self.done("ip", "-6", "route", "add", "default", "via", self.outside6)

    async def unmake(self) -> None:
        await ended("ip", "netns", "delete", self.name)
        await ended("ip", "link", "delete", self.cable)
        shutil.rmtree(self.files, ignore_errors=True)

    def hosts(self, *lines: str) -> None:
        """Add *lines* to the pod's hosts file."""
        with (self.files / "hosts").open("a") as file:
            file.writelines(f"{line}\n" for line in lines)

    async def done(self, *command: str) -> str:
        """What *command* prints, run by root in the pod."""
        return await done("ip", "netns", "exec", self.name, *command)

    async def redirect(self, ports: str = "{ 443 }") -> None:
        variables = ("-D", f"UID={SIDECAR_UID}", "-D", f"PORTS={ports}", "-D", "PROXY=15001")
        await self.done("nft", *variables, "-f", str(RULES))

    def _as(self, uid: int, *command: str) -> Sequence[str]:
        # a checkout may lie where only root may read: that much of root stays with our own interpreter
        reading = ("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")
        kept = reading if command[0] == sys.executable else ("--inh-caps=-all",)
        user = ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *kept)
        return ("ip", "netns", "exec", self.name, *user, *command)

    async def agent(self, *command: str, uid: int = AGENT_UID, env: Mapping[str, str] | None = None) -> Ended:
        """How *command* ends, run as the agent is: by another user, and with nothing of our environment."""
        clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})}
        return await ended(*self._as(uid, *command), env=clean)

    async def curl(self, url: str, *options: str, uid: int = AGENT_UID) -> Ended:
        """curl, trusting what the pod publishes; what it prints begins with the answer's head."""
        trusting = {"SSL_CERT_FILE": str(self.trust / "bundle.crt")}
        return await self.agent("curl", "-sSi", "--max-time", "10", *options, url, uid=uid, env=trusting)

    @contextlib.asynccontextmanager
    async def sidecar(self, *settings: str) -> AsyncIterator[Process]:
        """`sidecar run` in the pod, ready."""
        fixed = (
            f"tls.directory={self.directory / 'keys'}",
            f"tls.trust_directory={self.trust}",
            "shutdown.grace=1s",
            "plugins=[]",
        )
        options = [part for setting in (*fixed, *settings) for part in ("--set", setting)]
        process = await asyncio.create_subprocess_exec(
            *self._as(SIDECAR_UID, sys.executable, "-m", "sidecar", "run", *options),
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            stdout=PIPE,
            stderr=PIPE,
        )
        try:
            await self._ready(process)
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            _, said = await process.communicate()
            (self.directory / "sidecar.log").write_bytes(said)

    async def _ready(self, process: Process) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if process.returncode is not None:
                _, said = await process.communicate()
                raise AssertionError(said.decode())
            try:
                await asyncio.to_thread(urllib.request.urlopen, f"http://{self.inside}:15089/readyz", timeout=1)
            except (urllib.error.URLError, OSError):
                await asyncio.sleep(0.01)
            else:
                return
        raise AssertionError("the sidecar is not ready")

    async def metrics(self) -> str:
        page = await asyncio.to_thread(urllib.request.urlopen, f"http://{self.inside}:15089/metrics", timeout=5)
        text: str = page.read().decode()
        return text


@contextlib.asynccontextmanager
async def a_pod(directory: Path) -> AsyncIterator[Pod]:
    pod = Pod(directory)
    try:
        await pod.make()
        yield pod
    finally:
        await pod.unmake()


def _at_once(address: str) -> Sequence[str]:
    """IPv6 looks for others with the same address first, for a second."""
    return ("nodad",) if ":" in address else ()


async def ended(*command: str, env: Mapping[str, str] | None = None) -> Ended:
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=env)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ended(process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace"))


async def done(*command: str) -> str:
    """What *command* prints; it must do well."""
    result = await ended(*command)
    assert result.code == 0, f"{' '.join(command)}: {result.err}"
    return result.out
