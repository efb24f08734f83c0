"""Names by DNS alone. Where entries of the hosts file lead providers' names to us, the system's resolver would lead our
own calls to ourselves.
"""

import asyncio
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sidecar.addresses import host_name
from sidecar.upstream.dial import SystemResolver
from sidecar.upstream.names import AddressInfo

if TYPE_CHECKING:
    import aiodns

#: A name server that does not answer is asked so long and so often; the next one is asked in between.
_TIMEOUT_SECONDS, _TRIES = 1.5, 2
_SETTINGS: Final = Path("/etc/resolv.conf")


class DnsResolver(SystemResolver):
    """Asks the name servers of resolv.conf, and never the hosts file.

    A name is asked for as it stands. Only if there is none, the search list is gone through, for the short names of a
    cluster's services: with its ``ndots:5`` a provider's name would cost eight questions instead of two.

    Args:
        nameservers: ``address`` or ``address:port`` each; None for those of resolv.conf.
        search: domains for short names; None for those of resolv.conf.
    """

    def __init__(
        self,
        ttl_seconds: float = 30.0,
        nameservers: Sequence[str] | None = None,
        search: Sequence[str] | None = None,
    ) -> None:
        super().__init__(ttl_seconds)
        self._nameservers = nameservers
        self._search = search
        self._channel: aiodns.DNSResolver | None = None

    async def _asked(self, host: str, port: int) -> Sequence[AddressInfo]:
        if host == "localhost" or host.endswith(".localhost") or _is_address(host):  # no names of the DNS (RFC 6761)
            return await super()._asked(host, port)
        import aiodns

        if self._channel is None:
            # plain questions, and not its getaddrinfo: kept from the hosts file by an option, pycares loses all name
            # servers in one of some twenty starts (the option's memory is gone before it is read, 5.2.1)
            self._channel = aiodns.DNSResolver(self._nameservers, timeout=_TIMEOUT_SECONDS, tries=_TRIES)
        if self._search is None:
            self._search = await asyncio.to_thread(_searched)
        reason = "there is no such name"
        for name in (host, *(f"{host}.{domain}" for domain in self._search)):
            found, reason = await self._addresses(name)
            if found:
                return [_info(address, port) for address in found]
        raise OSError(reason)

    async def _addresses(self, name: str) -> tuple[list[str], str]:
        """The addresses of *name*, and why there are none.

        Raises:
            OSError: nobody could be asked.
        """
        import aiodns
        from pycares import errno as ares

        assert self._channel is not None
        asked = (self._channel.query_dns(name, kind) for kind in ("A", "AAAA"))
        found: list[str] = []
        reason = "it has no address"
        failures = []
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(answer, aiodns.error.DNSError):
                reason = str(answer.args[1] if len(answer.args) > 1 else answer)
                if answer.args[0] not in (ares.ARES_ENOTFOUND, ares.ARES_ENODATA):
                    failures.append(reason)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found += [record.data.addr for record in answer.answer if hasattr(record.data, "addr")]
        if failures and not found:
            raise OSError(failures[0])
        return found, reason

    async def aclose(self) -> None:
        await super().aclose()
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()


def _is_address(host: str) -> bool:
    try:
        return ":" in host_name(host) or host.rpartition(".")[2].isdecimal()
    except ValueError:
        return False


def _searched() -> Sequence[str]:
    """The search list of resolv.conf: the last one counts (resolv.conf(5))."""
    try:
        lines = _SETTINGS.read_text().splitlines()
    except OSError:
        return ()
    lists = [words[1:] for line in lines if (words := line.split()) and words[0] in ("search", "domain")]
    return lists[-1] if lists else ()


def _info(address: str, port: int) -> AddressInfo:
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)
