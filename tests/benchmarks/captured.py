"""A sidecar that connections are led to, what its TLS is compared with, and pods whose kernel leads them.

============== =======================================================================================================
capturing      the sidecar without plugins, listening where the hosts file or the kernel leads connections
redirected     the same in a pod of its own, whose kernel redirects connections to it
floor          an emulated provider on uvloop, plain and by TLS with one certificate from a file: what is left of a
               server that does nothing
front          nginx as a proxy, plain and by TLS
ceiling        the kernel's splice(2) between two sockets (`tests.benchmarks.ceiling`)
============== =======================================================================================================
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks import nginx
from tests.benchmarks.contestants import Contestant, Surroundings, sidecar_command
from tests.benchmarks.machine import python
from tests.benchmarks.processes import Child, free_ports
from tests.benchmarks.rig import Rig
from tests.namespaces.pod import AGENT_UID, Pod, forbidden, missing

CAPTURING, REDIRECTED, FLOOR, FRONT = "capturing", "redirected", "floor", "front"
CEILING, POD_CEILING = "ceiling", "pod ceiling"
#: The captured provider is called by this name, and by all below the other.
HOST, SUFFIX = "captured.benchmark.example", "many.benchmark.example"
#: Where rules lead connections; where they were to go, in a pod: calls, and whatever is passed through.
_REDIRECTED_TO, POD_CALLS, POD_SPLICED = 15001, 443, 8443


@dataclass(frozen=True)
class Place:
    """Where a sidecar stands: its own addresses, the provider's, what starts it there, and where others' calls go."""

    transparent: str
    provider: str
    probes: str = "127.0.0.1"
    within: tuple[str, ...] = ()
    connect_ports: tuple[int, ...] = ()
    """Beside 443."""


def capturing(connect_ports: tuple[int, ...] = ()) -> Contestant:
    """Its ports: calls, probes, admin, captured connections. *connect_ports*: to which CONNECT may ask to go."""

    def command(directory: Path, ports: list[int], around: Surroundings) -> list[str]:
        # a provider that is called at its own name is called where the agent dialled it, which would be here
        provider = f"http://localhost:{around.port('small')}"
        place = Place(f"127.0.0.1:{ports[3]}", provider, connect_ports=(*connect_ports, ports[3]))
        return _command(directory, ports, place)

    return Contestant(CAPTURING, command, ports=4, probed=True)


def floor() -> Contestant:
    """Its ports: plain, and TLS."""

    def command(directory: Path, ports: list[int], around: Surroundings) -> list[str]:
        return python("-m", "tests.benchmarks.provider", str(ports[0]), str(ports[1]), around.chain_file)

    return Contestant(FLOOR, command, ports=2)


def front() -> Contestant:
    """Its ports: plain, and TLS."""

    def command(directory: Path, ports: list[int], around: Surroundings) -> list[str]:
        return nginx.command(directory, nginx.proxy(ports[0], around.origins, ports[1], around.chain_file))

    return Contestant(FRONT, command, ports=2)


def ceiling(address: str, port: int, pod: "Captured | None" = None) -> Contestant:
    """Its port leads to *port* of *address*; inside *pod*, if given."""
    host, within = ("127.0.0.1", ()) if pod is None else (pod.inside, pod.within)

    def command(directory: Path, ports: list[int], around: Surroundings) -> list[str]:
        joining = python("-m", "tests.benchmarks.ceiling", host, str(ports[0]), address, str(port))
        return [*within, *joining]

    return Contestant(CEILING if pod is None else POD_CEILING, command)


def _command(directory: Path, ports: list[int], place: Place) -> list[str]:
    file = directory / "sidecar.yaml"
    file.write_text(f"""\
listen: {{address: "127.0.0.1:{ports[0]}", transparent: ["{place.transparent}"]}}
admin: {{address: "127.0.0.1:{ports[2]}"}}
probes: {{address: "{place.probes}:{ports[1]}"}}
providers:
  captured: {{dialect: openai, url: "{place.provider}", hosts: [{HOST}, "*.{SUFFIX}"]}}
forward: {{connect_ports: {[443, *place.connect_ports]}}}
tls: {{directory: {directory / "tls"}}}
plugins: []
""")
    return [*place.within, *sidecar_command(file)]


# -- pods ------------------------------------------------------------------------------------------------------------


def no_pods() -> str:
    """Why there can be no pods here; "" if there can."""
    return missing() or forbidden()


class Captured:
    """A pod with a sidecar, and servers outside of it at ``address``. ``agent`` is what runs a command as its agent."""

    def __init__(self, pod: Pod) -> None:
        self.address = pod.outside
        self.inside = pod.inside
        self.within = ("ip", "netns", "exec", pod.name)
        # the benchmark's directory is for its own user alone: that much of root's rights the agent keeps
        reading = ("--inh-caps=-all,+dac_read_search", "--ambient-caps=-all,+dac_read_search")
        user = ("setpriv", f"--reuid={AGENT_UID}", f"--regid={AGENT_UID}", "--clear-groups", *reading)
        self.agent = (*self.within, *user)


@contextlib.contextmanager
def captured(rig: Rig) -> Iterator[Captured]:
    """A pod whose connections to `POD_CALLS` and `POD_SPLICED` come to the sidecar *redirected*, which runs."""
    with tempfile.TemporaryDirectory(prefix="sidecar-benchmark-pod-") as directory, asyncio.Runner() as runner:
        pod = Pod(Path(directory))
        try:
            runner.run(pod.make())
            pod.hosts(f"{pod.outside} {HOST}")
            runner.run(pod.redirect(f"{{ {POD_CALLS}, {POD_SPLICED} }}", users="0"))
            yield from _with_sidecar(rig, Captured(pod))
        finally:
            runner.run(pod.unmake())


def _with_sidecar(rig: Rig, pod: Captured) -> Iterator[Captured]:
    plain, tls = free_ports(2)  # nobody listens where the agent's calls seem to go: they come to the sidecar or fail
    directory = rig.directory / f"outside-{plain}"
    text = nginx.provider(plain, tls, rig.around.chain_file, pod.address)
    outside = Child("the provider outside", nginx.command(directory, text), rig.cpus.others, directory / "log")

    def command(directory: Path, ports: list[int], around: Surroundings) -> list[str]:
        provider = f"http://{pod.address}:{plain}"
        place = Place(f"127.0.0.1:{_REDIRECTED_TO}", provider, pod.inside, pod.within, (POD_SPLICED,))
        return _command(directory, ports, place)

    with outside:
        outside.await_port(plain, host=pod.address)
        rig.servers["outside"] = outside
        try:
            with rig.joined_by(Contestant(REDIRECTED, command, ports=3, probed=True), pod.inside):
                yield pod
        finally:
            del rig.servers["outside"]
