"""Names by DNS alone. Where entries of the hosts file lead providers' names to us, the system's resolver would lead our
own calls to ourselves.
"""

import socket
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from sidecar.upstream.dial import AddressInfo, SystemResolver

if TYPE_CHECKING:
    import aiodns

#: A name server that does not answer is asked so long and so often; the next one is asked in between.
_TIMEOUT_SECONDS, _TRIES = 1.5, 2


class DnsResolver(SystemResolver):
    """Asks the name servers of resolv.conf, and never the hosts file.

    A name is asked for as it stands. Only if there is none, the search list is gone through, for the short names of a
    cluster's services: with its ``ndots:5`` a provider's name would cost eight questions instead of two.

    Args:
        nameservers: ``address`` or ``address:port`` each; None for those of resolv.conf.
    """

    def __init__(self, ttl_seconds: float = 30.0, nameservers: Sequence[str] | None = None) -> None:
        super().__init__(ttl_seconds)
        self._nameservers = nameservers
        self._channels: tuple[aiodns.DNSResolver, aiodns.DNSResolver] | None = None

    async def _asked(self, host: str, port: int) -> Sequence[AddressInfo]:
        if host == "localhost" or host.endswith(".localhost"):  # RFC 6761: no name of the DNS
            return await super()._asked(host, port)
        import aiodns
        from pycares import errno as ares

        if self._channels is None:
            asking = partial(aiodns.DNSResolver, self._nameservers, lookups="b", timeout=_TIMEOUT_SECONDS, tries=_TRIES)
            self._channels = asking(domains=[], ndots=1), asking()
        failure = aiodns.error.DNSError()
        for channel in self._channels:
            try:
                answer = await channel.getaddrinfo(host, port=port, type=socket.SOCK_STREAM)
            except aiodns.error.DNSError as error:
                failure = error
                if error.args[0] not in (ares.ARES_ENOTFOUND, ares.ARES_ENODATA):
                    break
            else:
                return [
                    (node.family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", _address(node.family, node.addr, port))
                    for node in answer.nodes
                ]
        raise OSError(str(failure.args[1] if len(failure.args) > 1 else failure))

    async def aclose(self) -> None:
        channels, self._channels = self._channels, None
        for channel in channels or ():
            await channel.close()


def _address(family: int, found: Sequence[bytes], port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    host = found[0].decode()
    return (host, port, 0, 0) if family == socket.AF_INET6 else (host, port)
