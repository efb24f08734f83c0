"""Where a connection wanted to go before a rule of this machine's kernel sent it to us."""

import socket
import struct

_SO_ORIGINAL_DST = 80
"""Of both address families: linux/netfilter_ipv4.h and linux/netfilter_ipv6/ip6_tables.h."""


def original_destination(sock: socket.socket) -> tuple[str, int] | None:
    """Address and port that the peer of *sock* dialled; None if those are our own: nothing has redirected it.

    Without connection tracking the kernel knows no answer; with it, the answer for what was not redirected is the
    address that the connection has come in at.
    """
    here = sock.getsockname()
    try:
        if "." in here[0]:  # not by the family of the socket: it may be of both
            packed = sock.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, 16)
            port, address = struct.unpack_from("!2xH4s", packed)
            found = socket.inet_ntop(socket.AF_INET, address), port
        else:
            packed = sock.getsockopt(socket.IPPROTO_IPV6, _SO_ORIGINAL_DST, 28)
            port, address = struct.unpack_from("!2xH4x16s", packed)
            found = socket.inet_ntop(socket.AF_INET6, address), port
    except OSError:
        return None
    return None if found == (here[0].removeprefix("::ffff:"), here[1]) else found
