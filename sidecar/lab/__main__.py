"""``python -m sidecar.lab``: emulated providers as a process of their own, until it is told to end."""

import asyncio
import json
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import click
import uvloop

from sidecar.lab.engines.contract import EngineMissing, Progress
from sidecar.lab.faults import Fault
from sidecar.lab.lab import Lab
from sidecar.lab.latency import profile
from sidecar.lab.providers.known import NAMES


def parse_fault(text: str) -> tuple[str, Fault, float]:
    """``openai:429:0.05`` or ``openai:rate:2:0.05``: a provider (or ``*``), a fault, and how probable it is.

    Raises:
        ValueError: it is not of that form.
    """
    provider, _, rest = text.partition(":")
    fault, colon, probability = rest.rpartition(":")
    if not colon or (provider not in NAMES and provider != "*"):
        raise ValueError(f"{text!r} is not PROVIDER:FAULT:PROBABILITY")
    chance = float(probability)
    if not 0 <= chance <= 1:
        raise ValueError(f"a probability lies between 0 and 1, not at {chance}")
    return provider, Fault.parse(fault), chance


class FaultType(click.ParamType[tuple[str, Fault, float]]):
    name = "provider:fault:probability"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Fault, float]:
        try:
            return parse_fault(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class PortType(click.ParamType[tuple[str, int]]):
    name = "provider=port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        provider, _, port = str(value).partition("=")
        if provider not in NAMES or not port.isdecimal():
            self.fail(f"{value!r} is not PROVIDER=PORT", param, ctx)
        return provider, int(port)


@click.command()
@click.option("--providers", default="", help="Names with commas between them; all of them if not given.")
@click.option("--engines", type=click.Choice(["echo", "real"]), default="echo", show_default=True)
@click.option("--latency", default="none", show_default=True, help="none, realistic or realistic:FACTOR.")
@click.option("--fault", "faults", type=FaultType(), multiple=True, help="E.g. openai:429:0.05, or *:cut:0.01.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--tls", is_flag=True, help="A TLS port for each provider, too.")
@click.option("--gzip", "gzip_json", is_flag=True, help="Compress JSON answers for clients that take it.")
@click.option("--ca-file", type=click.Path(path_type=Path, dir_okay=False), help="Where to write the TLS ports' CA.")
@click.option("--bind", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", "ports", type=PortType(), multiple=True, help="A provider's plain port; else a free one.")
@click.option("--print-urls", type=click.Choice(["json", "text"]), default="text", show_default=True)
def main(
    providers: str,
    engines: str,
    latency: str,
    faults: tuple[tuple[str, Fault, float], ...],
    seed: int,
    tls: bool,
    gzip_json: bool,
    ca_file: Path | None,
    bind: str,
    ports: tuple[tuple[str, int], ...],
    print_urls: str,
) -> None:
    """Emulated speech and language-model providers, until SIGTERM or SIGINT."""
    try:
        lab = Lab(
            *filter(None, providers.split(",")),
            engines=engines,
            latency=profile(latency),
            tls=tls or ca_file is not None,
            gzip_json=gzip_json,
            recording=False,
            seed=seed,
            host=bind,
            ports=dict(ports),
            progress=_show,
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            runner.run(_serve(lab, faults, ca_file, print_urls))
        except (EngineMissing, OSError) as error:
            raise click.ClickException(str(error)) from None


async def _serve(lab: Lab, faults: tuple[tuple[str, Fault, float], ...], ca_file: Path | None, form: str) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with lab:
        for name, fault, probability in faults:
            for provider in lab.providers if name == "*" else [name]:
                lab.provider(provider).fail_rate(fault, probability)
        if ca_file is not None:
            await asyncio.to_thread(ca_file.write_bytes, lab.ca_pem)
        click.echo(_places(lab, ca_file, form))
        sys.stdout.flush()
        await ended.wait()


def _places(lab: Lab, ca_file: Path | None, form: str) -> str:
    """One line of JSON, or one line of text per provider."""
    found: dict[str, Mapping[str, object]] = {
        name: {"url": one.url, "tls_url": one.tls_url, "hosts": one.hosts} for name, one in lab.providers.items()
    }
    if form == "json":
        return json.dumps({"providers": found, "ca_file": None if ca_file is None else str(ca_file)})
    return "\n".join(f"{name:14} {one['url']} {one['tls_url'] or ''}".rstrip() for name, one in found.items())


def _show(progress: Progress) -> None:
    click.echo(f"{progress.engine}: {progress.step} ({progress.part:.0%})", err=True)


if __name__ == "__main__":
    main()
