"""Which hosts are meant: patterns of names, networks, and what is looked up by them."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any, ClassVar, Generic, Self, TypeVar

from sidecar.addresses import HOST_NAME, host_name

T = TypeVar("T")


class HostPattern(str):
    """A host by name or IP address, or ``*.suffix``: every name below *suffix*, at any depth, but not *suffix*."""

    expected: ClassVar[str] = "a host such as api.example.com, or *.example.com for all below it"
    schema: ClassVar[dict[str, Any]] = {"type": "string", "pattern": r"^(\*\.)?[A-Za-z0-9._:-]+$"}

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        return super().__new__(cls, _pattern(text))


class Destination(str):
    """A `HostPattern`, a network in CIDR form, or ``*`` for everything."""

    expected: ClassVar[str] = "a host, *.suffix, a network such as 10.0.0.0/8, or * for everything"
    schema: ClassVar[dict[str, Any]] = {"type": "string", "pattern": r"^(\*|(\*\.)?[A-Za-z0-9._:-]+(/[0-9]{1,3})?)$"}

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if "/" in text and "://" not in text:
            return super().__new__(cls, str(_network(text)))
        return super().__new__(cls, text if text == "*" else _pattern(text))


class Hosts(Generic[T]):
    """Finds by host: an exact name first, then the longest suffix. Of two entries for one pattern the first holds."""

    __slots__ = ("_exact", "_suffixes")

    def __init__(self, entries: Iterable[tuple[str, T]] = ()) -> None:
        self._exact: dict[str, T] = {}
        self._suffixes: dict[str, T] = {}
        for pattern, value in entries:
            table, key = (self._suffixes, pattern[2:]) if pattern.startswith("*.") else (self._exact, pattern)
            table.setdefault(key, value)

    def find(self, host: str) -> T | None:
        """What stands for *host*, as it stands in ``Host``, a SNI or an authority without its port."""
        host = host.lower().removesuffix(".").strip("[]")
        if (found := self._exact.get(host)) is not None or not self._suffixes:
            return found
        rest = host
        while "." in rest:
            rest = rest.partition(".")[2]
            if (found := self._suffixes.get(rest)) is not None:
                return found
        return None


class Destinations:
    """A set of destinations, as `Destination`s describe them."""

    __slots__ = ("_everything", "_names", "_networks")

    def __init__(self, destinations: Iterable[Destination]) -> None:
        destinations = tuple(destinations)
        self._everything = "*" in destinations
        self._names = Hosts((text, True) for text in destinations if "/" not in text)
        self._networks: tuple[IPv4Network | IPv6Network, ...] = tuple(
            ip_network(text) for text in destinations if "/" in text
        )

    def __contains__(self, host: str) -> bool:
        """Whether *host*, a name or an IP address, is among them. A name is not looked up: ask again with what it
        resolved to.
        """
        if self._everything or self._names.find(host):
            return True
        if not self._networks:
            return False
        try:
            address = ip_address(host.strip("[]"))
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any(candidate in network for network in self._networks for candidate in (address, mapped) if candidate)


def _pattern(text: str) -> str:
    if "://" in text or "/" in text:
        raise ValueError("is not a host", "leave out the scheme and the path")
    if text.startswith("*."):
        suffix = text[2:].lower().removesuffix(".")
        if len(suffix) > 251 or not re.fullmatch(HOST_NAME, suffix):
            raise ValueError("is not a host", "after *. write the rest of the name")
        return f"*.{suffix}"
    if "*" in text:
        raise ValueError("is not a host", "a star stands for whole labels at the beginning: *.example.com")
    try:
        return host_name(text)
    except ValueError as error:
        hint = "leave out the port" if re.fullmatch(r"[^:]+:[0-9]+", text) else ""
        raise ValueError("is not a host", *error.args[1:], *([hint] if hint else [])) from None


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        pass
    try:
        fitting = ip_network(text, strict=False)
    except ValueError:
        raise ValueError("is not a network", "write it as 10.0.0.0/8") from None
    raise ValueError("is not a network", f"the bits after the prefix must be zero: {fitting}")
