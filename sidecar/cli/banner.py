"""What somebody who has started the sidecar on a terminal wants to know."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from sidecar import __version__


class Ready(Struct, frozen=True, kw_only=True):
    """What there is to tell."""

    addresses: Mapping[str, str]
    """By name: proxy, admin, probes, and the providers with a port of their own."""
    providers: Sequence[str]
    """Those with a base URL."""
    plugins: Sequence[str]
    bundle: Path | None
    """What clients must trust; None where TLS is not ended."""
    source: str
    """Where the configuration came from."""
    pid: int


def banner(ready: Ready) -> str:
    proxy = f"http://{reachable(ready.addresses['proxy'])}"
    rows = [("proxy", proxy)]
    for name, path in (("admin", ""), ("probes", "/livez /readyz /startupz /metrics")):
        if name in ready.addresses:
            rows.append((name, f"http://{reachable(ready.addresses[name])}  {path}".rstrip()))
    own = [name for name in ready.addresses if name not in ("proxy", "admin", "probes")]
    rows += [(name, f"http://{reachable(ready.addresses[name])}  (its own port)") for name in own]
    rows.append(("plugins", " › ".join(ready.plugins) or "none"))
    rows.append(("config", ready.source))
    width = max(len(name) for name, _ in rows)
    listed = [f"  {name:<{width}}  {value}" for name, value in rows]
    return "\n".join(
        (
            f"agent-sidecar {__version__} is ready",
            *listed,
            *_ways_in(ready, proxy),
            "  then: sidecar tail, sidecar explain last, sidecar status"
            + (f" (--admin http://{reachable(ready.addresses['admin'])})" if _moved(ready) else ""),
            f"  Ctrl-C ends it; kill -HUP {ready.pid} reads the configuration anew",
        )
    )


def _ways_in(ready: Ready, proxy: str) -> list[str]:
    lines = []
    if "openai" in ready.providers:
        lines.append(f"  point one SDK here:    OPENAI_BASE_URL={proxy}/openai/v1")
        others = len(ready.providers) - 1
        if others:
            lines.append(f"                         ({others} more at {proxy}/<provider>: sidecar status)")
    elif ready.providers:
        lines.append(f"  point one SDK here:    {proxy}/{ready.providers[0]}")
    if ready.bundle is None:
        lines.append(f"  or all, unchanged:     HTTPS_PROXY={proxy} (TLS passes through untouched)")
    else:
        lines.append(f"  or all, unchanged:     HTTPS_PROXY={proxy} https_proxy={proxy}")
        lines.append(f"                         SSL_CERT_FILE={ready.bundle} REQUESTS_CA_BUNDLE={ready.bundle}")
    return lines


def _moved(ready: Ready) -> bool:
    return "admin" in ready.addresses and not ready.addresses["admin"].endswith(":15088")


def reachable(address: str) -> str:
    """Where to call what listens at *address*: everywhere includes here."""
    host, _, port = address.rpartition(":")
    return f"{ {'0.0.0.0': '127.0.0.1', '[::]': '[::1]'}.get(host, host) }:{port}"
