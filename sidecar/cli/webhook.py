"""``sidecar webhook``: the injector as Kubernetes asks it."""

import os
import re
from functools import partial
from pathlib import Path
from typing import Final

import click
import uvloop

from sidecar.addresses import Address
from sidecar.cli.exits import EPILOG, Exit, Stop
from sidecar.cli.injecting import image_option, mode_option
from sidecar.errors import ConfigurationError
from sidecar.inject import InjectSettings
from sidecar.inject.settings import Mode
from sidecar.logs import set_up
from sidecar.webhook.files import CertificateFiles
from sidecar.webhook.keeping import Keeper
from sidecar.webhook.kubernetes import SERVICE_ACCOUNT, access, connected, own_namespace
from sidecar.webhook.objects import Objects
from sidecar.webhook.presented import Source
from sidecar.webhook.serving import Webhook, run

_NAME: Final = "agent-sidecar-injector"


class _AddressType(click.ParamType):  # type: ignore[type-arg]  # generic for type checkers alone
    name = "address"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        try:
            return Address(value)
        except ValueError as error:
            self.fail(f"{value} {'; '.join(filter(None, error.args))}; expected {Address.expected}", param, ctx)


class _ObjectType(click.ParamType):  # type: ignore[type-arg]  # generic for type checkers alone
    name = "name"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if len(value) > 253 or not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", value):
            self.fail(f"{value!r:.80} is no name; expected lower-case letters, digits, hyphens and dots", param, ctx)
        return value


@click.command(epilog=EPILOG)
@click.option("--cert", type=click.Path(path_type=Path), help="The server's certificate, PEM, if others keep it.")
@click.option("--key", type=click.Path(path_type=Path), help="Its key, PEM. Both may be replaced.")
@click.option("--namespace", type=_ObjectType(), show_default="the pod's", help="The injector's own.")
@click.option(
    "--service", type=_ObjectType(), default=_NAME, show_default=True, help="What Kubernetes calls the injector by."
)
@click.option(
    "--configuration",
    type=_ObjectType(),
    default=_NAME,
    show_default=True,
    help="The MutatingWebhookConfiguration that is to trust the certificate.",
)
@click.option(
    "--secret",
    type=_ObjectType(),
    default=f"{_NAME}-certificate",
    show_default=True,
    help="Where injectors keep it. It must be there, empty.",
)
@click.option(
    "--service-account",
    type=click.Path(path_type=Path),
    default=SERVICE_ACCOUNT,
    show_default=True,
    help="A directory with token, ca.crt and namespace for the Kubernetes API.",
)
@click.option(
    "--address", type=_AddressType(), default="0.0.0.0:8443", show_default=True, help="Where reviews come in."
)
@click.option(
    "--probes", type=_AddressType(), default="0.0.0.0:15089", show_default=True, help="/livez, /readyz and /metrics."
)
@image_option
@mode_option
@click.option("--log-level", type=click.Choice(["debug", "info", "warning", "error"]), default="info")
@click.pass_context
def webhook(
    context: click.Context,
    cert: Path | None,
    key: Path | None,
    namespace: str | None,
    service: str,
    configuration: str,
    secret: str,
    service_account: Path,
    address: Address,
    probes: Address,
    image: str,
    mode: Mode,
    log_level: str,
) -> None:
    """Put a sidecar into every pod that Kubernetes asks about.

    Reviews for namespaces whose Pod Security forbids NET_ADMIN go to /mutate/hosts, others to /mutate/any.

    The injector makes its certificate itself, renews it, keeps it in a Secret, and tells Kubernetes to trust it. With
    --cert and --key others do: new files are taken within seconds, and Kubernetes is asked nothing.
    """
    if (cert is None) != (key is None):
        raise click.UsageError("--cert and --key go together; name both, or neither")
    try:
        source: Source
        if cert is not None and key is not None:
            _refuse_beside_files(context)
            source = CertificateFiles(cert, key)
        else:
            at = access(os.environ, service_account)
            objects = Objects(namespace or own_namespace(service_account), service, secret, configuration)
            source = Keeper(objects, partial(connected, at, objects))
        set_up(log_level, "auto")
        uvloop.run(run(Webhook(InjectSettings(image=image, mode=mode), source), address, probes))
    except ConfigurationError as error:
        raise Stop(str(error), Exit.ENVIRONMENT) from error


def _refuse_beside_files(context: click.Context) -> None:
    """
    Raises:
        click.UsageError: an option was given that is of no use with --cert and --key.
    """
    for name in ("namespace", "service", "configuration", "secret", "service_account"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} is of no use with --cert and --key; leave it out, or them")
