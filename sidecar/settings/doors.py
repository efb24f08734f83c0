"""What can be configured of how the agent's calls come in."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal

from msgspec import Meta, Struct

from sidecar.addresses import Address, FilePath
from sidecar.hosts import Destination
from sidecar.units import Size

Port = Annotated[int, Meta(ge=1, le=65535)]


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much the agent may ask for at once."""

    connections: Annotated[
        int, Meta(ge=1, le=65536, description="Connections that may be open at once; further ones wait.")
    ] = 1024
    header_size: Annotated[Size, Meta(description="The largest header of a request.")] = Size("64KiB")


class Listen(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the agent's calls come in."""

    address: Annotated[
        Address, Meta(description="The base URLs (http://<address>/<provider>/…) and the forward proxy.")
    ] = Address("127.0.0.1:15080")
    transparent: Annotated[
        tuple[Address, ...],
        Meta(
            description="Where connections arrive that the agent opened to others: 127.0.0.1:443 for names that its "
            "hosts file leads there, 127.0.0.1:15001 for what the kernel redirects. Loopback only."
        ),
    ] = ()
    allow_remote: Annotated[
        bool,
        Meta(
            description="Permits an address that other machines can reach. Whoever reaches it calls the providers "
            "with the credentials configured here."
        ),
    ] = False
    server: Annotated[
        Literal["lean", "aiohttp"],
        Meta(description="By what HTTP is served. lean: the server of this project. aiohttp: the reference, slower."),
    ] = "lean"
    limits: Annotated[Limits, Meta(description="How much the agent may ask for at once.")] = Limits()


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
    trust_directory: Annotated[
        FilePath | None,
        Meta(
            description="Where what the agent must trust is put as well, for it to read: ca.crt, bundle.crt and, for "
            "Java, trust.p12. No key is among them. null: nowhere but in directory."
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
