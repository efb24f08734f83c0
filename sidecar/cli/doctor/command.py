"""``sidecar doctor``: finds out facts, has them judged, and shows the list."""

import datetime as dt
import os
import shutil
import ssl
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path

import click

from sidecar.cli.check import configured as given_by_hand
from sidecar.cli.doctor import agent as agents
from sidecar.cli.doctor.capture import capture
from sidecar.cli.doctor.certificates import certificates, published
from sidecar.cli.doctor.checked import Checked, Mark, told
from sidecar.cli.doctor.configured import configuration as configuration_checks
from sidecar.cli.doctor.hosts_file import Answers
from sidecar.cli.doctor.listening import addresses, running, running_status
from sidecar.cli.doctor.machine import by_dns, this_machine
from sidecar.cli.doctor.reaching import Target, collector, providers, tracing
from sidecar.cli.doctor.runtime import runtime
from sidecar.cli.exits import EPILOG, Exit
from sidecar.cli.legible import json_text, paint_for, say
from sidecar.cli.loading import examined
from sidecar.cli.options import colour_option, config_option, output_option, set_option
from sidecar.configuration import Configuration, hosts
from sidecar.configuration import providers as built
from sidecar.intercept.authority import ROOT_FILE
from sidecar.settings import Settings
from sidecar.upstream.dial import client_context


@click.command(epilog=EPILOG)
@config_option
@set_option
@click.option(
    "--admin",
    envvar="SIDECAR_ADMIN",
    show_envvar=True,
    metavar="URL",
    help="Where a running sidecar is asked; without it, at the configuration's admin.address.",
)
@click.option("--providers", "all_providers", is_flag=True, help="Try every provider, the built-in ones too.")
@click.option(
    "--agent-env",
    metavar="PID|FILE|-",
    help="The agent's environment: that of a process, or lines NAME=value. Without it, that of this shell.",
)
@output_option
@colour_option
def doctor(
    config: Path | None,
    overrides: tuple[str, ...],
    admin: str | None,
    all_providers: bool,
    agent_env: str | None,
    output: str,
    no_color: bool,
) -> None:
    """Find out what is wrong with this set-up, and how to mend it.

    Looks at the configuration, the versions, the addresses, a sidecar that runs, what leads connections to it,
    certificates, the providers that the configuration names, the collector of traces, and the environment of an agent.
    Ends with 1 if anything failed; warnings do not count. Nothing is changed.
    """
    checks = list(_checks(config, overrides, admin, all_providers, agent_env))
    failed = any(check.mark is Mark.FAILED for check in checks)
    if output == "json":
        click.echo(json_text({"ok": not failed, "checks": checks}))
    else:
        paint = paint_for(sys.stdout, no_color)
        say("\n".join(told(checks, paint, shutil.get_terminal_size((100, 24)).columns)), paint)
    click.get_current_context().exit(Exit.NO if failed else Exit.OK)


def _checks(
    file: Path | None, overrides: Sequence[str], admin: str | None, all_providers: bool, agent_env: str | None
) -> Iterator[Checked]:
    environ, given = _environment(agent_env)
    found = examined(file, overrides)
    yield from configuration_checks(file, found)
    configuration = found.configuration
    settings = Settings() if configuration is None else configuration.settings
    yield from runtime(settings.listen.limits.connections)
    admin = admin or f"http://{settings.admin.address}"
    status = running_status(admin)
    yield from addresses(settings, status)
    yield from running(status, admin, None if configuration is None or found.errors else configuration.digest)
    claims = [] if configuration is None else hosts(configuration, built(configuration))
    if settings.listen.transparent:
        origins = [(pattern, provider.origin) for pattern, provider in claims]
        yield from capture(settings, origins, status, this_machine(), by_dns)
    directory = Path(settings.tls.directory_in(os.environ))
    known = [pattern.removeprefix("*.") for pattern, _ in claims]
    trust = directory
    if settings.tls.intercept:
        yield from certificates(directory, sorted({*known}), dt.datetime.now(dt.UTC))
        if settings.tls.trust_directory is not None:
            trust = Path(settings.tls.trust_directory).expanduser()
            yield from published(trust, _root(directory))
    if configuration is not None:
        yield from providers(_targets(configuration, all_providers))
        yield from _tracing(configuration)
    yield from agents.agent(
        environ, _here(settings, status, known, trust), agents.holding(_root(directory)), given=given
    )


def _environment(source: str | None) -> tuple[Mapping[str, str], bool]:
    """The variables to look at, and whether somebody named them."""
    if source is None:
        return os.environ, False
    try:
        if source == "-":
            return agents.environment("-", lambda path: sys.stdin.buffer.read()), True
        return agents.environment(source, lambda path: Path(path).read_bytes()), True
    except agents.Unreadable as error:
        raise click.UsageError(f"--agent-env {source}: {error}") from error


def _here(settings: Settings, status: Mapping[str, object] | None, known: Sequence[str], trust: Path) -> agents.Here:
    """Where the agent should be pointing: to the sidecar that runs, if one does."""
    enabled = {str(name): each for name, each in settings.providers.items() if each.enabled}
    ports = {each.port: name for name, each in enabled.items() if each.port}
    listening = settings.listen.address.port
    if status is not None:
        told = status["addresses"]
        assert isinstance(told, dict)
        listening = int(str(told["proxy"]).rpartition(":")[2])
    return agents.Here(
        port=listening,
        own_ports=ports,
        providers=[name for name, each in enabled.items() if each.url],
        hosts=known,
        intercepts=settings.tls.intercept,
        directory=trust,
        captured=bool(settings.listen.transparent),
    )


def _root(directory: Path) -> bytes | None:
    try:
        return (directory / ROOT_FILE).read_bytes()
    except OSError:
        return None


def _targets(configuration: Configuration, all_providers: bool) -> list[Target]:
    settings = configuration.settings
    names = settings.providers if all_providers else given_by_hand(configuration)
    chosen = {str(name): each for name in names if (each := settings.providers[name]).enabled and each.url is not None}
    asked = {each.url.origin.host for each in chosen.values() if each.url is not None and not each.url.loopback}
    known: Answers = by_dns(sorted(asked)) if settings.upstream.resolver == "dns" and asked else {}
    targets = []
    for name, provider in chosen.items():
        assert provider.url is not None
        origin = provider.url.origin
        extra = (*settings.tls.extra_ca_files, *([provider.ca_file] if provider.ca_file else []))
        trust = partial(_trust, extra)
        targets.append(Target(name=name, origin=origin, trust=trust, known=known.get(origin.host)))
    return targets


@cache
def _trust(extra: tuple[str, ...]) -> ssl.SSLContext:
    return client_context(extra)


def _tracing(configuration: Configuration) -> Iterator[Checked]:
    """The collector, if traces are to be sent."""
    from sidecar.configuration import InvalidConfiguration
    from sidecar.host import Unusable, find

    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return
    for index, plugin in enumerate(configuration.settings.plugins):
        if plugin.use != "tracing":
            continue
        try:
            own = configuration.convert_plugin(index, find("tracing").Config)  # type: ignore[attr-defined]
        except (InvalidConfiguration, Unusable):
            continue  # has been said
        where = collector(getattr(own, "endpoint", None), getattr(own, "protocol", None), os.environ)
        yield tracing(where, lambda: _trust(configuration.settings.tls.extra_ca_files))
