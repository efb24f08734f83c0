"""Sockets that listen, and how their addresses are shown."""

import errno
import logging
import socket
from collections.abc import Iterator

from sidecar.addresses import Address
from sidecar.errors import ConfigurationError
from sidecar.intercept.flow import BASE_URL, TRANSPARENT, Flow
from sidecar.settings import Settings

logger = logging.getLogger(__name__)


class CannotListen(ConfigurationError):
    """A port is taken, or an address is not this machine's (``no_such_address``), as ``::1`` where there is no IPv6."""

    no_such_address = False


def listening(address: Address, name: str) -> socket.socket:
    """A socket that listens on *address* for *name*: proxy, admin, probes, ``transparent`` and a number, or a provider
    with a port of its own.

    Raises:
        CannotListen: and what to do.
    """
    host = "127.0.0.1" if address.host == "localhost" else address.host
    try:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((host, address.port))
            sock.listen(1024)
            sock.setblocking(False)
        except OSError:
            sock.close()
            raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        remedy = f"choose another one with {setting_of(name)}"
        if isinstance(error, PermissionError) and address.port < 1024:
            remedy = f"in a pod, set its sysctl net.ipv4.ip_unprivileged_port_start to {address.port}; or {remedy}"
        failure = CannotListen(f"cannot listen on {address}: {reason}; {remedy}")
        failure.no_such_address = error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
        raise failure from error
    return sock


def sockets(settings: Settings) -> Iterator[tuple[str, socket.socket, Flow]]:
    """What the agent's calls come in by: by name, what listens, and what is known of whatever comes in there.

    Raises:
        CannotListen: what was yielded before goes on listening.
    """
    main = settings.listen.address
    yield "proxy", listening(main, "proxy"), BASE_URL
    host = f"[{main.host}]" if ":" in main.host else main.host
    for name, provider in settings.providers.items():
        if provider.enabled and provider.port is not None:
            address = Address(f"{host}:{provider.port}")
            yield name, listening(address, name), Flow(door="port", provider=name)
    for number, address in enumerate(settings.listen.transparent, 1):
        name = f"transparent {number}"
        try:
            yield name, listening(address, name), TRANSPARENT
        except CannotListen as error:
            if not error.no_such_address:
                raise
            logger.info("%s; nothing can arrive there either", error)


def setting_of(name: str) -> str:
    """Which setting says where *name* listens; see `listening`."""
    if name.startswith("transparent "):
        return "listen.transparent"
    known = {"proxy": "listen.address", "admin": "admin.address", "probes": "probes.address"}
    known |= {"webhook": "--address", "webhook probes": "--probes"}
    return known.get(name, f"providers.{name}.port")


def shown(sock: socket.socket) -> str:
    """Where *sock* listens, as people and URLs write it."""
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
