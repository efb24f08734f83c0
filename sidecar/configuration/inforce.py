"""The configuration in force: what holds, where each part of it came from, and what plugins make of their parts."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from sidecar.configuration.check import objections
from sidecar.configuration.decoding import Decoder
from sidecar.configuration.document import Node, at
from sidecar.configuration.effective import effective, origins
from sidecar.configuration.problem import DEFAULTS, Finding, InvalidConfiguration, Place, Problem, ordered
from sidecar.configuration.wording import shown
from sidecar.settings import Settings

T = TypeVar("T", bound=Struct)


class Configuration:
    """What `load` returns. ``repr`` shows no secrets."""

    def __init__(self, settings: Settings, root: Node | None, environ: Mapping[str, str]) -> None:
        self.settings = settings
        self.warnings: tuple[Problem, ...] = ()
        """What works, but hardly as wanted."""
        self._root = root
        self._environ = environ

    def __repr__(self) -> str:
        return f"<Configuration {self.digest}>"

    @cached_property
    def effective(self) -> dict[str, Any]:
        """All settings as plain values, spelled as in a file; references stand as they were written."""
        return effective(self.settings, self._root)

    @cached_property
    def provenance(self) -> dict[str, str]:
        """Where each value of `effective` came from, by its path: ``default``, ``catalogue``, a place in the file
        (``sidecar.yaml:3:12``), the name of a variable, ``--set``.
        """
        return origins(self.effective, self._root)

    @cached_property
    def digest(self) -> str:
        """12 hexadecimal digits, the same for the same effective configuration, whatever its references stand for."""
        canonical = msgspec.json.encode(self.effective, order="deterministic")
        return hashlib.sha256(canonical).hexdigest()[:12]

    def convert_plugin(self, index: int, kind: type[T]) -> T:
        """The ``config`` of ``plugins[index]`` as *kind*, its references resolved.

        Raises:
            InvalidConfiguration: with everything that is wrong with it.
        """
        findings: list[Finding] = []
        config = at(self._root, ("plugins", index, "config"))
        if config is None:
            place = self._place(("plugins", index))
            config = Node({}, place, place)
        value = Decoder(self._environ, findings.append).section(config, kind, f"plugins[{index}].config")
        if findings:
            raise InvalidConfiguration(ordered(findings))
        converted: T = value
        return converted

    def problem(self, path: Sequence[str | int], message: str, hint: str = "", severity: str = "error") -> Problem:
        """What only others can find wrong, such as that no plugin of a name is installed, at the place of *path*."""
        return self._finding(path, message, hint, severity).problem(())

    def contradictions(self, dialects: Collection[str], known: Sequence[Finding]) -> list[Finding]:
        """What the settings have against each other; not where *known* says that one of them is wrong anyway."""
        wrong = {_part_of(finding.path.replace("[", ".").split(".")) for finding in known}
        findings = []
        for objection in objections(self.settings, dialects):
            if _part_of(objection.path) not in wrong:
                node = at(self._root, objection.path)
                message = objection.message.replace("{value}", "the default" if node is None else shown(node))
                findings.append(self._finding(objection.path, message, objection.hint, objection.severity))
        return findings

    def _finding(self, path: Sequence[str | int], message: str, hint: str, severity: str) -> Finding:
        return Finding(place=self._place(path), path=path_text(path), message=message, hint=hint, severity=severity)

    def _place(self, path: Sequence[str | int]) -> Place:
        """Where *path* stands, or what it is in."""
        for end in range(len(path), -1, -1):
            if (node := at(self._root, path[:end])) is not None:
                return node.head
        return Place(DEFAULTS)


def path_text(path: Sequence[str | int]) -> str:
    """``("plugins", 1, "use")`` as ``plugins[1].use``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def _part_of(path: Sequence[str | int]) -> tuple[str | int, ...]:
    """The part of the configuration whose settings depend on each other."""
    return tuple(path[: 2 if path[0] == "providers" else 1])
