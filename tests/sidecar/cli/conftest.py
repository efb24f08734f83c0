"""The command line, called in this process; and a plugin of somebody else's."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sidecar.cli.program import program
from tests.sidecar.cli.processes import Invoke


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Call the command in this process; nothing of this machine's environment configures it."""
    for name in list(os.environ):
        if name.startswith(("SIDECAR_", "OTEL_")):
            monkeypatch.delenv(name)

    def call(*arguments: str, env: Mapping[str, str] | None = None, input: str | None = None) -> Result:
        return CliRunner().invoke(program, arguments, prog_name="sidecar", env=env, input=input)

    return call


PLUGIN = '''
"""A plugin as a third party would write it."""

from typing import Annotated, Literal

from msgspec import Meta

from sidecar import AroundExchange, Exchange, ExchangeHandler, PluginConfig, Response, hookimpl
from sidecar.provider import Secret
from sidecar.units import Duration


class Limits(PluginConfig, frozen=True):
    """How much."""

    calls: Annotated[int, Meta(ge=1, description="How many calls are greeted.")] = 3


class GreeterConfig(PluginConfig, frozen=True):
    """How to greet."""

    greeting: Annotated[str, Meta(description="What is said.")]
    tone: Annotated[Literal["warm", "cool"], Meta(description="In which tone.")] = "warm"
    pause: Annotated[Duration, Meta(description="Before it is said.")] = Duration("1s")
    key: Annotated[Secret | None, Meta(description="For the greeting service.")] = None
    limits: Limits = Limits()


class Greeter(AroundExchange):
    """Greets every call.

    And means it.
    """

    Config = GreeterConfig
    sockets = True

    def __init__(self, config: GreeterConfig) -> None:
        self.config = config

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        exchange.note("greeter", "greeted", self.config.greeting)
        return await call_next(exchange)
'''


@pytest.fixture
def greeter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution with a plugin, installed for this process; for others by ``PYTHONPATH``."""
    site = tmp_path / "site"
    information = site / "agent_greeter-1.2.dist-info"
    information.mkdir(parents=True)
    (site / "agent_greeter.py").write_text(PLUGIN)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: agent-greeter\nVersion: 1.2\n")
    (information / "entry_points.txt").write_text("[sidecar]\ngreeter = agent_greeter:Greeter\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "agent_greeter", raising=False)
    return site
