"""Whether the addresses are free or ours, and how a sidecar does that runs already."""

import contextlib
import errno
import http.client
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sidecar import __version__
from sidecar.addresses import Address
from sidecar.cli.asking import Asking
from sidecar.cli.doctor.checked import Checked, Section
from sidecar.cli.quantities import seconds
from sidecar.errors import AdminUnreachable
from sidecar.intercept.authority import BUNDLE_FILE, ROOT_FILE
from sidecar.listening import setting_of
from sidecar.settings import Settings

_ADDRESSES, _RUNNING = Section("addresses"), Section("running sidecar")
_PATIENCE_SECONDS = 2.0
#: As of ``::1`` where there is no IPv6; a start leaves those out by which connections of others would come.
_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)

_TRANSPARENT, _HTTPS = "listen.transparent", 443

Status = Mapping[str, Any]


def running_status(admin: str) -> Status | None:
    """What a sidecar says of itself; None if none answers."""
    with contextlib.suppress(AdminUnreachable, msgspec.DecodeError):
        answered = msgspec.json.decode(Asking(admin).status())
        if isinstance(answered, dict) and "addresses" in answered:
            return answered
    return None


def wanted_addresses(settings: Settings) -> Iterator[tuple[str, Address]]:
    """What a start would listen on, by the name that /status has for it."""
    listen = settings.listen.address
    yield "proxy", listen
    yield "admin", settings.admin.address
    if settings.probes.address is not None:
        yield "probes", settings.probes.address
    for number, address in enumerate(settings.listen.transparent, 1):
        yield f"transparent {number}", address
    host = f"[{listen.host}]" if ":" in listen.host else listen.host
    for name, provider in settings.providers.items():
        if provider.enabled and provider.port is not None:
            yield str(name), Address(f"{host}:{provider.port}")


def addresses(settings: Settings, status: Status | None) -> list[Checked]:
    ours = dict(status["addresses"]) if status is not None else {}
    return [
        address(name, wanted, ours.get(name, ""), None if not wanted.port else occupied(wanted))
        for name, wanted in wanted_addresses(settings)
    ]


def address(name: str, wanted: Address, ours: str, obstacle: OSError | None) -> Checked:
    """
    Args:
        ours: where the running sidecar listens for the same; "" if it does not.
        obstacle: what stands against listening there.
    """
    if not wanted.port:
        return _ADDRESSES.passed(f"{name}: any free port of {wanted.host}")
    if obstacle is None:
        return _ADDRESSES.passed(f"{name}: {wanted} is free")
    if ours and ours.rpartition(":")[2] == str(wanted.port):
        return _ADDRESSES.passed(f"{name}: {wanted} is taken by the sidecar that runs already")
    reason = (obstacle.strerror or str(obstacle)).lower()
    if setting_of(name) == _TRANSPARENT and obstacle.errno in _NO_SUCH_ADDRESS:
        return _ADDRESSES.noted(f"{name}: {wanted} is left out: {reason}, and nothing can arrive there either")
    return _ADDRESSES.failed(f"{name}: nobody can listen on {wanted}: {reason}", _way_out(name, wanted, obstacle))


def _way_out(name: str, wanted: Address, obstacle: OSError) -> str:
    setting = setting_of(name)
    another = f"choose another with {setting}"
    if isinstance(obstacle, PermissionError) and wanted.port < 1024:
        return f"in a pod, set its sysctl net.ipv4.ip_unprivileged_port_start to {wanted.port}; or {another}"
    if obstacle.errno in _NO_SUCH_ADDRESS:
        return f"{another}: this is no address of this machine"
    who = f"ss -ltnp 'sport = :{wanted.port}' says who has it"
    if setting != _TRANSPARENT:
        return f"{another}; {who}"
    if wanted.port == _HTTPS:  # which those call who follow the hosts file
        return f"{who}; containers of a pod share its ports: have that one listen elsewhere, or take mode redirect"
    return f"{another}, and have the rules lead there (nft -D PROXY=…); {who}"


def occupied(wanted: Address) -> OSError | None:
    """What stands against listening on *wanted*, found out by trying."""
    host = "127.0.0.1" if wanted.host == "localhost" else wanted.host
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, wanted.port))
            sock.listen(1)
    except OSError as error:
        return error
    return None


def running(status: Status | None, admin: str, digest: str | None) -> list[Checked]:
    """How the sidecar does whose *status* this is; *digest* is that of the configuration looked at here."""
    if status is None:
        return [_RUNNING.noted(f"none answers at {admin}; start one with sidecar run")]
    checks = [_RUNNING.passed(f"one answers at {admin}: version {status['version']}, up {_up(status)}")]
    if status["version"] != __version__:
        message = f"it has version {status['version']}, this command {__version__}"
        checks.append(_RUNNING.warning(message, "use the command that came with it, or start it anew"))
    theirs = status["configuration"]["digest"]
    if digest is not None and theirs != digest:
        checks.append(
            _RUNNING.warning(
                f"its configuration has digest {theirs}, the one looked at here {digest}",
                "name its file with --config and set the same variables; kill -HUP makes it read the file anew",
            )
        )
    checks += [_RUNNING.warning(*trouble) for plugin in status["plugins"] if (trouble := _trouble(plugin))]
    if status.get("distrusted"):
        checks.append(distrusted(status["distrusted"], status["bundle"]))
    if "probes" in status["addresses"]:
        checks.append(probe(status["addresses"]["probes"], *ready(status["addresses"]["probes"])))
    return checks


def distrusted(counts: Mapping[str, int], bundle: str | None) -> Checked:
    """
    Args:
        counts: of connections whose client did not take our certificate, by name.
        bundle: what it ought to trust.
    """
    bundle = bundle or BUNDLE_FILE
    by_name = sorted(counts.items(), key=lambda count: -count[1])
    told = ", ".join(f"{name} ({number})" for name, number in by_name[:3])
    more = f" and {len(by_name) - 3} more" if len(by_name) > 3 else ""
    return _RUNNING.warning(
        f"clients did not accept its certificates for {told}{more}",
        f"if that was the agent, set SSL_CERT_FILE={bundle} for it (REQUESTS_CA_BUNDLE for requests, "
        f"NODE_EXTRA_CA_CERTS={Path(bundle).with_name(ROOT_FILE)} for Node) and start it anew",
    )


def probe(where: str, answered: int | None, lines: Sequence[str]) -> Checked:
    """
    Args:
        answered: the status of ``/readyz?verbose``; None if there was no answer.
        lines: ``[+] name`` of what is ready, ``[-] name`` of what is not.
    """
    if answered == 200:
        return _RUNNING.passed(f"its probes answer at {where}, and it is ready")
    if answered is None:
        return _RUNNING.failed(f"its probes do not answer at {where}", "look whether something filters that port")
    missing = ", ".join(line.removeprefix("[-] ") for line in lines if line.startswith("[-]"))
    return _RUNNING.failed(f"it is not ready: {missing or f'status {answered}'}", "its log says more")


def ready(where: str) -> tuple[int | None, list[str]]:
    host, _, port = where.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(host, host.strip("[]"))
    connection = http.client.HTTPConnection(host, int(port), timeout=_PATIENCE_SECONDS)
    try:
        connection.request("GET", "/readyz?verbose")
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace").splitlines()
    except (OSError, http.client.HTTPException):
        return None, []
    finally:
        connection.close()


def _up(status: Status) -> str:
    return seconds(status["uptime_seconds"])


def _trouble(plugin: Mapping[str, Any]) -> tuple[str, str] | None:
    if plugin["quarantined"]:
        return f"plugin {plugin['name']} is in quarantine after {plugin['faults']} faults", "its log has the tracebacks"
    if plugin["faults"]:
        return f"plugin {plugin['name']} failed {plugin['faults']} times", "its log has the tracebacks"
    return None
