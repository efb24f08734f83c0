"""``sidecar stacks``: the way of a call through the plugins."""

import asyncio
from pathlib import Path

import click

from sidecar.cli.exits import EPILOG
from sidecar.cli.legible import columns, json_text
from sidecar.cli.loading import usable
from sidecar.cli.options import config_option, output_option, set_option
from sidecar.configuration import Configuration
from sidecar.journal import Journal
from sidecar.metrics import Metrics
from sidecar.service import Service
from sidecar.upstream.dial import SystemResolver
from sidecar.watchdog import Watchdog


@click.command(epilog=EPILOG)
@config_option
@set_option
@output_option
def stacks(config: Path | None, overrides: tuple[str, ...], output: str) -> None:
    """Show the way of a call through the plugins, per operation, outermost first.

    What stands before (dispatch) sees a call once, what stands after it once per provider tried.
    """
    found = asyncio.run(_stacks(usable(config, overrides)))
    if output == "json":
        click.echo(json_text(found))
    else:
        click.echo("\n".join(columns(list(found.items()))))


async def _stacks(configuration: Configuration) -> dict[str, str]:
    """As a start would compose them; nothing is started."""
    service = Service(
        configuration,
        watchdog=Watchdog(),
        resolver=SystemResolver(),
        metrics=Metrics(),
        journal=Journal(),
    )
    return service.stacks()
