"""``sidecar schema``: the JSON Schema of a configuration file, the installed plugins' settings included."""

import json

import click
from msgspec import Struct

from sidecar.cli.extensions import offered
from sidecar.configuration import schema as described
from sidecar.dialects import names
from sidecar.host import Unusable, find


@click.command(short_help="Print the JSON Schema of the configuration.")
def schema() -> None:
    """Print the JSON Schema of the configuration, the installed plugins' own settings included.

    Editors complete and check with it; put this in the first line of the file:

    \b
      # yaml-language-server: $schema=./sidecar.schema.json
    """
    structs: dict[str, type[Struct]] = {}
    for name in sorted({entry.name for entry in offered()}):
        try:
            structs[name] = find(name).Config  # type: ignore[attr-defined]
        except Unusable as error:
            click.echo(f"sidecar: left out: {error}", err=True)
    click.echo(json.dumps(described(structs, names()), indent=2, ensure_ascii=False))
