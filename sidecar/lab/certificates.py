"""A throw-away certificate authority, and one leaf for every name that the emulated providers answer to."""

import datetime
import ssl
from collections.abc import Iterable

from cryptography.hazmat.primitives import hashes

from sidecar.certificates import authority_builder, leaf_builder, load_chain, named, new_key, pem, private_pem

_LIFETIME = datetime.timedelta(days=2)


def _valid() -> tuple[datetime.datetime, datetime.datetime]:
    now = datetime.datetime.now(datetime.UTC)
    return now - datetime.timedelta(hours=1), now + _LIFETIME


class Authority:
    """Lives as long as the lab; its key never leaves memory."""

    def __init__(self) -> None:
        self._key = new_key()
        name = named("agent-sidecar lab")
        builder = authority_builder(name, name, self._key, _valid(), path_length=0)
        self._certificate = builder.sign(self._key, hashes.SHA256())
        self.pem = pem(self._certificate)

    def chain(self, hosts: Iterable[str]) -> bytes:
        """A key and its certificate, as PEM, for a server that is all of *hosts* and loopback."""
        key, certificate = self._signed(hosts)
        return key + certificate

    def _signed(self, hosts: Iterable[str]) -> tuple[bytes, bytes]:
        names = list(dict.fromkeys(("localhost", *hosts)))
        key = new_key()
        builder = leaf_builder(
            named("agent-sidecar lab provider"), names, self._certificate, key, _valid(), ("127.0.0.1", "::1")
        )
        return private_pem(key), pem(builder.sign(self._key, hashes.SHA256()))

    def server_context(self, hosts: Iterable[str]) -> ssl.SSLContext:
        """TLS for a server that is all of *hosts* (``*.`` in front of one stands for a label), and loopback."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        context.num_tickets = 0  # see sidecar.intercept.authority: SDKs with synchronous sockets may wait for ever
        key, certificate = self._signed(hosts)
        load_chain(context, certificate, key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """TLS for a client that trusts nobody but this authority."""
        return ssl.create_default_context(cadata=self.pem.decode("ascii"))
