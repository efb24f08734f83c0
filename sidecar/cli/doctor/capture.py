"""Capture: whether connections that the agent opens to providers are led to the sidecar, and why not."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from sidecar.addresses import Address
from sidecar.cli.doctor.checked import Checked, Section
from sidecar.cli.doctor.hosts_file import HTTPS, Answers, by_hosts_file, led, met, resolved, resolver
from sidecar.cli.doctor.machine import TABLE, Machine, Rules
from sidecar.provider import Origin
from sidecar.settings import Settings

_SECTION = Section("capture")
_CONTAINER = "agent-sidecar-rules"

Status = Mapping[str, Any]


def capture(
    settings: Settings,
    claims: Iterable[tuple[str, Origin]],
    status: Status | None,
    machine: Machine,
    ask: Callable[[Collection[str]], Answers],
) -> Iterator[Checked]:
    """
    Args:
        claims: patterns of hosts, and the origin of the provider that each stands for.
        ask: what the name servers know.
    """
    transparent = [_plain(address) for address in settings.listen.transparent]
    if not transparent:
        return
    names = by_hosts_file(claims, machine.hosts)
    ports = {port for _, port in transparent}
    if status is not None:
        yield from listeners(settings.listen.transparent, status["addresses"], machine.ipv6)
    yield from (privileged(port, machine) for port in sorted(ports) if 0 < port < 1024)
    if HTTPS in ports or names.here:
        yield from led(names, machine.ipv6)
        yield from met(names, transparent, machine.ipv6)
        yield resolver(settings.upstream.resolver)
        if names.here:
            yield from resolved(ask(sorted(names.here)), machine.name_servers)
    if others := ports - {HTTPS}:
        yield from both_families(others, transparent, machine.ipv6)
        yield from redirected(others, machine, status)
    if status is not None and "captured" in status:  # an older one does not count
        yield arrived(status["captured"], HTTPS in ports, machine.rules)


def _plain(address: Address) -> tuple[str, int]:
    return "127.0.0.1" if address.host == "localhost" else str(ip_address(address.host)), address.port


# -- listeners -------------------------------------------------------------------------------------------------------


def listeners(wanted: Sequence[Address], told: Mapping[str, str], ipv6: bool) -> Iterator[Checked]:
    """Whether the running sidecar, which has *told* where it listens, does so at each of *wanted*."""
    found = []
    for number, address in enumerate(wanted, 1):
        there = told.get(f"transparent {number}", "")
        if there and address.port in (0, int(there.rpartition(":")[2])):
            found.append(there)
        elif ":" in address.host and not ipv6:
            yield _SECTION.noted(f"nobody listens on {address}: there is no IPv6 here, and nothing can arrive there")
        else:
            yield _SECTION.failed(
                f"the running sidecar does not listen on {address}",
                "start it anew: a change of listen.transparent takes effect only then",
            )
    if found:
        yield _SECTION.passed(f"the running sidecar listens on {', '.join(found)}")


def privileged(port: int, machine: Machine) -> Checked:
    """Whether this process might listen on a *port* below 1024."""
    if port >= machine.first_port:
        return _SECTION.passed(f"any user may listen on port {port}: unprivileged ports begin at {machine.first_port}")
    if machine.may_bind:
        return _SECTION.passed(f"uid {machine.uid} may listen on port {port}: it has NET_BIND_SERVICE here")
    return _SECTION.failed(
        f"uid {machine.uid} may not listen on port {port}: unprivileged ports begin at {machine.first_port}",
        f'in the pod: securityContext.sysctls: [{{name: net.ipv4.ip_unprivileged_port_start, value: "{port}"}}]',
    )


# -- by redirection --------------------------------------------------------------------------------------------------


def both_families(ports: Collection[int], transparent: Collection[tuple[str, int]], ipv6: bool) -> Iterator[Checked]:
    """Whether somebody listens where the kernel leads to: at 127.0.0.1 and at ::1."""
    for port in sorted(ports):
        for host, family in (("127.0.0.1", "IPv4"), *([("::1", "IPv6")] if ipv6 else [])):
            if port and (host, port) not in transparent:
                where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                yield _SECTION.warning(
                    f"listen.transparent has no {where}: what the agent dials by {family} and the kernel redirects "
                    "there is refused",
                    f"add {where} to listen.transparent",
                )


def redirected(ports: Collection[int], machine: Machine, status: Status | None) -> Iterator[Checked]:
    """Whether rules lead connections to one of *ports*."""
    if machine.rules is not None:
        yield ruled(machine.rules, ports, None if status is None else status.get("uid"))
    elif status is None:
        yield _SECTION.noted(
            "whether connections are redirected nobody can say: no sidecar runs that has counted them, and only root "
            "may list the rules"
        )
    theirs = machine.uid if status is None else status.get("uid", machine.uid)
    if theirs != machine.uid and (machine.rules is None or machine.rules.there):
        yield _SECTION.noted(
            f"the sidecar runs as uid {theirs}, this command as {machine.uid}: what it asks of providers below may be "
            "redirected too, and fail for that"
        )


def ruled(rules: Rules, ports: Collection[int], uid: int | None) -> Checked:
    """
    Args:
        uid: of the running sidecar; None if that is not known.
    """
    if not rules.there:
        return _SECTION.failed(
            f"there is no table {TABLE} here: the kernel redirects nothing",
            f"look at the log of the container that sets the rules, {_CONTAINER}",
        )
    told = ", ".join(f":{port}" for port in rules.ports) or "nowhere"
    ours = ", ".join(f":{port}" for port in sorted(ports))
    if not set(rules.ports) & {*ports}:
        return _SECTION.failed(
            f"the rules redirect to {told}, but listen.transparent has {ours}",
            f"write the rules' port into listen.transparent, or set the rules anew: nft -D PROXY={min(ports)}",
        )
    exempt = ", ".join(f"uid {each}" for each in rules.exempt) or "nobody"
    if uid is not None and uid not in rules.exempt:
        return _SECTION.failed(
            f"the rules exempt {exempt}, but the sidecar runs as {uid}: its own connections come back to it",
            f"run it as that user (securityContext.runAsUser), or set the rules anew: nft -D UID={uid}",
        )
    return _SECTION.passed(f"table {TABLE} redirects to {told}, and exempts {exempt}")


def arrived(counts: Mapping[str, int], hosts: bool, rules: Rules | None) -> Checked:
    """What has come in so far.

    Args:
        counts: connections, by mode.
        hosts: whether mode hosts is in use.
    """
    told = []
    if number := counts.get("redirect", 0):
        told.append(f"{number} by redirection")
    if hosts and (number := counts.get("hosts", 0)):
        told.append(f"{number} by the hosts file")
    if told:
        return _SECTION.passed(f"connections have come to the sidecar: {', '.join(told)}")
    if hosts:
        return _SECTION.noted("no connection has come to the sidecar by the hosts file so far")
    message = "no connection has been redirected to the sidecar so far"
    if rules is not None:
        return _SECTION.noted(message)
    return _SECTION.noted(
        f"{message}. If the agent has called a provider, look at the log of the container {_CONTAINER} and, as root, "
        f"at nft list table {TABLE}"
    )
