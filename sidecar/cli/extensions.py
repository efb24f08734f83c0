"""``sidecar plugins``: what is installed, what is enabled, and what there is to configure."""

import inspect
from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import click
from msgspec import Struct

from sidecar.cli.exits import EPILOG, Exit, Stop
from sidecar.cli.keys import Key, keys
from sidecar.cli.legible import columns, json_text
from sidecar.cli.loading import configuration_of
from sidecar.cli.options import config_option, output_option, set_option
from sidecar.hookspecs import HOOKS
from sidecar.host import GROUP, Unusable, find

_HOOKS = tuple(name for spec in HOOKS for name in vars(spec) if not name.startswith("_"))


class Installed(Struct, frozen=True, kw_only=True):
    """A plugin that some distribution offers, or that the configuration names though none does."""

    name: str
    distribution: str
    """With its version; "" if nothing of that name is installed."""
    code: str
    """``package:Class``"""
    enabled_as: Sequence[str] = ()
    """Its labels in the configuration."""


class About(Struct, frozen=True, kw_only=True):
    """What there is to know of one plugin."""

    name: str
    distribution: str
    code: str
    file: str
    purpose: str
    hooks: Sequence[str]
    sockets: bool
    keys: Sequence[Key]
    enabled_as: Sequence[str]


class _Plugins(click.Group):
    """Lists where nothing else is asked for."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        nothing = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if nothing else args)


@click.group(cls=_Plugins, epilog=EPILOG, subcommand_metavar="[COMMAND] [ARGS]...")
def plugins() -> None:
    """Show which plugins are installed, and what they can.

    Without a sub-command: list. Only what the configuration names is ever imported by `sidecar run`.
    """


@plugins.command("list", epilog=EPILOG, short_help="List them, and whether they are enabled.")
@config_option
@set_option
@output_option
def listed(config: Path | None, overrides: tuple[str, ...], output: str) -> None:
    """List the plugins that are installed, and whether the configuration enables them."""
    found = inventory(offered(), _enabled(config, overrides))
    if output == "json":
        click.echo(json_text(found))
        return
    rows = [("NAME", "ENABLED", "FROM", "CODE")]
    rows += [(each.name, _enabled_told(each), each.distribution or "not installed", each.code or "-") for each in found]
    click.echo("\n".join(columns(rows)))


@plugins.command(epilog=EPILOG, short_help="Show one: its origin, its hooks, its settings.")
@click.argument("name")
@config_option
@set_option
@output_option
def info(name: str, config: Path | None, overrides: tuple[str, ...], output: str) -> None:
    """Show one plugin: where it comes from, its hooks, and every setting that it has."""
    try:
        about = described(name, _enabled(config, overrides))
    except Unusable as error:
        raise Stop(str(error), Exit.NO) from error
    click.echo(json_text(about) if output == "json" else told(about))


def offered() -> tuple[EntryPoint, ...]:
    """The plugins that installed distributions offer; nothing is imported."""
    return tuple(entry_points(group=GROUP))


def inventory(offers: Sequence[EntryPoint], enabled: Mapping[str, Sequence[str]]) -> list[Installed]:
    """By name: what is offered, and what is enabled (labels by plugin name) without being offered."""
    found = [
        Installed(
            name=entry.name,
            distribution=_distribution(entry),
            code=entry.value,
            enabled_as=tuple(enabled.get(entry.name, ())),
        )
        for entry in offers
    ]
    absent = enabled.keys() - {entry.name for entry in offers}
    found += [Installed(name=name, distribution="", code="", enabled_as=tuple(enabled[name])) for name in absent]
    return sorted(found, key=lambda each: each.name)


def described(name: str, enabled: Mapping[str, Sequence[str]]) -> About:
    """
    Raises:
        Unusable: nothing is installed under *name*, or it cannot be imported.
    """
    kind = find(name)
    entry = next(entry for entry in offered() if entry.name == name)
    return About(
        name=name,
        distribution=_distribution(entry),
        code=entry.value,
        file=inspect.getfile(kind),
        purpose=inspect.getdoc(kind) or "",
        hooks=[hook for hook in _HOOKS if hasattr(getattr(kind, hook, None), f"{GROUP}_impl")],
        sockets=bool(getattr(kind, "sockets", False)),
        keys=list(keys(kind.Config)),  # type: ignore[attr-defined]
        enabled_as=tuple(enabled.get(name, ())),
    )


def told(about: About) -> str:
    """*about* for people."""
    rows = [
        ("from", about.distribution),
        ("code", f"{about.code}  ({about.file})"),
        ("enabled", ", ".join(about.enabled_as) or f"no; add it under plugins: as  - use: {about.name}"),
        ("hooks", ", ".join(about.hooks)),
        ("sockets", "its layers stand around WebSockets too" if about.sockets else "WebSockets pass it by"),
    ]
    lines = [about.name, *columns(rows, "  "), ""]
    if about.purpose:
        lines += [*(f"  {line}".rstrip() for line in about.purpose.splitlines()), ""]
    lines.append("settings, under config:" if about.keys else "no settings")
    for key in about.keys:
        default = "required" if key.required else f"default {json_text(key.default, indent=0)}"
        lines += [f"  {key.path}: {key.expected} ({default})"]
        if key.description:
            lines.append(f"      {key.description}")
    return "\n".join(lines)


def _enabled(file: Path | None, overrides: Sequence[str]) -> dict[str, list[str]]:
    """The labels that the configuration has for each plugin."""
    labels: dict[str, list[str]] = {}
    for plugin in configuration_of(file, overrides).settings.plugins:
        labels.setdefault(str(plugin.use), []).append(str(plugin.label))
    return labels


def _enabled_told(plugin: Installed) -> str:
    if not plugin.enabled_as:
        return "no"
    return "yes" if list(plugin.enabled_as) == [plugin.name] else f"as {', '.join(plugin.enabled_as)}"


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "?"
