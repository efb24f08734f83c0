"""What /proc tells: texts in, numbers out. The readers below are the only ones that open files."""

import contextlib
from dataclasses import dataclass
from pathlib import Path


def schedstat_ns(text: str) -> int:
    """Nanoseconds on a CPU, from ``/proc/PID/task/TID/schedstat``."""
    return int(text.split()[0])


def status_bytes(text: str, field: str) -> int:
    """A size such as ``VmRSS`` or ``VmHWM`` from ``/proc/PID/status``; 0 if it is not there."""
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    return 0


@dataclass(frozen=True)
class CpuTimes:
    """Ticks of all CPUs together since boot."""

    busy: int
    idle: int
    stolen: int

    def __sub__(self, earlier: "CpuTimes") -> "CpuTimes":
        return CpuTimes(self.busy - earlier.busy, self.idle - earlier.idle, self.stolen - earlier.stolen)


def cpu_times(text: str) -> CpuTimes:
    """From the first line of ``/proc/stat``: user nice system idle iowait irq softirq steal guest guest_nice."""
    user, nice, system, idle, iowait, irq, softirq, steal = (int(number) for number in text.split()[1:9])
    return CpuTimes(busy=user + nice + system + irq + softirq, idle=idle + iowait, stolen=steal)


def machine_times() -> CpuTimes:
    with open("/proc/stat") as file:
        return cpu_times(file.readline())


def family(pid: int) -> list[int]:
    """*pid* and all its descendants that live."""
    found, waiting = [], [pid]
    while waiting:
        parent = waiting.pop()
        found.append(parent)
        for task in _tasks(parent):
            with contextlib.suppress(OSError):
                waiting += map(int, (task / "children").read_text().split())
    return found


def threads(pid: int) -> list[int]:
    """The ids of the threads of *pid* and all its descendants."""
    return [int(task.name) for member in family(pid) for task in _tasks(member)]


def cpu_ns(pid: int) -> int:
    """Nanoseconds that *pid* and its descendants have been on a CPU, all living threads together."""
    total = 0
    for member in family(pid):
        for task in _tasks(member):
            with contextlib.suppress(OSError):
                total += schedstat_ns((task / "schedstat").read_text())
    return total


def memory_bytes(pid: int, field: str = "VmRSS") -> int:
    """*field* of *pid* and its descendants, added up; pages that they share count for each."""
    total = 0
    for member in family(pid):
        with contextlib.suppress(OSError):
            total += status_bytes(Path(f"/proc/{member}/status").read_text(), field)
    return total


def forget_peak(pid: int) -> None:
    """Let ``VmHWM`` of *pid* start again from what is resident now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _tasks(pid: int) -> list[Path]:
    with contextlib.suppress(OSError):
        return list(Path(f"/proc/{pid}/task").iterdir())
    return []
