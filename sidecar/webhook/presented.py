"""The certificate that the server presents, which may change while it serves: new connections get the new one."""

import ssl
from collections.abc import Sequence
from typing import Final, Literal, NamedTuple, Protocol

from cryptography import x509

from sidecar.certificates import load_chain


class Presented:
    """``expires_seconds`` is Unix time; None while nothing is presented."""

    def __init__(self) -> None:
        self.context: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.expires_seconds: float | None = None

    def take(self, certificate: bytes, key: bytes) -> None:
        """
        Args:
            certificate: with those that vouch for it, PEM.

        Raises:
            ssl.SSLError: they cannot be used; what was presented stays.
        """
        # half of what fails would be in force
        load_chain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, key)
        load_chain(self.context, certificate, key)
        try:
            self.expires_seconds = x509.load_pem_x509_certificate(certificate).not_valid_after_utc.timestamp()
        except ValueError:  # OpenSSL takes more than others can read
            self.expires_seconds = None


class Count(NamedTuple):
    """Of ``sidecar_webhook_<name>``, for /metrics. *labels* as they are written: ``{outcome="ok"}``."""

    name: str
    help: str
    value: float
    labels: str = ""
    kind: Literal["counter", "gauge"] = "counter"


class Source(Protocol):
    """Where the presented certificate comes from."""

    presented: Presented

    @property
    def missing(self) -> str | None:
        """Why there is nothing to present yet; None once there is."""

    @property
    def counts(self) -> Sequence[Count]: ...

    async def watch(self) -> None:
        """Take new certificates into service as they come. Runs until it is cancelled."""
