"""``sidecar status``: what a running sidecar is and does, in short."""

import shutil
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

import click
import msgspec

from sidecar.cli.asking import Asking
from sidecar.cli.exits import EPILOG
from sidecar.cli.legible import json_text
from sidecar.cli.options import admin_option, output_option
from sidecar.cli.quantities import seconds


@click.command(epilog=EPILOG)
@admin_option
@output_option
def status(admin: str, output: str) -> None:
    """Show what a running sidecar is and does."""
    found = msgspec.json.decode(Asking(admin).status())
    click.echo(json_text(found) if output == "json" else told(found, shutil.get_terminal_size((100, 24)).columns))


def told(status: dict[str, Any], width: int) -> str:
    """What ``/status`` answered, for people."""
    configuration = status["configuration"]
    calls = status["in_flight"]
    rows = [("configuration", f"{configuration['file'] or 'the defaults'}, digest {configuration['digest']}")]
    rows += [(name, f"http://{address}") for name, address in status["addresses"].items()]
    rows.append(("bundle", status["bundle"] or "none: TLS is not ended here"))
    rows.append(("plugins", ", ".join(map(_plugin, status["plugins"])) or "none"))
    rows += [(operation, way) for operation, way in status["stacks"].items()]
    by_url = [name for name, provider in status["providers"].items() if provider["url"]]
    by_host = [name for name, provider in status["providers"].items() if not provider["url"]]
    rows.append(("providers", ", ".join(by_url) or "none"))
    if by_host:
        rows.append(("by host only", ", ".join(by_host)))
    head = f"agent-sidecar {status['version']}, up {seconds(status['uptime_seconds'])}, {calls} calls under way"
    return "\n".join([head, *_laid_out(rows, width)])


def _laid_out(rows: Sequence[tuple[str, str]], width: int) -> Iterator[str]:
    """Names and values in columns, long values on several lines."""
    first = max(len(name) for name, _ in rows)
    for name, value in rows:
        head, *more = wrap(value, max(width - first - 4, 40), break_long_words=False, break_on_hyphens=False)
        yield f"  {name:<{first}}  {head}"
        yield from (f"{'':<{first}}    {line}" for line in more)


def _plugin(plugin: dict[str, Any]) -> str:
    notes = []
    if plugin["faults"]:
        notes.append(f"{plugin['faults']} faults")
    if plugin["quarantined"]:
        notes.append("in quarantine")
    return f"{plugin['name']} ({', '.join(notes)})" if notes else str(plugin["name"])
