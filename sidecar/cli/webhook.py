"""``sidecar webhook``: the injector as Kubernetes asks it."""

from pathlib import Path

import click
import uvloop

from sidecar.addresses import Address
from sidecar.cli.exits import EPILOG, Exit, Stop
from sidecar.errors import ConfigurationError
from sidecar.inject import InjectSettings
from sidecar.inject.settings import MODES, Mode
from sidecar.logs import set_up
from sidecar.webhook.serving import Certificate, Webhook, run


class _AddressType(click.ParamType):  # type: ignore[type-arg]  # generic for type checkers alone
    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        try:
            return Address(value)
        except ValueError as error:
            self.fail(f"{value} {'; '.join(filter(None, error.args))}; expected {Address.expected}", param, ctx)


@click.command(epilog=EPILOG)
@click.option("--cert", type=click.Path(path_type=Path), required=True, help="The server's certificate, PEM.")
@click.option("--key", type=click.Path(path_type=Path), required=True, help="Its key, PEM. Both may be replaced.")
@click.option(
    "--address", type=_AddressType(), default="0.0.0.0:8443", show_default=True, help="Where reviews come in."
)
@click.option(
    "--probes", type=_AddressType(), default="0.0.0.0:15089", show_default=True, help="/livez, /readyz and /metrics."
)
@click.option(
    "--image",
    metavar="IMAGE",
    default=InjectSettings().image,
    show_default=True,
    help="The sidecar's, in pods that do not say.",
)
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default=InjectSettings().mode,
    show_default=True,
    help="How calls reach the sidecar, in pods that do not say.",
)
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info")
def webhook(cert: Path, key: Path, address: Address, probes: Address, image: str, mode: Mode, log_level: str) -> None:
    """Put a sidecar into every pod that Kubernetes asks about.

    Reviews for namespaces whose Pod Security forbids NET_ADMIN go to /mutate/hosts, others to /mutate/any. New files of
    certificate and key are taken within seconds.
    """
    set_up(log_level, "auto")
    try:
        uvloop.run(run(Webhook(InjectSettings(image=image, mode=mode), Certificate(cert, key)), address, probes))
    except ConfigurationError as error:
        raise Stop(str(error), Exit.ENVIRONMENT) from error
