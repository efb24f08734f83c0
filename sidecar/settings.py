"""What can be configured, as types: names, meanings, limits and defaults of every key. Reading a file into them is
`sidecar.configuration`; the JSON Schema comes from here, so each field says what it is for.

Durations are `Duration` (seconds, a float) and sizes `Size` (bytes, an int).
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from sidecar.addresses import Address, FilePath, Name, Url
from sidecar.dialect import Operation
from sidecar.exchange import Secret, Timeouts
from sidecar.hosts import Destination, HostPattern
from sidecar.units import Duration, Size

ClientName = Literal["lean", "aiohttp"]
Port = Annotated[int, Meta(ge=1, le=65535)]
#: A `Name`, typed as plain text for whoever looks one up.
ProviderName = Annotated[str, Meta(extra={"reads": Name})]


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much the agent may ask for at once."""

    connections: Annotated[
        int, Meta(ge=1, le=65536, description="Connections that may be open at once; further ones wait.")
    ] = 1024
    header_size: Annotated[Size, Meta(description="The largest header of a request.")] = Size("64KiB")
    body_memory: Annotated[
        Size,
        Meta(description="The largest request body that is held in memory for plugins; larger ones stream past them."),
    ] = Size("8MiB")


class Listen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the agent's calls come in."""

    address: Annotated[
        Address, Meta(description="The base URLs (http://<address>/<provider>/…) and the forward proxy.")
    ] = Address("127.0.0.1:15080")
    allow_remote: Annotated[
        bool,
        Meta(
            description="Permits an address that other machines can reach. Whoever reaches it calls the providers "
            "with the credentials configured here."
        ),
    ] = False
    server: Annotated[
        ClientName,
        Meta(description="By what HTTP is served. lean: the server of this project. aiohttp: the reference, slower."),
    ] = "lean"
    limits: Annotated[Limits, Meta(description="How much the agent may ask for at once.")] = Limits()


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
    propagate_trace: Annotated[
        bool, Meta(description="Whether traceparent may go to it: for servers of your own, not for vendors.")
    ] = False
    client: Annotated[ClientName | None, Meta(description="How it is called. null: as upstream.client says.")] = None
    ca_file: Annotated[
        FilePath | None,
        Meta(description="Certificates (PEM) to trust for this provider beside the system's and tls.extra_ca_files."),
    ] = None


class Forward(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the forward proxy (HTTPS_PROXY) lets through beside the providers."""

    connect_ports: Annotated[tuple[Port, ...], Meta(description="Ports that CONNECT may ask for.")] = (443,)
    absolute_form: Annotated[
        bool, Meta(description="Whether plain http:// calls are taken (HTTP_PROXY, lower-case http_proxy).")
    ] = True
    deny: Annotated[
        tuple[Destination, ...],
        Meta(
            description='Where no call may go, unless allow names it; ["*"] leaves the providers and allow. Holds for '
            "what a name resolves to as well. The default keeps cloud metadata, and so the machine's own identity, "
            "out of reach through the proxy. Loopback is not in it: the agent shares it and can dial it without us."
        ),
    ] = (
        Destination("169.254.0.0/16"),
        Destination("fe80::/10"),
        Destination("fd00:ec2::254/128"),
        Destination("100.100.100.200/32"),
        Destination("metadata.google.internal"),
        Destination("metadata.goog"),
        Destination("instance-data.ec2.internal"),
    )
    allow: Annotated[tuple[Destination, ...], Meta(description="Exceptions from deny.")] = ()
    splice_unknown: Annotated[
        bool,
        Meta(
            description="Whether TLS to hosts that are no provider's passes through untouched. false: it is refused, "
            "also for what is redirected to us."
        ),
    ] = True


class Tls(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How TLS is ended for the providers' hosts, and whom we trust ourselves."""

    intercept: Annotated[
        bool,
        Meta(
            description="Whether TLS to the providers is ended here, with certificates of the pod's own CA. false: it "
            "is spliced and only traced as a connection; calls by base URL are seen all the same."
        ),
    ] = True
    directory: Annotated[
        FilePath | None,
        Meta(
            description="Where the CA's key and certificates are kept; memory-backed in a pod. null: "
            "$XDG_STATE_HOME/agent-sidecar/tls, or ~/.local/state/agent-sidecar/tls."
        ),
    ] = None
    extra_ca_files: Annotated[
        tuple[FilePath, ...],
        Meta(
            description="Certificates (PEM) to trust beside the system's, for all providers and in the agent's bundle."
        ),
    ] = ()

    def directory_in(self, environ: Mapping[str, str]) -> PurePosixPath:
        """The directory, in full."""
        home = environ.get("HOME") or "/"
        if self.directory is not None:
            return self.directory.under(home)
        state = environ.get("XDG_STATE_HOME") or ""
        # the XDG specification: a relative path there is to be ignored
        root = PurePosixPath(state) if state.startswith("/") else PurePosixPath(home, ".local/state")
        return root / "agent-sidecar" / "tls"


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
    dns_ttl: Annotated[
        Duration, Meta(description="How long a looked-up address is used before it is looked up again.")
    ] = Duration("30s")
    timeouts: Annotated[UpstreamTimeouts, Meta(description="How long each phase of a call may take.")] = (
        UpstreamTimeouts()
    )


class Quarantine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When a failing plugin is left out for a while."""

    after: Annotated[int, Meta(ge=1, le=1000, description="Faults in a row.")] = 5
    lasting: Annotated[Duration, Meta(description="How long it is left out.")] = field(
        default=Duration("30s"), name="for"
    )


class PluginSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One layer of the onion."""

    use: Annotated[Name, Meta(description="Which plugin: the name of an installed entry point of group sidecar.")]
    name: Annotated[
        Name | None, Meta(description="What it is called here, needed where one plugin is used twice. null: as in use.")
    ] = None
    operations: Annotated[
        Annotated[tuple[Operation, ...], Meta(min_length=1)] | None,
        Meta(
            description="The kinds of calls that it stands around, or is told of. null: its layers stand around all "
            "but passthrough, and it is told of all."
        ),
    ] = None
    on_fault: Annotated[
        Literal["bypass", "fail"],
        Meta(
            description="What a fault of the plugin does to the call. bypass: it goes on without the plugin. fail: "
            "it ends with 502, for a layer that must not be skipped."
        ),
    ] = "bypass"
    budget: Annotated[
        Duration,
        Meta(description="How long it may hold up a call by itself; time spent waiting for the inner layers is free."),
    ] = Duration("250ms")
    quarantine: Annotated[Quarantine, Meta(description="When it is left out for a while.")] = Quarantine()
    config: Annotated[
        dict[str, Any],
        Meta(description="The plugin's own settings.", extra={"deferred": True}),
    ] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What it is called, in messages, traces and overrides."""
        return str(self.name or self.use)  # a plain one: labels are told as JSON


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
