"""Options of the commands that put sidecars into pods."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from sidecar.inject import InjectSettings
from sidecar.inject.settings import MODES

Command = TypeVar("Command", bound=Callable[..., Any])


def image_option(command: Command) -> Command:
    return click.option(
        "--image",
        metavar="IMAGE",
        default=InjectSettings().image,
        show_default=True,
        help="The sidecar's, in pods that do not say.",
    )(command)


def mode_option(command: Command) -> Command:
    return click.option(
        "--mode",
        type=click.Choice(MODES),
        default=InjectSettings().mode,
        show_default=True,
        help="How calls reach the sidecar, in pods that do not say.",
    )(command)
