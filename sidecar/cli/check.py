"""``sidecar check``: everything that is wrong with a configuration, at once."""

from collections.abc import Sequence
from pathlib import Path

import click

from sidecar.cli.exits import EPILOG, Exit
from sidecar.cli.legible import json_text
from sidecar.cli.loading import examined, serious
from sidecar.cli.options import allow_missing_option, config_option, output_option, set_option
from sidecar.configuration import Configuration, Problem, rendered


@click.command(epilog=EPILOG)
@config_option
@set_option
@output_option
@allow_missing_option
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
def check(config: Path | None, overrides: tuple[str, ...], output: str, allow_missing: bool, strict: bool) -> None:
    """Say everything that is wrong with a configuration, plugins' own settings included.

    Ends with 0 if `sidecar run` would accept it, with 3 if not.
    """
    configuration, problems = examined(config, overrides)
    failing = serious(problems, allow_missing=allow_missing, strict=strict)
    good = configuration is not None and not failing
    if output == "json":
        digest = configuration.digest if good and configuration is not None else None
        told = {"valid": good, "file": str(config) if config else None, "digest": digest, "problems": problems}
        click.echo(json_text(told))
    else:
        shown = [problem for problem in problems if problem in failing or not problem.missing]
        if shown:
            click.echo(rendered(shown))
        if good and configuration is not None:
            click.echo(summary(config, configuration, problems))
    click.get_current_context().exit(Exit.OK if good else Exit.CONFIGURATION)


def summary(file: Path | None, configuration: Configuration, problems: Sequence[Problem]) -> str:
    """What a configuration without errors amounts to."""
    settings = configuration.settings
    listening = [f"proxy {settings.listen.address}", f"admin {settings.admin.address}"]
    if settings.probes.address is not None:
        listening.append(f"probes {settings.probes.address}")
    enabled = {name: each for name, each in settings.providers.items() if each.enabled}
    listening += [f"{name} on port {each.port}" for name, each in enabled.items() if each.port]
    lines = [
        f"ok: {file or 'the defaults'}, digest {configuration.digest}",
        f"  listens    {', '.join(listening)}",
        f"  providers  {len(enabled)}{_of_ones_own(configured(configuration))}",
        f"  plugins    {' › '.join(plugin.label for plugin in settings.plugins) or 'none'}",
    ]
    missing = sum(problem.missing for problem in problems)
    if missing:
        lines.append(f"  not looked at: {missing} reference{'s' * (missing > 1)} to what is not here")
    return "\n".join(lines)


def configured(configuration: Configuration) -> list[str]:
    """The enabled providers of which a file, a variable or an option says something."""
    named = {
        path.split(".")[1]
        for path, origin in configuration.provenance.items()
        if path.startswith("providers.") and origin not in ("default", "catalogue")
    }
    return [name for name, each in configuration.settings.providers.items() if each.enabled and name in named]


def _of_ones_own(names: Sequence[str]) -> str:
    return f", of which configured here: {', '.join(names)}" if names else ", all built in"
