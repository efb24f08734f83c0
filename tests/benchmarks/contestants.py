"""Who is compared, and how each is started.

============== =======================================================================================================
direct         no proxy: what the provider and the load can do by themselves
minimal        a minimal aiohttp proxy, the floor (`tests.benchmarks.floor`)
nginx          Debian's, one worker, streaming both ways, upstream connections kept
bare           the sidecar without plugins
default        the sidecar with tracing, every call exported, and the cache, which never has the answer
hit            the same, and the cache always has the answer
============== =======================================================================================================
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks import nginx
from tests.benchmarks.machine import python

DIRECT, MINIMAL, NGINX, BARE, DEFAULT, HIT = "direct", "minimal", "nginx", "bare", "default", "hit"
SOAKED = "soaked"
EVERYBODY = (DIRECT, MINIMAL, NGINX, BARE, DEFAULT, HIT)
SIDECARS = (BARE, DEFAULT, HIT)
LABELS = {
    DIRECT: "direct",
    MINIMAL: "minimal aiohttp",
    NGINX: "nginx",
    BARE: "sidecar bare",
    DEFAULT: "sidecar default",
    HIT: "sidecar cache hit",
    SOAKED: "sidecar default",
    "capturing": "sidecar capturing",
    "redirected": "sidecar in a pod",
    "floor": "a server on uvloop",
    "front": "nginx",
    "ceiling": "the kernel's splice(2)",
    "pod ceiling": "the kernel's splice(2)",
    "webhook": "sidecar webhook",
}
#: The provider's name at the door of the sidecar that ends TLS; it stands for an official one.
ENDED_HOST = "provider.benchmark.example"


@dataclass(frozen=True)
class Surroundings:
    """What a contestant is started into: where the providers are, whom to trust, where spans go."""

    origins: Mapping[str, str]
    """By name: small, small-tls (nginx), media, media-tls (the emulated provider)."""
    ca_file: str
    chain_file: str
    """A certificate for loopback and its key, by *ca_file*."""
    traces_endpoint: str

    def port(self, name: str) -> int:
        return int(self.origins[name].rpartition(":")[2])


@dataclass
class Contestant:
    """``ports`` are those that `command` makes it listen on; the first is for calls, the second for probes if it is
    ``probed``.
    """

    name: str
    command: Callable[[Path, list[int], Surroundings], list[str]] | None = None
    ports: int = 1
    probed: bool = False
    note: str = ""
    """Why it cannot take part; empty if it can."""
    traced: bool = field(init=False)

    def __post_init__(self) -> None:
        self.traced = self.name in (DEFAULT, HIT) or (self.name == SOAKED and not missing_plugins())

    @property
    def label(self) -> str:
        return LABELS[self.name]


def contestants(without: frozenset[str] = frozenset()) -> list[Contestant]:
    """All of them. *without*: programs that are not here."""
    plugins = missing_plugins()
    note = f"{' and '.join(plugins)} cannot be imported" if plugins else ""
    return [
        Contestant(DIRECT),
        Contestant(MINIMAL, _minimal),
        Contestant(NGINX, _nginx, note="nginx is left out" if "nginx" in without else ""),
        Contestant(BARE, _sidecar_with("[]"), ports=3, probed=True),
        Contestant(DEFAULT, _sidecar_with(_DEFAULT_PLUGINS), ports=3, probed=True, note=note),
        Contestant(HIT, _sidecar_with(_DEFAULT_PLUGINS), ports=3, probed=True, note=note),
    ]


def soaked() -> Contestant:
    """The default sidecar with a cache that is full soon, so that filling it is not taken for a leak."""
    plugins = "[]" if missing_plugins() else _DEFAULT_PLUGINS.rstrip() + "\n    config: {max_memory: 8MiB}\n"
    return Contestant(SOAKED, _sidecar_with(plugins), ports=3, probed=True)


_DEFAULT_PLUGINS = """
  - use: tracing
    config: {endpoint: "TRACES"}
  - use: cache
"""


def missing_plugins() -> list[str]:
    """Plugins of the default configuration that are not there, or not finished."""
    found = []
    for module, name in (("sidecar_tracing", "Tracing"), ("sidecar_cache", "Cache")):
        try:
            getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError):
            found.append(f"{module}:{name}")
    return found


def _minimal(directory: Path, ports: list[int], around: Surroundings) -> list[str]:
    pairs = (f"{name}={origin}" for name, origin in around.origins.items())
    return python("-m", "tests.benchmarks.floor", str(ports[0]), around.ca_file, *pairs)


def _nginx(directory: Path, ports: list[int], around: Surroundings) -> list[str]:
    return nginx.command(directory, nginx.proxy(ports[0], around.origins))


def _sidecar_with(plugins: str) -> Callable[[Path, list[int], Surroundings], list[str]]:
    def command(directory: Path, ports: list[int], around: Surroundings) -> list[str]:
        file = directory / "sidecar.yaml"
        file.write_text(configuration(plugins, directory, ports, around))
        return sidecar_command(file)

    return command


def configuration(plugins: str, directory: Path, ports: list[int], around: Surroundings) -> str:
    """The sidecar's: the defaults but for addresses, providers and *plugins* (YAML)."""
    proxy, probes, admin = ports
    providers = "".join(
        f"  {name}: {{dialect: openai, url: '{origin}', ca_file: {around.ca_file if 'https' in origin else 'null'}}}\n"
        for name, origin in around.origins.items()
    )
    return f"""\
listen: {{address: "127.0.0.1:{proxy}"}}
admin: {{address: "127.0.0.1:{admin}"}}
probes: {{address: "127.0.0.1:{probes}"}}
providers:
{providers}\
  ended: {{dialect: openai, url: '{around.origins["small-tls"]}', ca_file: {around.ca_file}, hosts: [{ENDED_HOST}]}}
forward: {{connect_ports: [443, {around.port("small-tls")}]}}
tls: {{directory: {directory / "tls"}}}
shutdown: {{grace: 10s}}
plugins: {plugins.replace("TRACES", around.traces_endpoint)}
"""


def sidecar_command(file: Path) -> list[str]:
    """How the sidecar is started with the configuration in *file*: as a user would."""
    return [str(Path(sys.executable).with_name("sidecar")), "run", "--config", str(file)]
