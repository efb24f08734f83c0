"""What can be configured of those who answer calls, and of how they are called."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from sidecar.addresses import FilePath, Name, Url
from sidecar.hosts import HostPattern
from sidecar.provider import Secret, Timeouts
from sidecar.settings.doors import Port
from sidecar.units import Duration

ClientName = Literal["lean", "aiohttp"]
#: A `Name`, typed as plain text for whoever looks one up.
ProviderName = Annotated[str, Meta(extra={"reads": Name})]


class UpstreamTimeouts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long each phase of a call to a provider may take."""

    connect: Annotated[Duration, Meta(description="Name look-up, connection and TLS together.")] = Duration("5s")
    first_byte: Annotated[
        Duration, Meta(description="From the last byte of the request to the first of the answer.")
    ] = Duration("5m")
    between_chunks: Annotated[Duration, Meta(description="The longest pause within an answer.")] = Duration("2m")
    total: Annotated[Duration, Meta(description="The whole call.")] = Duration("1h")


class ProviderTimeouts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same for one provider. null: as in upstream.timeouts."""

    connect: Annotated[Duration | None, Meta(description="Name look-up, connection and TLS together.")] = None
    first_byte: Annotated[
        Duration | None, Meta(description="From the last byte of the request to the first of the answer.")
    ] = None
    between_chunks: Annotated[Duration | None, Meta(description="The longest pause within an answer.")] = None
    total: Annotated[Duration | None, Meta(description="The whole call.")] = None

    def over(self, general: UpstreamTimeouts) -> Timeouts:
        """These where they are given, *general* for the rest."""
        return Timeouts(
            connect=general.connect if self.connect is None else self.connect,
            first_byte=general.first_byte if self.first_byte is None else self.first_byte,
            between_chunks=general.between_chunks if self.between_chunks is None else self.between_chunks,
            total=general.total if self.total is None else self.total,
        )


class ProviderSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One who answers calls: where, how it speaks, with which credential."""

    enabled: Annotated[bool, Meta(description="Whether there is such a provider at all.")] = True
    dialect: Annotated[
        str | None,
        Meta(description="How it speaks. null: not known; its calls pass untouched and are traced as plain HTTP."),
    ] = None
    url: Annotated[
        Url | None,
        Meta(
            description="Where it answers, with any path that stands before all its paths. null: by its hosts alone, "
            "so not by base URL."
        ),
    ] = None
    hosts: Annotated[
        tuple[HostPattern, ...] | None,
        Meta(
            description="The hosts that mean this provider when the agent calls it by name, through the forward proxy "
            "or by redirection. They are dialled as asked if the url's own host is among them; otherwise the call "
            "goes to the url instead. null: the url's host, unless that is loopback."
        ),
    ] = None
    port: Annotated[
        Port | None,
        Meta(
            description="A port of its own beside listen.address, whose base URL is http://127.0.0.1:<port>: for SDKs "
            "that drop the path of a base URL."
        ),
    ] = None
    credential: Annotated[
        Secret | None,
        Meta(
            description="Replaces the credential that the agent sent: ${env:NAME} or ${file:/path}, never the secret "
            "itself. null: the agent's own is passed on."
        ),
    ] = None
    timeouts: Annotated[ProviderTimeouts, Meta(description="Where they differ from upstream.timeouts.")] = (
        ProviderTimeouts()
    )
    keep_warm: Annotated[
        int,
        Meta(
            ge=0,
            le=100,
            description="Connections opened before the first call and held open. A provider in use keeps one open "
            "whatever stands here.",
        ),
    ] = 0
    spare_sockets: Annotated[
        int,
        Meta(
            ge=0,
            le=100,
            description="Connections held open for the next WebSockets, beside those for calls, while the agent has "
            "opened one in the last five minutes: a WebSocket takes a connection and never gives it back.",
        ),
    ] = 1
    propagate_trace: Annotated[
        bool, Meta(description="Whether traceparent may go to it: for servers of your own, not for vendors.")
    ] = False
    client: Annotated[ClientName | None, Meta(description="How it is called. null: as upstream.client says.")] = None
    ca_file: Annotated[
        FilePath | None,
        Meta(description="Certificates (PEM) to trust for this provider beside the system's and tls.extra_ca_files."),
    ] = None


class Upstream(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How providers are called."""

    client: Annotated[
        ClientName,
        Meta(description="With what. lean: the pooled client of this project. aiohttp: the reference, slower."),
    ] = "lean"
    max_connections: Annotated[
        int, Meta(ge=1, le=65536, description="Connections per provider; further calls wait for one.")
    ] = 1024
    idle_timeout: Annotated[Duration, Meta(description="How long an unused connection is kept.")] = Duration("2m")
    resolver: Annotated[
        Literal["system", "dns"],
        Meta(
            description="Who looks names up. system: whatever this machine does. dns: name servers alone and no hosts "
            "file, needed where that leads the agent's calls to us."
        ),
    ] = "system"
    dns_ttl: Annotated[
        Duration, Meta(description="How long a looked-up address is used before it is looked up again.")
    ] = Duration("30s")
    timeouts: Annotated[UpstreamTimeouts, Meta(description="How long each phase of a call may take.")] = (
        UpstreamTimeouts()
    )
