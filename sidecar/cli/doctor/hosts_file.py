"""Mode hosts: whether the hosts file leads the agent's calls to us, and our own to the providers all the same."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address

from msgspec import Struct

from sidecar.cli.doctor.checked import Checked, Section
from sidecar.hosts import Hosts
from sidecar.provider import Origin

_SECTION = Section("capture")
HTTPS = 443
_LOOPBACKS = {"127.0.0.1": "calls by IPv4", "::1": "calls by IPv6"}
_SHOWN = 3

#: Addresses, or why there are none, by name.
Answers = Mapping[str, tuple[str, ...] | str]


class Names(Struct, frozen=True):
    """Of providers, by what the hosts file says of them. Those that are called at another port than 443, or without
    TLS, are not among them: for those nobody can listen here.
    """

    here: Mapping[str, tuple[str, ...]] = {}
    """With those of their addresses that are loopback."""
    elsewhere: Mapping[str, tuple[str, ...]] = {}
    """With those of their addresses that are not."""
    passing: Sequence[str] = ()
    """Not in it; ``*.suffix`` for all below of which none is."""


def by_hosts_file(claims: Iterable[tuple[str, Origin]], entries: Mapping[str, tuple[str, ...]]) -> Names:
    """
    Args:
        claims: the first one for a pattern holds.
        entries: addresses by name.
    """
    first: dict[str, Origin] = {}
    for pattern, origin in claims:
        first.setdefault(pattern, origin)
    wanted = {pattern: origin for pattern, origin in first.items() if _led_by_name(pattern, origin)}
    providers = Hosts(wanted.items())
    known = {name: entries[name] for name in sorted(entries) if providers.find(name) is not None}
    here = {name: tuple(filter(_is_loopback, found)) for name, found in known.items()}
    elsewhere = {name: tuple(each for each in found if each not in here[name]) for name, found in known.items()}
    passing = [
        pattern
        for pattern in sorted(wanted, key=lambda pattern: pattern.startswith("*"))
        if not any(name == pattern or (pattern.startswith("*") and name.endswith(pattern[1:])) for name in known)
    ]
    return Names(
        here={name: found for name, found in here.items() if found},
        elsewhere={name: found for name, found in elsewhere.items() if found},
        passing=passing,
    )


def led(names: Names, ipv6: bool) -> Iterator[Checked]:
    """Whether the hosts file leads calls to loopback, by both families."""
    missing = {
        address: [name for name, found in names.here.items() if not _of_family(address, found)]
        for address in _LOOPBACKS
        if ipv6 or ":" not in address
    }
    for address, without in missing.items():
        if without:
            yield _SECTION.warning(
                f"the hosts file has no {address} for {_some(without)}: {_LOOPBACKS[address]} may pass by the sidecar",
                f"add it: {address} {without[0]}; in a pod by hostAliases",
            )
    lacking = {*names.elsewhere}.union(*missing.values())
    whole = [name for name in names.here if name not in lacking]
    if whole:
        families = "by IPv4 and IPv6" if ipv6 else "by IPv4; there is no IPv6 here"
        yield _SECTION.passed(f"the hosts file leads {_counted(whole)} here, {families}")
    for name, found in names.elsewhere.items():
        yield _SECTION.warning(
            f"the hosts file has {', '.join(found)} for {name}: calls to it may pass by the sidecar",
            "have 127.0.0.1 and ::1 there and nothing else, unless they are to",
        )
    if not names.here:
        example = next((name for name in names.passing if not name.startswith("*")), "api.openai.com")
        yield _SECTION.failed(
            "the hosts file leads no provider's name to loopback: no call comes by here",
            f"in a pod: hostAliases with 127.0.0.1 and with ::1 for each name that the agent calls, such as {example}",
        )
    elif names.passing:
        yield _SECTION.noted(
            f"calls to {_counted(names.passing)} pass by the sidecar: the hosts file does not have them"
        )


def met(names: Names, transparent: Collection[tuple[str, int]], ipv6: bool) -> Iterator[Checked]:
    """Whether somebody listens where the hosts file leads to."""
    led_to: dict[str, str] = {}
    for name, found in names.here.items():
        for address in found:
            led_to.setdefault(address, name)
    for address, name in sorted(led_to.items()):
        if (address, HTTPS) in transparent or (":" in address and not ipv6):
            continue
        where = f"[{address}]:{HTTPS}" if ":" in address else f"{address}:{HTTPS}"
        yield _SECTION.failed(
            f"the hosts file leads {name} to {address}, but listen.transparent has no {where}: calls are refused",
            f"add {where} to listen.transparent; or take the names out of the hosts file, and have calls redirected",
        )


def resolver(configured: str) -> Checked:
    """Whether the sidecar itself keeps away from the hosts file."""
    if configured == "dns":
        return _SECTION.passed("upstream.resolver is dns: the sidecar's own calls do not follow the hosts file")
    message = (
        f"upstream.resolver is {configured}: the sidecar's own calls follow the hosts file too, back to the sidecar"
    )
    return _SECTION.failed(message, "set upstream.resolver: dns")


def resolved(answers: Answers, name_servers: Sequence[str]) -> Iterator[Checked]:
    """Whether *name_servers* lead to the providers themselves."""
    servers = f"/etc/resolv.conf names {', '.join(name_servers) or 'nobody'}"
    silent: dict[str, list[str]] = {}
    round_trips = []
    for name, answer in answers.items():
        if isinstance(answer, str):
            silent.setdefault(answer, []).append(name)
        elif any(map(_is_loopback, answer)):
            round_trips.append(name)
    for reason, names in silent.items():
        yield _SECTION.warning(
            f"name servers do not know {_some(names)}: {reason}",
            f"{servers}: look whether a network policy keeps port 53 from this pod, and how the names are spelt",
        )
    if round_trips:
        yield _SECTION.failed(
            f"name servers too lead {_some(round_trips)} to loopback: the sidecar's own calls would come back to it",
            f"{servers}: one that reads the hosts file (dnsmasq, systemd-resolved) will not do; name another one",
        )
    if good := len(answers) - len(round_trips) - sum(map(len, silent.values())):
        yield _SECTION.passed(f"name servers lead {_names(good)} to others than us")


def _led_by_name(pattern: str, origin: Origin) -> bool:
    """Whether an entry of a hosts file may lead calls to *pattern* to us."""
    if "." not in pattern or ":" in pattern or pattern.rpartition(".")[2].isdecimal():
        return False
    return origin.host != pattern or (origin.tls and origin.port == HTTPS)


def _is_loopback(address: str) -> bool:
    return ip_address(address).is_loopback


def _of_family(address: str, found: Iterable[str]) -> bool:
    """Whether one of *found* is of the family of *address*."""
    return any((":" in each) == (":" in address) for each in found)


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _names(number: int) -> str:
    return "1 provider's name" if number == 1 else f"{number} providers' names"


def _counted(names: Sequence[str]) -> str:
    return f"{_names(len(names))} ({_some(names)})"
