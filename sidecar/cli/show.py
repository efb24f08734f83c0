"""``sidecar config``: what is configured, and where it comes from."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from sidecar.cli.exits import EPILOG
from sidecar.cli.keys import keys
from sidecar.cli.legible import json_text
from sidecar.cli.loading import usable
from sidecar.cli.options import allow_missing_option, config_option, set_option
from sidecar.cli.schema import schema
from sidecar.cli.yaml_text import written
from sidecar.configuration import Configuration
from sidecar.host import find

_BUILT_IN = ("default", "catalogue")


@click.group(epilog=EPILOG)
def config() -> None:
    """Show what is configured, and where it comes from."""


config.add_command(schema)


@config.command(epilog=EPILOG, short_help="Show the settings, and where each comes from.")
@config_option
@set_option
@allow_missing_option
@click.option("--effective", is_flag=True, help="Every setting, also those that nobody gave.")
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True, help="How.")
def show(config: Path | None, overrides: tuple[str, ...], allow_missing: bool, effective: bool, output: str) -> None:
    """Show the settings that a file, a variable or an option gives, and which of them it was.

    What ${env:…} and ${file:…} stand for is never shown. The YAML is itself a configuration that means the same.
    """
    configuration = usable(config, overrides, allow_missing=allow_missing)
    values, origins = everything(configuration)
    if not effective:
        values, origins = given(values, origins)
    if output == "json":
        click.echo(json_text({"digest": configuration.digest, "values": values, "origins": origins}))
        return
    click.echo(f"# digest {configuration.digest}")
    if values:
        click.echo(written(values, origins), nl=False)
    else:
        click.echo("# nothing is given, so the defaults hold: --effective shows them")


def everything(configuration: Configuration) -> tuple[dict[str, Any], dict[str, str]]:
    """All settings as they would be written, and by their paths where they come from; plugins' own included."""
    values, origins = dict(configuration.effective), dict(configuration.provenance)
    plugins = []
    for index, entry in enumerate(values["plugins"]):
        path = f"plugins[{index}].config"
        origins.pop(path, None)  # of an empty mapping
        own = entry["config"] or {}
        kind = find(entry["use"])
        defaults = {key.path: key.default for key in keys(kind.Config) if not key.required}  # type: ignore[attr-defined]
        absent = tuple(f"{path}." for path, default in defaults.items() if default is None)
        defaults = {path: default for path, default in defaults.items() if not path.startswith(absent)}
        merged = _with_defaults(own, defaults, "", path, origins)
        plugins.append({**entry, "config": merged})
        if not merged:
            origins[path] = "default"
    values["plugins"] = plugins
    return values, origins


def _with_defaults(
    own: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str, path: str, origins: dict[str, str]
) -> dict[str, Any]:
    """*own* settings of a plugin, with *defaults* (by dotted path) for what is not given; notes their origin."""
    merged: dict[str, Any] = {}
    for dotted, default in defaults.items():
        if not dotted.startswith(prefix) or "[]" in dotted or ".<name>" in dotted:
            continue  # what belongs to items that are not there has no value
        key, _, further = dotted.removeprefix(prefix).partition(".")
        if key in merged:
            continue
        if further:
            below = own.get(key)
            section = below if isinstance(below, Mapping) else {}
            merged[key] = _with_defaults(section, defaults, f"{prefix}{key}.", f"{path}.{key}", origins)
        elif key in own:
            merged[key] = own[key]
        else:
            merged[key] = default
            origins[f"{path}.{key}"] = "default"
    return merged | {key: value for key, value in own.items() if key not in merged}


def given(values: Mapping[str, Any], origins: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Only what a file, a variable or an option says. A list stands whole or not at all."""
    told = {path: origin for path, origin in origins.items() if origin not in _BUILT_IN}
    kept: dict[str, Any] = {}
    for path in told:
        _copy(values, kept, list(_parts(path)))
    lists = {path.partition("[")[0] for path in told}
    return kept, {path: origin for path, origin in origins.items() if path in told or path.partition("[")[0] in lists}


def _parts(path: str) -> Iterator[str]:
    """The keys up to the value, or up to the list that it is in."""
    yield from path.partition("[")[0].split(".")


def _copy(values: Mapping[str, Any], kept: dict[str, Any], keys: list[str]) -> None:
    key, *rest = keys
    if not rest:
        kept[key] = values[key]
        return
    _copy(values[key], kept.setdefault(key, {}), rest)
