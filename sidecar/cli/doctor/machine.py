"""What this machine says of itself: its hosts file, what a process may do, rules of its kernel, its name servers."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Collection, Mapping
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from sidecar.upstream.dial import SystemResolver
from sidecar.upstream.dns import DnsResolver

HOSTS, RESOLV = Path("/etc/hosts"), Path("/etc/resolv.conf")
_UNPRIVILEGED, _STATUS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start"), Path("/proc/self/status")
_CAP_NET_BIND_SERVICE = 10
_USUAL_FIRST_PORT = 1024
TABLE = "inet agent_sidecar"
PATIENCE_SECONDS = 4.0


class Rules(Struct, frozen=True):
    """The table that redirects connections."""

    there: bool = True
    ports: tuple[int, ...] = ()
    """To which it redirects."""
    exempt: tuple[int, ...] = ()
    """Users whose connections it leaves alone."""


class Machine(Struct, frozen=True, kw_only=True):
    """Facts."""

    hosts: Mapping[str, tuple[str, ...]] = {}
    """The hosts file: addresses by name."""
    name_servers: tuple[str, ...] = ()
    uid: int = 0
    first_port: int = _USUAL_FIRST_PORT
    """The lowest at which any user may listen."""
    may_bind: bool = False
    """Whether this process has the capability NET_BIND_SERVICE, for the ports below."""
    ipv6: bool = True
    rules: Rules | None = None
    """None: this process cannot know."""


def this_machine() -> Machine:
    return Machine(
        hosts=read_hosts(_text(HOSTS)),
        name_servers=read_name_servers(_text(RESOLV)),
        uid=os.getuid(),
        first_port=int(_text(_UNPRIVILEGED).strip() or _USUAL_FIRST_PORT),
        may_bind=read_may_bind(_text(_STATUS)),
        ipv6=_has_ipv6(),
        rules=_rules(),
    )


def read_hosts(text: str) -> dict[str, tuple[str, ...]]:
    """Addresses by name, in lower case, of a hosts file."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        try:
            address = str(ip_address(address))
        except ValueError:
            continue
        for name in map(str.lower, names):
            if address not in found.get(name, ()):
                found[name] = (*found.get(name, ()), address)
    return found


def read_name_servers(text: str) -> tuple[str, ...]:
    """Those of a resolv.conf."""
    return tuple(re.findall(r"^\s*nameserver\s+(\S+)", text, re.MULTILINE))


def read_may_bind(text: str) -> bool:
    """Whether a ``/proc/…/status`` has NET_BIND_SERVICE among what is in effect."""
    matched = re.search(r"^CapEff:\s*([0-9a-f]+)", text, re.MULTILINE)
    return matched is not None and bool(int(matched[1], 16) >> _CAP_NET_BIND_SERVICE & 1)


def read_rules(listed: str) -> Rules:
    """What ``nft list table`` prints."""
    return Rules(
        ports=tuple(map(int, re.findall(r"redirect to :(\d+)", listed))),
        exempt=tuple(map(int, re.findall(r"meta skuid (\d+) return", listed))),
    )


def by_dns(
    names: Collection[str], resolver_of: Callable[[], SystemResolver] = DnsResolver
) -> dict[str, tuple[str, ...] | str]:
    """What name servers know of *names*, all asked at the same time: addresses, or why there are none."""

    async def one(resolver: SystemResolver, name: str) -> tuple[str, ...] | str:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return tuple(str(found[4][0]) for found in await resolver.resolve(name, 443))
        except TimeoutError:
            return f"no answer within {PATIENCE_SECONDS:g} s"
        except OSError as error:
            return str(error).lower()

    async def all_of_them() -> dict[str, tuple[str, ...] | str]:
        resolver = resolver_of()
        try:
            return dict(zip(names, await asyncio.gather(*(one(resolver, name) for name in names)), strict=True))
        finally:
            await resolver.aclose()

    return asyncio.run(all_of_them())


def _text(path: Path) -> str:
    """ "" if it cannot be read."""
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


def _rules() -> Rules | None:
    """The table, which only who may change it may look at."""
    if os.geteuid() != 0 or (nft := shutil.which("nft")) is None:
        return None
    try:
        listed = subprocess.run(
            [nft, "list", "table", *TABLE.split()], capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if listed.returncode == 0:
        return read_rules(listed.stdout)
    return Rules(there=False) if "No such file" in listed.stderr else None
