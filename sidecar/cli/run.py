"""``sidecar run``: the server. What is imported here is imported before the first call can be served."""

import contextlib
import gc
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import uvloop

from sidecar.application import Application
from sidecar.application import run as serve
from sidecar.cli.exits import EPILOG, Exit, Stop
from sidecar.cli.options import config_option, set_option
from sidecar.configuration import Configuration, InvalidConfiguration, load
from sidecar.errors import ConfigurationError
from sidecar.logs import set_up

#: Open files: more than the connections that can be configured on both sides.
_MOST_FILES = 1 << 18


@click.command(epilog=EPILOG)
@config_option
@set_option
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="The least that is logged; the same as --set log.level=….",
)
def run(config: Path | None, overrides: tuple[str, ...], log_level: str | None) -> None:
    """Serve until SIGTERM or Ctrl-C; calls under way may finish.

    SIGHUP reads the configuration anew, as does a change of its file. On a terminal it says how to point an SDK here;
    elsewhere it logs JSON lines, the one with the message "ready" naming the addresses.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # a reload that is asked for too early is no reason to die
    if log_level is not None:
        overrides = (*overrides, f"log.level={log_level}")
    _allow_many_files()
    first: list[Configuration] = []
    try:
        first.append(load(config, os.environ, overrides))
        log = first[0].settings.log
        set_up(log.level, log.format)
        told = sys.stderr.isatty() and log.format != "json"

        def anew() -> Configuration:
            return first.pop() if first else load(config, os.environ, overrides)

        def ready(application: Application) -> None:
            gc.enable()
            if told:
                _tell(application, config)

        gc.disable()  # nothing of what a start makes is garbage; the application freezes it when it is ready
        uvloop.run(serve(anew, config, ready))
    except InvalidConfiguration as error:
        raise Stop(_everything(config, overrides, error), Exit.CONFIGURATION) from error
    except ConfigurationError as error:
        raise Stop(str(error), Exit.ENVIRONMENT) from error


def _everything(config: Path | None, overrides: Sequence[str], error: InvalidConfiguration) -> str:
    """All that is wrong: a start ends at the first stage with problems, and plugins come later."""
    from sidecar.cli.loading import examined, serious
    from sidecar.configuration import rendered

    errors = serious(examined(config, overrides).problems)
    return rendered(errors) if errors else str(error)


def _allow_many_files() -> None:
    """Use what the machine grants anyway: the usual soft limit of 1024 is for programs that call select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _tell(application: Application, config: Path | None) -> None:
    from sidecar.cli.banner import Ready, banner
    from sidecar.intercept.authority import BUNDLE_FILE

    service, authority = application.service, application.authority
    ready = Ready(
        addresses=application.addresses,
        providers=[name for name, provider in service.providers.items() if provider.origin.host],
        plugins=[loaded.label for loaded in service.host.plugins],
        bundle=None if authority is None else authority.directory / BUNDLE_FILE,
        source=f"{config or 'the defaults'} (digest {service.configuration.digest})",
        pid=os.getpid(),
    )
    click.echo(banner(ready), err=True)
