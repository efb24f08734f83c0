"""Mode hosts: the names of providers mean loopback in the pod's hosts file."""

import re
from collections.abc import Collection, Iterator
from functools import lru_cache
from typing import Final

from sidecar.configuration import Configuration, hosts, providers
from sidecar.inject.added import Added, closed, opened
from sidecar.inject.names import HTTPS_PORT
from sidecar.inject.pod import Table

LOOPBACK: Final = ("127.0.0.1", "::1")

#: What Kubernetes takes for a host name, at least two labels of it. Addresses are not looked up.
_HOST = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


def is_name(host: str) -> bool:
    """Whether *host* can stand in a pod's hosts file."""
    return _HOST.fullmatch(host) is not None


@lru_cache(128)
def names_of(configuration: Configuration) -> tuple[str, ...]:
    """The names under which agents call the enabled providers by TLS on its usual port.

    A provider of one's own at ``http://llm.internal:8000`` is not among them: nobody listens there in the pod.
    """
    return tuple(
        str(host)
        for host, provider in hosts(configuration, providers(configuration))
        if is_name(host)
        and (provider.origin.host != host or (provider.origin.tls and provider.origin.port == HTTPS_PORT))
    )


def place(spec: Table, names: Collection[str], added: Added) -> Iterator[str]:
    """Have *names* mean loopback; those that the pod has an address for are left, and told of."""
    known = {name: alias.get("ip") for alias in spec.get("hostAliases") or () for name in alias.get("hostnames") or ()}
    added.hosts = sorted({*names} - known.keys())
    aliases = opened(spec, "hostAliases", list, added.made)
    for address in LOOPBACK:
        alias = next((each for each in aliases if each.get("ip") == address), None)
        if alias is None:
            alias = {"ip": address}
            aliases.append(alias)
            added.aliases.append(address)
        opened(alias, "hostnames", list, added.made, _path(address)).extend(added.hosts)
    for name in sorted({*names} & known.keys()):
        if known[name] not in LOOPBACK:
            yield f"hostAliases has {known[name]} for {name}: calls to it do not come by here"


def take_out(spec: Table, added: Added) -> None:
    """The opposite of `place`."""
    names, seen = set(added.hosts), set()
    for alias in tuple(spec.get("hostAliases") or ()):
        address = alias.get("ip")
        if address not in LOOPBACK or address in seen:
            continue
        seen.add(address)
        if alias.get("hostnames"):
            alias["hostnames"] = [name for name in alias["hostnames"] if name not in names]
        closed(alias, "hostnames", added.made, _path(address))
        if address in added.aliases and not alias.get("hostnames"):
            spec["hostAliases"] = [each for each in spec["hostAliases"] if each is not alias]
    closed(spec, "hostAliases", added.made)


def _path(address: str) -> str:
    return f"{address} hostnames"
