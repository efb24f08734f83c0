"""The machine: where processes are placed, what is missing, the facts that figures depend on, and load not ours."""

import os
import platform
import resource
import shutil
import ssl
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.proc import CpuTimes, machine_times

#: What is needed besides the virtual environment.
TOOLS = ("nginx", "wrk")
#: A share of the machine that is used by others from which on figures are not to be trusted.
FOREIGN_SHARE = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Placement:
    """CPUs: ``proxy`` has the proxy under test to itself, everything else shares ``others``."""

    proxy: frozenset[int]
    others: frozenset[int]

    @property
    def shared(self) -> bool:
        """Whether there is only one CPU, so that load and proxy take it from each other."""
        return self.proxy == self.others

    def __str__(self) -> str:
        return f"proxy under test on CPU {_listed(self.proxy)}, everything else on {_listed(self.others)}"


def placement(cpus: Iterable[int]) -> Placement:
    """The first of *cpus* for the proxy, the others for the others."""
    first, *others = sorted(cpus)
    return Placement(frozenset((first,)), frozenset(others or (first,)))


def _listed(cpus: Iterable[int]) -> str:
    return ",".join(map(str, sorted(cpus)))


def find_tool(name: str) -> str | None:
    """Where the program is; Debian keeps nginx where only root's PATH leads."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin")


def missing(without: Iterable[str] = ()) -> list[str]:
    """The programs that are not here, except those *without* which the run is to be done."""
    return [tool for tool in TOOLS if tool not in without and find_tool(tool) is None]


def facts(arrangement: Placement) -> list[tuple[str, str]]:
    """What must be known of the machine to compare figures."""
    flags = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimised = [name for name, flag in (("PGO", "--enable-optimizations"), ("LTO", "--with-lto")) if flag in flags]
    build = " and ".join(optimised) or "configured without PGO and LTO, which distributions may add"
    packages = ("uvloop", "aiohttp", "httptools", "msgspec", "opentelemetry-sdk", "aiocache")
    one, five, fifteen = os.getloadavg()
    return [
        ("machine", f"{os.cpu_count()} x {_cpu_model()}, Linux {platform.release()}"),
        ("placement", str(arrangement)),
        ("python", f"{platform.python_version()} ({build}), {ssl.OPENSSL_VERSION}"),
        ("packages", ", ".join(f"{package} {_version(package)}" for package in packages)),
        ("peers", ", ".join(f"{tool} {_tool_version(tool)}" for tool in TOOLS)),
        ("scheduling", "real-time for latency and streams" if may_be_realtime() else "ordinary: not permitted more"),
        ("load average", f"{one:.2f} {five:.2f} {fifteen:.2f}"),
    ]


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except ImportError:
        return "absent"


def _tool_version(tool: str) -> str:
    path = find_tool(tool)
    if path is None:
        return "absent"
    told = subprocess.run([path, "-v"], capture_output=True, text=True, check=False)
    words = (told.stdout + told.stderr).replace("/", " ").split()
    return next((word.rstrip(",") for word in words if any(digit.isdigit() for digit in word)), "of unknown version")


def may_be_realtime() -> bool:
    """Whether this user may let processes run before all others; tried on this process for a moment."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def python(*arguments: str) -> list[str]:
    """A command of this interpreter that finds this package."""
    return [sys.executable, *arguments]


ROOT = Path(__file__).resolve().parents[2]
"""Of the repository: where ``-m tests.benchmarks.…`` works."""


class Meter:
    """Measures, from its making on, what others use of the machine while we measure ourselves.

    Args:
        own_ns: nanoseconds on a CPU so far of all processes of ours that live.
    """

    def __init__(self, own_ns: int) -> None:
        self._times = machine_times()
        self._own_ns = own_ns + _finished_ns()
        self._began = time.monotonic()

    def foreign_share(self, own_ns: int) -> tuple[float, float]:
        """Shares of all CPUs' time: what other processes of this machine used, and what the host took away."""
        return shares(
            machine_times() - self._times,
            own_ns + _finished_ns() - self._own_ns,
            (time.monotonic() - self._began) * (os.cpu_count() or 1),
        )


def shares(passed: CpuTimes, own_ns: int, cpu_seconds: float) -> tuple[float, float]:
    """*passed* ticks, of which *own_ns* were ours, as shares of *cpu_seconds*: foreign load, and stolen time."""
    foreign = max(0.0, passed.busy / _TICKS - own_ns / 1e9)
    return foreign / cpu_seconds, passed.stolen / _TICKS / cpu_seconds


def _finished_ns() -> int:
    """What this process itself and its children that have ended have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return int(sum(usage.ru_utime + usage.ru_stime for usage in used) * 1e9)
