"""What this process would run on."""

import re
import resource
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, requires

from sidecar.cli.doctor.checked import Checked, Section
from sidecar.cli.version import PARTS, versions

_SECTION = Section("runtime")
#: Beside connections: listeners, logs, files of certificates, and those of the libraries.
_OTHER_FILES = 64
_CLAUSE = re.compile(r"(>=|<=|==|<|>|!=)\s*([0-9][0-9.]*)")


def runtime(connections: int) -> list[Checked]:
    try:
        declared = requires("agent-sidecar") or []
    except PackageNotFoundError:
        declared = []
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return [installed(versions(), declared), open_files(hard, connections)]


def installed(found: Mapping[str, str | None], declared: Iterable[str]) -> Checked:
    """Whether what we stand on has versions that were tried.

    Args:
        declared: requirements as in a package's metadata: ``aiohttp<3.15,>=3.14``.
    """
    wanted = {name: line for line in declared if ";" not in line and (name := _name(line)) in PARTS}
    wrong = [
        f"{name} is not installed" if found.get(name) is None else f"{name} {found[name]} is not {line}"
        for name, line in wanted.items()
        if (version := found.get(name)) is None or not fits(version, line)
    ]
    if wrong:
        return _SECTION.failed("; ".join(wrong), "install agent-sidecar anew: pip install --upgrade agent-sidecar")
    told = ", ".join(f"{name} {found[name]}" for name in ("python", "uvloop", "aiohttp"))
    return _SECTION.passed(f"versions fit: {told}")


def fits(version: str, requirement: str) -> bool:
    """Whether *version* meets every clause of *requirement*, by the numbers that it begins with."""
    compared = {
        ">=": lambda a, b: a >= b,
        "<=": lambda a, b: a <= b,
        "==": lambda a, b: a == b,
        "!=": lambda a, b: a != b,
        "<": lambda a, b: a < b,
        ">": lambda a, b: a > b,
    }
    return all(compared[by](*_padded(version, limit)) for by, limit in _CLAUSE.findall(requirement))


def open_files(hard_limit: int, connections: int) -> Checked:
    """Whether as many files may be open as there may be connections; `sidecar run` uses the hard limit.

    Args:
        connections: that an agent may open; each may need one to a provider.
    """
    wanted = 2 * connections + _OTHER_FILES
    if hard_limit == resource.RLIM_INFINITY or hard_limit >= wanted:
        shown = "any number of" if hard_limit == resource.RLIM_INFINITY else str(hard_limit)
        return _SECTION.passed(f"{shown} files may be open; {connections} connections need {wanted}")
    return _SECTION.warning(
        f"{hard_limit} files may be open; {connections} connections need {wanted}",
        "raise the hard limit (ulimit -Hn, LimitNOFILE=), or lower listen.limits.connections",
    )


def _name(requirement: str) -> str:
    matched = re.match(r"[A-Za-z0-9._-]+", requirement)
    return matched[0].lower().replace("_", "-") if matched else ""


def _padded(version: str, limit: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    left, right = _numbers(version), _numbers(limit)
    length = max(len(left), len(right))
    return left + (0,) * (length - len(left)), right + (0,) * (length - len(right))


def _numbers(version: str) -> tuple[int, ...]:
    matched = re.match(r"[0-9]+(?:\.[0-9]+)*", version)
    return tuple(map(int, matched[0].split("."))) if matched else ()
