"""What must hold of an image's files, and where its bytes are."""

import os
import re
import stat
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Final

SITE: Final = "usr/local/lib/python3.13/dist-packages"
LIBRARY: Final = "usr/lib/python3.13"
PACKAGES: Final = "var/lib/dpkg/status.d"
LOCKS: Final = ("requirements.lock", "build.lock")
#: Whoever gets into a container finds none of them. Names of programs, or of directories of Python's.
UNWANTED: Final = frozenset(
    (
        *("sh", "bash", "dash", "busybox", "perl", "curl", "wget", "su", "sudo", "mount", "setcap"),
        *("apt", "apt-get", "pip", "pip3", "ensurepip", "setuptools", "wheel", "hatchling"),
        *("gcc", "cc", "ld", "as", "make", "strip", "lab"),
    )
)
#: What a file is capable of, as the kernel keeps it: the second version, effective, cap_net_admin permitted.
CAPABLE: Final = {"usr/sbin/nft": struct.pack("<5I", 0x02000001, 1 << 12, 0, 0, 0)}
_LOCKED = re.compile(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", re.MULTILINE)
#: Of a .pyc that is taken as it is, whatever its source: PEP 552.
_UNCHECKED: Final = 0b01


def problems(root: Path, paths: Sequence[str], lock: str) -> Iterator[str]:
    """All that is wrong with the image at *root*.

    Args:
        paths: of the machine that built it, none of which may be found in any file.
        lock: what is to be installed of Python's packages, and nothing else but the sidecar.
    """
    capable = {}
    for path, file in walk(root):
        status = file.lstat()
        if (status.st_uid, status.st_gid) != (0, 0):
            yield f"{path} belongs to {status.st_uid}:{status.st_gid}"
        if path.rpartition("/")[2] in UNWANTED:
            yield f"{path} has no business in the image"
        if re.search(r"_history$|\.(orig|rej|swp|log|a|o|deb|whl)$", path):
            yield f"{path} is left over"
        if stat.S_ISLNK(status.st_mode):
            if not resolved(root, file).exists():
                yield f"{path} leads nowhere"
            continue
        if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            yield f"{path} changes its user: mode {status.st_mode:o}"
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            yield f"{path} may be written to by others: mode {status.st_mode:o}"
        if "security.capability" in os.listxattr(file):
            capable[path] = os.getxattr(file, "security.capability")
        if stat.S_ISREG(status.st_mode):
            content = file.read_bytes()
            yield from (f"{path} names {each}, of where it was built" for each in paths if each.encode() in content)
    if capable != CAPABLE:
        yield f"files with capabilities are {capable}, and ought to be {CAPABLE}"
    yield from _bytecode(root)
    yield from _packages(root, lock)


def _bytecode(root: Path) -> Iterator[str]:
    for source in (*(root / SITE).rglob("*.py"), *(root / LIBRARY).rglob("*.py")):
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        if not compiled.exists():
            yield f"{source.relative_to(root)} is not compiled"
        elif compiled.read_bytes()[4] != _UNCHECKED:
            yield f"{compiled.relative_to(root)} is held against its source at each start"


def _packages(root: Path, lock: str) -> Iterator[str]:
    found = {each.name.lower().replace("_", "-"): each.version for each in of_python(root)}
    found.pop("agent-sidecar", None)
    wanted = locked(lock)
    yield from (
        f"Python package {name} is {found.get(name, 'absent')}, locked is {wanted.get(name, 'none')}"
        for name in sorted(found.keys() | wanted.keys())
        if found.get(name) != wanted.get(name)
    )
    yield from (
        f"Debian package {name} has lost its licence"
        for name in of_debian(root)
        if not resolved(root, root / "usr/share/doc" / name / "copyright").exists()
    )


def locked(lock: str) -> dict[str, str]:
    """The versions by names that a lock file has."""
    return {match[1]: match[2] for match in _LOCKED.finditer(lock)}


def of_python(root: Path) -> list[Distribution]:
    return sorted(distributions(path=[str(root / SITE)]), key=lambda each: each.name.lower())


def of_debian(root: Path) -> dict[str, Mapping[str, str]]:
    """The packages by names: the fields of their control files, without those lines that go on."""
    found: dict[str, Mapping[str, str]] = {}
    for file in sorted((root / PACKAGES).iterdir()):
        pairs = (line.partition(": ") for line in file.read_text().splitlines() if not line.startswith(" "))
        found[file.name] = {name: value for name, _, value in pairs}
    return found


def resolved(root: Path, file: Path) -> Path:
    """Where *file* is at last, if *root* is /."""
    for _ in range(40):
        for part in (*reversed(file.parents), file):
            if part.is_symlink() and part.is_relative_to(root) and part != root:
                target = os.readlink(part)
                start = root if target.startswith("/") else part.parent
                file = Path(os.path.normpath(start / target.lstrip("/") / file.relative_to(part)))
                break
        else:
            return file
    raise OSError(f"{file}: links in a circle")


def walk(root: Path) -> Iterator[tuple[str, Path]]:
    """Everything below *root*: its path without that, and with it."""
    for directory, below, files in os.walk(root):
        for name in (*below, *files):
            file = Path(directory, name)
            yield str(file.relative_to(root)), file


def megabytes(root: Path, parts: Iterable[str]) -> dict[str, float]:
    """How much each of *parts* weighs, beginnings of paths; what begins with none as ``""``."""
    parts = sorted(parts, key=len, reverse=True)
    sums = dict.fromkeys([*parts, ""], 0)
    for path, file in walk(root):
        status = file.lstat()
        if stat.S_ISREG(status.st_mode):
            sums[next((part for part in parts if path.startswith(part)), "")] += status.st_size
    return {part: count / 1e6 for part, count in sums.items()}
