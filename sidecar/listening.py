"""Sockets that listen, and how their addresses are shown."""

import socket

from sidecar.addresses import Address
from sidecar.errors import ConfigurationError


class CannotListen(ConfigurationError):
    """A port is taken, or an address is not this machine's."""


def listening(address: Address, name: str) -> socket.socket:
    """A socket that listens on *address* for *name*: proxy, admin, probes, or a provider with a port of its own.

    Raises:
        CannotListen: and what to do.
    """
    host = "127.0.0.1" if address.host == "localhost" else address.host
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, address.port))
        sock.listen(1024)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        key = f"{name}.address" if name in ("admin", "probes") else "listen.address"
        key = key if name in ("proxy", "admin", "probes") else f"providers.{name}.port"
        reason = (error.strerror or str(error)).lower()
        raise CannotListen(f"cannot listen on {address}: {reason}; choose another one with {key}") from error
    return sock


def shown(sock: socket.socket) -> str:
    """Where *sock* listens, as people and URLs write it."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
