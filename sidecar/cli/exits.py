"""How a command ends. Data goes to standard output, everything else that is said to standard error."""

from collections.abc import Mapping
from enum import IntEnum
from typing import IO, Any, Final

import click


class Exit(IntEnum):
    OK = 0
    NO = 1
    USAGE = 2
    CONFIGURATION = 3
    ENVIRONMENT = 4


MEANINGS: Final[Mapping[Exit, str]] = {
    Exit.OK: "done",
    Exit.NO: "ran, and the answer is no: a check failed, no such call",
    Exit.USAGE: "the command line makes no sense",
    Exit.CONFIGURATION: "the configuration is invalid",
    Exit.ENVIRONMENT: "no sidecar answers, or it cannot run here: a port is taken, a directory cannot be written",
}

EPILOG: Final = "\b\nExit codes:\n" + "\n".join(f"  {code:d}  {meaning}" for code, meaning in MEANINGS.items())


class Stop(click.ClickException):
    """Ends the command with *message* and *code*."""

    def __init__(self, message: str, code: Exit) -> None:
        super().__init__(message)
        self.exit_code = int(code)  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"sidecar: {self.message}", file=file, err=file is None)
