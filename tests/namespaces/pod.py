"""A pod: a network namespace of its own, joined to ours by one cable. What runs in it runs as in a container."""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/k8s/image/redirect.nft"
SIDECAR_UID, AGENT_UID = 64443, 2000
#: By what clients trust the pod's CA, {} being the directory that it is published in.
TRUST = {
    "SSL_CERT_FILE": "{}/bundle.crt",
    "REQUESTS_CA_BUNDLE": "{}/bundle.crt",
    "CURL_CA_BUNDLE": "{}/bundle.crt",
    "NODE_EXTRA_CA_CERTS": "{}/ca.crt",
    "JAVA_TOOL_OPTIONS": "-Djavax.net.ssl.trustStore={}/trust.p12",
}
PATIENCE_SECONDS = 30.0
_NETWORKS = 250


def missing() -> str:
    """What keeps us from making pods here; "" for nothing."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    absent = [program for program in ("ip", "nft", "setpriv", "curl") if shutil.which(program) is None]
    return f"there is no {', '.join(absent)}" if absent else ""


@cache
def forbidden() -> str:
    """What of the kernel's is closed to us, as in containers without privileges; "" for nothing."""
    tried = subprocess.run(
        ("unshare", "--net", "nft", "add", "table", "inet", "probe"), capture_output=True, text=True, check=False
    )
    return "" if tried.returncode == 0 else f"this machine allows no rules in namespaces: {tried.stderr.strip()[:200]}"


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Pod:
    """``outside`` and ``outside6`` are our ends of the cable: servers of tests listen there."""

    def __init__(self, directory: Path) -> None:
        number, self.files = _claimed()
        self.name, self.cable = self.files.name, f"sc{number}"
        self.inside, self.outside = f"10.217.{number}.2", f"10.217.{number}.1"
        self.inside6, self.outside6 = f"fd00:217:{number:x}::2", f"fd00:217:{number:x}::1"
        self._further = 2
        self.directory = directory
        self.trust = directory / "trust"

    async def make(self) -> None:
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

    async def another_outside(self) -> str:
        """One more of our ends of the cable: for a server beside others at the same port."""
        self._further += 1
        address = self.outside.removesuffix(".1") + f".{self._further}"
        await done("ip", "address", "add", f"{address}/24", "dev", self.cable)
        return address

    async def done(self, *command: str) -> str:
        """What *command* prints, run by root in the pod."""
        return await done("ip", "netns", "exec", self.name, *command)

    async def redirect(self, ports: str = "{ 443 }", *, users: str = str(SIDECAR_UID)) -> None:
        """*users*: whose connections go out as they are."""
        await self.rules(RULES, UID=users, PORTS=ports, PROXY="15001")

    async def rules(self, file: Path, **variables: str) -> None:
        given = [part for name, value in variables.items() for part in ("-D", f"{name}={value}")]
        await self.done("nft", *given, "-f", str(file))

    def _as(self, uid: int, *command: str) -> Sequence[str]:
        # a checkout may lie where only root may read: that much of root stays with our own interpreter
        reading = ("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")
        kept = reading if command[0] == sys.executable else ("--inh-caps=-all",)
        user = ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *kept)
        return ("ip", "netns", "exec", self.name, *user, *command)

    async def agent(self, *command: str, uid: int = AGENT_UID, env: Mapping[str, str] | None = None) -> Ended:
        """How *command* ends, run as the agent is: by another user, and with nothing of our environment."""
        return await ended(*self._as(uid, *command), env=_clean(env))

    @contextlib.asynccontextmanager
    async def staying(
        self, *command: str, uid: int = AGENT_UID, env: Mapping[str, str] | None = None
    ) -> AsyncIterator[Process]:
        """*command* at work, run as the agent is, until the test lets go of it. `heard` has what it says."""
        process = await asyncio.create_subprocess_exec(
            *self._as(uid, *command), stdout=PIPE, stderr=PIPE, env=_clean(env)
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    def trusting(self, *variables: str) -> Mapping[str, str]:
        """What docs/kubernetes.md says of *variables*."""
        return {name: TRUST[name].format(self.trust) for name in variables}

    async def curl(self, url: str, *options: str, uid: int = AGENT_UID) -> Ended:
        """curl, trusting what the pod publishes; what it prints begins with the answer's head."""
        trusting = self.trusting("SSL_CERT_FILE")
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
            env=_clean(),
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
            print(said.decode())  # what pytest shows of a test that failed

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


def _claimed() -> tuple[int, Path]:
    """A network that no other pod of this machine has, be it of a test in another process, and its directory."""
    for attempt in range(_NETWORKS):
        number = (os.getpid() + attempt) % _NETWORKS + 1
        files = Path(f"/etc/netns/sidecar-{number}")
        with contextlib.suppress(FileExistsError):
            files.mkdir(parents=True)
            return number, files
    raise AssertionError("pods of tests that were killed are left: ip netns delete them, and /etc/netns/sidecar-*")


def _clean(env: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Nothing of our environment, which may name CAs and proxies, but where programs are."""
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})}


async def heard(process: Process) -> dict[str, Any]:
    """The next line that *process* says, which is JSON."""
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        line = await process.stdout.readline()
        assert line, (await process.stderr.read()).decode()
    said: dict[str, Any] = json.loads(line)
    return said


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
