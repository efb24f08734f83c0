"""What can be configured, as types: names, meanings, limits and defaults of every key. Reading a file into them is
`sidecar.configuration`; the JSON Schema comes from here, so each field says what it is for.

Durations are `Duration` (seconds, a float) and sizes `Size` (bytes, an int).
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from sidecar.addresses import Address, Name
from sidecar.settings.doors import Forward, Listen, Tls
from sidecar.settings.plugins import PluginSettings
from sidecar.settings.providers import ProviderName, ProviderSettings, ProviderTimeouts, Upstream, UpstreamTimeouts
from sidecar.units import Duration

__all__ = ["PluginSettings", "ProviderSettings", "ProviderTimeouts", "Settings", "Tls", "UpstreamTimeouts"]


class Admin(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the sidecar command asks."""

    address: Annotated[Address, Meta(description="Loopback only: what is asked here may show prompts and answers.")] = (
        Address("127.0.0.1:15088")
    )


class Probes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Kubernetes asks whether this process is alive and ready, and Prometheus for its metrics."""

    address: Annotated[
        Address | None,
        Meta(description="Answers /livez, /readyz, /startupz and /metrics and nothing else. null: none of them."),
    ] = Address("0.0.0.0:15089")


class Log(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is written to standard error."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="The least that is written.")] = (
        "info"
    )
    format: Annotated[
        Literal["auto", "json", "text"], Meta(description="How. auto: text on a terminal, JSON lines elsewhere.")
    ] = "auto"
    calls: Annotated[Literal["none", "errors", "all"], Meta(description="Which calls get a line of their own.")] = (
        "errors"
    )


class Shutdown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What happens after SIGTERM."""

    grace: Annotated[
        Duration,
        Meta(
            description="How long running calls may take to end; shorter than the pod's terminationGracePeriodSeconds."
        ),
    ] = Duration("25s")


class Journal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is remembered of past calls, in memory, for tail and explain."""

    calls: Annotated[int, Meta(ge=0, le=100_000, description="How many of the last calls. 0: none.")] = 500


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything."""

    listen: Annotated[Listen, Meta(description="Where the agent's calls come in.")] = Listen()
    admin: Annotated[Admin, Meta(description="Where the sidecar command asks.")] = Admin()
    probes: Annotated[
        Probes, Meta(description="Where Kubernetes asks whether we are alive and ready, and Prometheus for metrics.")
    ] = Probes()
    catalogue: Annotated[
        bool, Meta(description="Whether the built-in providers are there. false: only those under providers.")
    ] = True
    providers: Annotated[
        dict[ProviderName, ProviderSettings],
        Meta(
            description="Who answers calls, by name; the name is the path prefix of its base URL. An entry with the "
            "name of a built-in provider changes the fields it gives and leaves the others."
        ),
    ] = field(default_factory=dict)
    forward: Annotated[Forward, Meta(description="What the forward proxy lets through beside the providers.")] = (
        Forward()
    )
    tls: Annotated[Tls, Meta(description="How TLS is ended for the providers' hosts, and whom we trust ourselves.")] = (
        Tls()
    )
    upstream: Annotated[Upstream, Meta(description="How providers are called.")] = Upstream()
    plugins: Annotated[
        tuple[PluginSettings, ...],
        Meta(
            description="The layers around each call, outermost first. A list given here replaces the default one "
            "(tracing, cache) as a whole."
        ),
    ] = (PluginSettings(use=Name("tracing")), PluginSettings(use=Name("cache")))
    log: Annotated[Log, Meta(description="What is written to standard error.")] = Log()
    shutdown: Annotated[Shutdown, Meta(description="What happens after SIGTERM.")] = Shutdown()
    response_headers: Annotated[
        bool, Meta(description="Whether answers say in headers what was done with the call.")
    ] = True
    journal: Annotated[Journal, Meta(description="What is remembered of past calls, in memory.")] = Journal()
