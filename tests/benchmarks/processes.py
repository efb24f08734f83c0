"""Child processes: placed on CPUs, stopped while others are measured, measured themselves, and surely ended."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.benchmarks import proc
from tests.benchmarks.machine import ROOT

_SET_DEATH_SIGNAL = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Unfit(Exception):
    """Something that the benchmark stands on does not work here; the message says what to do."""


class Child:
    """A process that runs until the ``with`` block is left. Its output goes to *log*.

    Args:
        cpus: where it and what it starts may run.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        cpus: Collection[int],
        log: Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self._log = log
        self._stopped = False

        def prepare() -> None:
            os.sched_setaffinity(0, cpus)
            _libc.prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)  # stopped processes must not outlive a killed benchmark

        with log.open("wb") as output:
            self.started = time.monotonic()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=prepare,
                process_group=0,
                cwd=ROOT,
                env={**os.environ, **(environ or {})},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def living(self) -> bool:
        return self._process.poll() is None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.end()

    # -- measuring ---------------------------------------------------------------------------------------------------

    def cpu_ns(self) -> int:
        return proc.cpu_ns(self.pid)

    def memory_bytes(self, field: str = "VmRSS") -> int:
        return proc.memory_bytes(self.pid, field)

    def forget_peak(self) -> None:
        proc.forget_peak(self.pid)

    # -- steering ----------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Let it stand still: it holds its connections, and takes nothing from those that are measured."""
        if not self._stopped:
            self._stopped = True
            self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        if self._stopped:
            self._stopped = False
            self._signal(signal.SIGCONT)

    def schedule(self, priority: int) -> None:
        """Real-time scheduling for all its threads from *priority* 1 on, ordinary scheduling for 0."""
        policy = os.SCHED_RR if priority else os.SCHED_OTHER
        for thread in proc.threads(self.pid):
            with contextlib.suppress(ProcessLookupError):
                os.sched_setscheduler(thread, policy, os.sched_param(priority))

    def ask_to_end(self) -> None:
        self._process.terminate()

    def wait(self, seconds: float) -> int | None:
        """The exit status, or None if it still runs after so many *seconds*."""
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def end(self) -> None:
        if self.living:
            self.go_on()
            self.ask_to_end()
            if self.wait(5.0) is None:
                self._signal(signal.SIGKILL)
                self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    # -- its beginning -----------------------------------------------------------------------------------------------

    def await_port(self, port: int, seconds: float = 15.0, host: str = "127.0.0.1") -> None:
        """Wait until it takes connections.

        Raises:
            Unfit: it ended, or does not come up.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.living:
                raise Unfit(f"{self.name} ended with status {self._process.returncode}:\n{self.told()}")
            with contextlib.suppress(OSError), socket.create_connection((host, port), 0.5):
                return
            time.sleep(0.005)
        raise Unfit(f"{self.name} takes no connection after {seconds:g} s:\n{self.told()}")

    def told(self) -> str:
        """The end of what it has written."""
        return self._log.read_text(errors="replace")[-3000:].strip() or "(it has written nothing)"


def free_ports(count: int) -> list[int]:
    """Ports of loopback that nobody listens on; the caller should soon."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [int(sock.getsockname()[1]) for sock in sockets]
