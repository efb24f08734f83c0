"""The configuration that a command was given, and everything that is wrong with it, plugins included."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from sidecar.cli.exits import Exit, Stop
from sidecar.configuration import Configuration, InvalidConfiguration, Problem, load, rendered


class Examined(NamedTuple):
    configuration: Configuration | None
    """With defaults in place of what is wrong; None if the file cannot be read at all."""
    problems: tuple[Problem, ...]
    """Warnings included."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity == "error")


def examined(file: Path | None, overrides: Sequence[str]) -> Examined:
    """Read the configuration and try everything that a start would try, short of serving."""
    configuration: Configuration | None
    try:
        configuration = load(file, os.environ, overrides)
        problems = configuration.warnings
    except InvalidConfiguration as error:
        configuration, problems = error.configuration, error.problems
    if configuration is not None:
        from sidecar.enabled import with_those_of_plugins

        problems = with_those_of_plugins(configuration, problems)
    return Examined(configuration, problems)


def usable(file: Path | None, overrides: Sequence[str], *, allow_missing: bool = False) -> Configuration:
    """The configuration, examined.

    Raises:
        Stop: something is wrong with it, all of which is said.
    """
    configuration, problems = examined(file, overrides)
    errors = serious(problems, allow_missing=allow_missing)
    if configuration is None or errors:
        raise Stop(rendered(errors), Exit.CONFIGURATION)
    return configuration


def configuration_of(file: Path | None, overrides: Sequence[str]) -> Configuration:
    """The configuration as the file gives it; plugins are not looked at, nor is what is only missing here.

    Raises:
        Stop: something is wrong with it, all of which is said.
    """
    try:
        return load(file, os.environ, overrides)
    except InvalidConfiguration as error:
        errors = serious(error.problems, allow_missing=True)
        if error.configuration is None or errors:
            raise Stop(rendered(errors), Exit.CONFIGURATION) from error
        return error.configuration


def serious(problems: Iterable[Problem], *, allow_missing: bool = False, strict: bool = False) -> tuple[Problem, ...]:
    """Those of *problems* for which a command ends. *strict*: warnings too."""
    return tuple(
        problem
        for problem in problems
        if (strict or problem.severity == "error") and not (allow_missing and problem.missing)
    )
