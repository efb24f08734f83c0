"""``sidecar version``."""

import platform
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed

import click

from sidecar import __version__
from sidecar.cli.legible import json_text
from sidecar.cli.options import output_option

PARTS = ("uvloop", "aiohttp", "httptools", "msgspec", "pluggy", "cryptography", "opentelemetry-exporter-otlp")


def versions() -> dict[str, str | None]:
    """Of the sidecar, of Python, and of what the sidecar stands on; None for what is not installed."""
    found: dict[str, str | None] = {"agent-sidecar": __version__, "python": platform.python_version()}
    for part in PARTS:
        try:
            found[part] = installed(part)
        except PackageNotFoundError:
            found[part] = None
    return found


@click.command()
@output_option
def version(output: str) -> None:
    """Print the versions of the sidecar and of what it stands on."""
    found = versions()
    if output == "json":
        click.echo(json_text(found))
        return
    for name, number in found.items():
        click.echo(f"{name} {number or 'is not installed'}")
