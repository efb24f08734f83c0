"""Everything that a benchmark needs, running: providers, collector and contestants, one of them measured at a time."""

import contextlib
import http.client
import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from tests.benchmarks import certificates, nginx, wrk
from tests.benchmarks.agent import Route
from tests.benchmarks.calls import Template
from tests.benchmarks.contestants import DIRECT, Contestant, Surroundings
from tests.benchmarks.generator import Job, Outcome
from tests.benchmarks.machine import ROOT, Meter, Placement, python
from tests.benchmarks.processes import Child, Unfit, free_ports
from tests.benchmarks.rows import Row
from tests.benchmarks.wrk import Aim, Load

#: Providers run before the generator, which would else hold them up while it looks at the clock.
_PROVIDER_PRIORITY, _PRIORITY = 3, 2
#: More than one run of wrk makes.
_MOST_CALLS = 10_000_000
_WARM_UP_SECONDS = 0.15
_SPANS_SETTLED_SECONDS, _SPANS_SECONDS = 1.5, 8.0


class Rig:
    """Made by `running`. ``children`` has the contestants' processes by name."""

    def __init__(self, directory: Path, placement: Placement, taking_part: list[Contestant], realtime: bool) -> None:
        self.directory = directory
        self.contestants = taking_part
        self.children: dict[str, Child] = {}
        self.ports: dict[str, list[int]] = {}
        self.servers: dict[str, Child] = {}
        self.around: Surroundings
        self.cpus = placement
        self._realtime = realtime
        self._numbered = 0
        self._collector_port = 0
        self._scripts: dict[tuple[Template, str], Path] = {}

    # -- starting ----------------------------------------------------------------------------------------------------

    def start_servers(self, stack: contextlib.ExitStack, *, with_nginx: bool) -> None:
        small, small_tls, media, media_tls, self._collector_port = free_ports(5)
        ca_file, chain_file = certificates.write(self.directory)
        if not with_nginx:
            small, small_tls = media, media_tls
        self.around = Surroundings(
            origins={
                "small": f"http://127.0.0.1:{small}",
                "small-tls": f"https://127.0.0.1:{small_tls}",
                "media": f"http://127.0.0.1:{media}",
                "media-tls": f"https://127.0.0.1:{media_tls}",
            },
            ca_file=str(ca_file),
            chain_file=str(chain_file),
            traces_endpoint=f"http://127.0.0.1:{self._collector_port}/v1/traces",
        )
        commands = {
            "media": python("-m", "tests.benchmarks.provider", str(media), str(media_tls), str(chain_file)),
            "collector": python("-m", "tests.benchmarks.collector", str(self._collector_port)),
        }
        ports = {"media": media, "collector": self._collector_port, "small": small}
        if with_nginx:
            text = nginx.provider(small, small_tls, str(chain_file))
            commands["small"] = nginx.command(self.directory / "provider", text)
        for name, command in commands.items():
            log = self.directory / f"{name}.log"
            child = stack.enter_context(Child(f"the {name} server", command, self.cpus.others, log))
            self.servers[name] = child
            child.await_port(ports[name])

    def start(self, contestant: Contestant, ports: list[int] | None = None) -> tuple[Child, list[int]]:
        """A process of *contestant*, started just now; the caller ends it."""
        assert contestant.command is not None
        ports = ports or free_ports(contestant.ports)
        directory = self.directory / f"{contestant.name}-{ports[0]}"
        directory.mkdir()
        command = contestant.command(directory, ports, self.around)
        return Child(contestant.label, command, self.cpus.proxy, directory / "log"), ports

    def start_contestants(self, stack: contextlib.ExitStack) -> None:
        for contestant in self.contestants:
            if contestant.command is None:
                continue
            child, ports = self.start(contestant)
            stack.enter_context(child)
            child.await_port(ports[0])
            self.children[contestant.name], self.ports[contestant.name] = child, ports
            if contestant.probed:
                await_ready(child, ports[1])

    @contextlib.contextmanager
    def joined_by(self, contestant: Contestant, host: str = "127.0.0.1") -> Iterator[Child]:
        """Run *contestant*, which only a section needs and which listens on *host*, until the block is left."""
        child, ports = self.start(contestant)
        with child:
            self.children[contestant.name], self.ports[contestant.name] = child, ports
            try:
                if contestant.probed:
                    await_ready(child, ports[1], host=host)
                else:
                    child.await_port(ports[0], host=host)
                yield child
            finally:
                del self.children[contestant.name], self.ports[contestant.name]

    @property
    def has_nginx(self) -> bool:
        return "small" in self.servers

    # -- addressing --------------------------------------------------------------------------------------------------

    def address(self, contestant: str, origin: str) -> tuple[int, str]:
        """The port to which calls for *origin* go by way of *contestant*, and the prefix of their paths."""
        if contestant == DIRECT:
            return self.around.port(origin), ""
        return self.ports[contestant][0], f"/{origin}"

    def route(self, contestant: str, origin: str) -> Route:
        """The same for the generator."""
        port, _ = self.address(contestant, origin)
        return Route(port, ca_file=self.around.ca_file if contestant == DIRECT and origin.endswith("-tls") else "")

    def numbers(self, count: int) -> int:
        """The first of *count* numbers that no call has had yet."""
        first, self._numbered = self._numbered + 1, self._numbered + count
        return first

    # -- who runs ----------------------------------------------------------------------------------------------------

    def only(self, contestant: str) -> None:
        """Stop all contestants but *contestant*."""
        for name, child in self.children.items():
            if name != contestant:
                child.stop()
        if contestant in self.children:
            self.children[contestant].go_on()

    @contextlib.contextmanager
    def before_all_others(self, contestant: str) -> Iterator[None]:
        """Run *contestant* and the providers before all other processes of the machine, where that is permitted."""
        preferred = [(child, _PROVIDER_PRIORITY) for child in self.servers.values()]
        if contestant in self.children:
            preferred.append((self.children[contestant], _PRIORITY))
        if not self._realtime:
            preferred.clear()
        for child, priority in preferred:
            child.schedule(priority)
        try:
            yield
        finally:
            for child, _ in preferred:
                child.schedule(0)

    def prefer_caller(self) -> None:
        """The same for the process that calls, and what it becomes: an agent."""
        if self._realtime:
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PRIORITY))

    # -- load --------------------------------------------------------------------------------------------------------

    def script(self, template: Template, address: str = "127.0.0.1") -> Path:
        """A script for `load`."""
        script = self._scripts.get((template, address))
        if script is None:
            directory = self.directory / f"script{len(self._scripts)}"
            directory.mkdir()
            script = self._scripts[template, address] = wrk.script(template, directory, address)
        return script

    def warmed(self, aim: Aim, script: Path) -> Load:
        """A short load that is not measured."""
        return wrk.run(script, aim, _WARM_UP_SECONDS, self.numbers(_MOST_CALLS))

    def aimed(self, contestant: str, aim: Aim, script: Path, seconds: float) -> Row:
        """Load *aim*, which *contestant* serves, in a closed loop, and measure that one while it answers.

        Both run before all other processes: what is sought are differences of few microseconds.
        """
        self.only(contestant)
        self.warmed(aim, script)
        with self.before_all_others(contestant):
            window = Window(self, contestant)
            load = wrk.run(script, aim, seconds, self.numbers(_MOST_CALLS), self.prefer_caller)
            window.load_ended()
        return window.close() | _told(load)

    def load(self, contestant: Contestant, script: Path, origin: str, seconds: float) -> Row:
        """Load *contestant* in a closed loop, and measure it until it is at rest again."""
        self.only(contestant.name)
        port, _ = self.address(contestant.name, origin)
        tls = contestant.name == DIRECT and origin.endswith("-tls")
        aim = Aim(port, server_name="127.0.0.1" if tls else "")
        traced = self.spans()["calls"]
        warm_up = self.warmed(aim, script)
        self.settle(contestant, traced + warm_up.calls)
        asked, spans = self.asked(origin), self.spans()
        window = Window(self, contestant.name)
        load = wrk.run(script, aim, seconds, self.numbers(_MOST_CALLS))
        window.load_ended()
        self.settle(contestant, spans["calls"] + load.calls)
        row = window.close() | _told(load)
        row["asked_per_call"] = (self.asked(origin) - asked) / max(load.calls, 1)
        row["traced_per_call"] = (self.spans()["calls"] - spans["calls"]) / max(load.calls, 1)
        return row

    def generate(self, contestant: Contestant, job: Job, origin: str) -> tuple[Row, Outcome]:
        """The same with the generator, in whatever loop *job* says; its calls get numbers that no call had yet."""
        self.only(contestant.name)
        job = msgspec.structs.replace(job, numbered_from=self.numbers(_MOST_CALLS))
        asked, spans = self.asked(origin), self.spans()
        with self.before_all_others(contestant.name):
            window = Window(self, contestant.name)
            outcome = run_generator(job, _PRIORITY if self._realtime and job.kind in ("open", "arrive") else 0)
            window.load_ended()
        self.settle(contestant, spans["calls"] + outcome.calls)
        row = window.close() | {"calls": outcome.calls}
        row["asked_per_call"] = (self.asked(origin) - asked) / max(outcome.calls, 1)
        row["traced_per_call"] = (self.spans()["calls"] - spans["calls"]) / max(outcome.calls, 1)
        return row, outcome

    # -- what the servers have seen ----------------------------------------------------------------------------------

    def asked(self, origin: str) -> int:
        """How many requests the provider *origin* has had."""
        text = get(self.around.port(origin.removesuffix("-tls")), "/stats")
        if text.startswith("{"):
            return int(json.loads(text)["requests"])
        return int(re.findall(r"\d+", text)[3])  # accepts, handled, requests after the active ones

    def provider_stats(self) -> Mapping[str, int]:
        told: dict[str, int] = json.loads(get(self.around.port("media"), "/stats"))
        return told

    def spans(self) -> Mapping[str, int]:
        """What the collector has counted: requests, spans, calls."""
        told: dict[str, int] = json.loads(get(self._collector_port, "/stats"))
        return told

    def settle(self, contestant: Contestant, calls: int | None = None) -> None:
        """Wait until all traces are out: until there are so many *calls* in all, or no more come for a while."""
        if not contestant.traced:
            return
        deadline = time.monotonic() + _SPANS_SECONDS
        known, since = self.spans(), time.monotonic()
        while time.monotonic() < deadline and (calls is None or known["calls"] < calls):
            if time.monotonic() - since > _SPANS_SETTLED_SECONDS:
                return
            time.sleep(0.05)
            now = self.spans()
            if now != known:
                known, since = now, time.monotonic()

    def own_ns(self) -> int:
        """CPU time of all our processes that live."""
        return sum(child.cpu_ns() for child in (*self.servers.values(), *self.children.values()))


class Window:
    """A measurement of one contestant, from its making on."""

    def __init__(self, rig: Rig, contestant: str) -> None:
        self._rig = rig
        self._child = rig.children.get(contestant)
        self._meter = Meter(rig.own_ns())
        self._cpu_ns = self._cpu_now()
        self._began = time.monotonic()
        self._row: Row = {}

    def _cpu_now(self) -> int:
        return 0 if self._child is None else self._child.cpu_ns()

    def load_ended(self) -> None:
        wall_seconds = time.monotonic() - self._began
        cpu_ns = self._cpu_now() - self._cpu_ns
        foreign, stolen = self._meter.foreign_share(self._rig.own_ns())
        self._row = {
            "busy": cpu_ns / 1e9 / wall_seconds,
            "cpu_us_under_load": cpu_ns / 1000,
            "foreign": foreign,
            "stolen": stolen,
        }

    def close(self) -> Row:
        """``busy`` is the share of its CPU that the contestant used; ``cpu_us`` counts what it did after the load too:
        exporting is part of the call.
        """
        cpu_us = (self._cpu_now() - self._cpu_ns) / 1000
        memory_bytes = 0 if self._child is None else self._child.memory_bytes()
        return {**self._row, "cpu_us": cpu_us, "rss_bytes": memory_bytes}


def _told(load: Load) -> Row:
    return {"calls": load.calls, "seconds": load.seconds, "errors": load.errors, "bytes": load.received_bytes}


@contextlib.contextmanager
def running(
    directory: Path, placement: Placement, taking_part: list[Contestant], *, realtime: bool, with_nginx: bool
) -> Iterator[Rig]:
    """
    Raises:
        Unfit: something does not start.
    """
    os.sched_setaffinity(0, placement.others)
    rig = Rig(directory, placement, taking_part, realtime)
    with contextlib.ExitStack() as stack:
        rig.start_servers(stack, with_nginx=with_nginx)
        rig.start_contestants(stack)
        yield rig


def get(port: int, path: str, host: str = "127.0.0.1") -> str:
    """The body of a 200; empty for any other answer.

    Raises:
        OSError: nobody answers.
    """
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        return body if answer.status == 200 else ""
    finally:
        connection.close()


def await_ready(child: Child, port: int, seconds: float = 15.0, host: str = "127.0.0.1") -> None:
    """Wait for the first 200 on ``/readyz``.

    Raises:
        Unfit: it ended, or does not get ready.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if get(port, "/readyz", host):
                return
        if not child.living:
            break
        time.sleep(0.001)
    raise Unfit(f"{child.name} does not get ready:\n{child.told()}")


def run_generator(job: Job, priority: int = 0) -> Outcome:
    """
    Raises:
        Unfit: the generator failed.
    """
    done = subprocess.run(
        python("-m", "tests.benchmarks.generator", str(priority)),
        input=msgspec.json.encode(job),
        capture_output=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        raise Unfit(f"the load generator failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
    return msgspec.json.decode(done.stdout, type=Outcome)
