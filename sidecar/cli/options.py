"""Options that several commands have."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

ADMIN_URL = "http://127.0.0.1:15088"

Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(command: Command) -> Command:
    return click.option(
        "-c",
        "--config",
        "config",
        type=click.Path(path_type=Path),
        envvar="SIDECAR_CONFIG",
        show_envvar=True,
        metavar="FILE",
        help="The configuration; without one the defaults hold.",
    )(command)


def set_option(command: Command) -> Command:
    return click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="PATH=VALUE",
        help="One setting, over what the file and the environment say: --set log.level=debug. Repeatable.",
    )(command)


def allow_missing_option(command: Command) -> Command:
    return click.option(
        "--allow-missing",
        is_flag=True,
        help="Do not mind ${env:…} and ${file:…} that refer to what is not here: for CI, which has no secrets.",
    )(command)


def admin_option(command: Command) -> Command:
    return click.option(
        "--admin",
        envvar="SIDECAR_ADMIN",
        default=ADMIN_URL,
        show_default=True,
        show_envvar=True,
        metavar="URL",
        help="Where the running sidecar is asked.",
    )(command)


def output_option(command: Command) -> Command:
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="For people, or for programs.",
    )(command)


def colour_option(command: Command) -> Command:
    return click.option("--no-color", is_flag=True, help="No colours, as if NO_COLOR were set.")(command)
