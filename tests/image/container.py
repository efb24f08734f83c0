"""A process in the image as a pod's container runtime starts one: its own mounts, a read-only root, another user, no
capability but those that were added, and no way to new ones. Seccomp and cgroups are not here."""

import contextlib
import ctypes
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

NET_ADMIN = 12
_DEVICES = ("null", "zero", "full", "random", "urandom")
_PDEATHSIG, _KEEPCAPS, _CAPBSET_DROP, _NO_NEW_PRIVS = 1, 8, 24, 38
_VERSION_3 = 0x20080522
_ROOT = Path(__file__).parents[2]


class Container(Struct, frozen=True, kw_only=True):
    """What is to be run, and how.

    ``writable``: directories with a tmpfs, which anybody may write to, as the kubelet makes them.
    ``files``: what is mounted read-only at a path.
    ``capabilities``: numbers of those in the bounding set, which the process has but does not pass on.
    """

    root: str
    command: Sequence[str]
    environment: Mapping[str, str]
    uid: int
    writable: Sequence[str] = ()
    files: Mapping[str, str] = {}
    capabilities: Sequence[int] = ()

    def started(self) -> "Process":
        """The process, which is number one in its own namespace of processes, and ends with us."""
        clock, told = os.pipe()
        with contextlib.ExitStack() as closing:
            closing.callback(os.close, told)
            process = subprocess.Popen(
                (
                    *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private"),
                    *(sys.executable, "-m", __name__, str(told), msgspec.json.encode(self).decode()),
                ),
                cwd=_ROOT,
                pass_fds=(told,),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        return Process(process, clock)

    def ended(self) -> subprocess.CompletedProcess[str]:
        """How it ends, and what it says until then."""
        with self.running() as process:
            out, err = process.process.communicate(timeout=60)
        return subprocess.CompletedProcess(self.command, process.process.returncode, out.decode(), err.decode())

    @contextlib.contextmanager
    def running(self) -> Iterator["Process"]:
        process = self.started()
        try:
            yield process
        finally:
            process.process.kill()  # unshare's end is that of all in its namespace
            process.process.communicate()
            os.close(process.clock)


class Process(Struct):
    process: subprocess.Popen[bytes]
    clock: int

    def began(self) -> float:
        """The monotonic clock at exec. Waits for it."""
        told = os.read(self.clock, 64)
        if not told:
            _, said = self.process.communicate()
            raise AssertionError(said.decode())
        return float(told)

    @property
    def inner(self) -> int:
        """The number of the container's process as we see it, not of what stands around it."""
        (child,) = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(child)

    def signal(self, number: int) -> None:
        os.kill(self.inner, number)


def _enter(container: Container, clock: int) -> None:
    """Become the container's process."""
    libc = ctypes.CDLL(None, use_errno=True)
    root = container.root

    def call(function: Callable[..., int], *arguments: object) -> None:
        if function(*arguments) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    _mount("--bind", root, root)
    for path in container.writable:
        _mount("-t", "tmpfs", "-o", "mode=0777,nosuid,nodev,noexec", "tmpfs", f"{root}{path}")
    for path, source in container.files.items():
        # a volume is a directory of its own
        _mount("-t", "tmpfs", "tmpfs", os.path.dirname(f"{root}{path}"))
        Path(f"{root}{path}").write_bytes(Path(source).read_bytes())
        _mount("-o", "remount,ro", os.path.dirname(f"{root}{path}"))
    _mount("-t", "proc", "-o", "nosuid,nodev,noexec", "proc", f"{root}/proc")
    _mount("-t", "tmpfs", "-o", "mode=0755,nosuid", "tmpfs", f"{root}/dev")
    for device in _DEVICES:
        Path(f"{root}/dev/{device}").touch()
        _mount("--bind", f"/dev/{device}", f"{root}/dev/{device}")
    _mount("-o", "remount,ro", f"{root}/dev")
    _mount("-o", "remount,bind,ro", root)
    os.chroot(root)
    os.chdir("/")

    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for each in set(range(last + 1)) - set(container.capabilities):
        call(libc.prctl, _CAPBSET_DROP, each, 0, 0, 0)
    call(libc.prctl, _KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(container.uid, container.uid, container.uid)
    os.setresuid(container.uid, container.uid, container.uid)
    kept = sum(1 << each for each in container.capabilities)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    # effective, permitted, and inheritable, which is empty as with containerd: so are the ambient ones
    call(libc.capset, struct.pack("=Ii", _VERSION_3, 0), struct.pack("=6I", low, low, 0, high, high, 0))
    call(libc.prctl, _NO_NEW_PRIVS, 1, 0, 0, 0)
    # unshare had asked for this; to become another user takes it back
    call(libc.prctl, _PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    for ours in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores, and would hand on
        signal.signal(ours, signal.SIG_DFL)
    os.write(clock, str(time.monotonic()).encode())
    os.set_inheritable(clock, False)
    os.execvpe(container.command[0], list(container.command), dict(container.environment))


def _mount(*arguments: str) -> None:
    subprocess.run(("mount", *arguments), check=True)


if __name__ == "__main__":
    _enter(msgspec.json.decode(sys.argv[2], type=Container), int(sys.argv[1]))
