"""The CA of the pod: opened at the start, and spoken of when a client does not trust it."""

import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path

from sidecar.errors import ConfigurationError
from sidecar.intercept.authority import BUNDLE_FILE, Authority, open_authority
from sidecar.routing import Routes
from sidecar.settings import Tls

logger = logging.getLogger(__name__)

_LOGGED_SECONDS = 60.0
#: So many are remembered: a provider may be called by any name below a suffix.
_NAMES = 256


def signed_names(routes: Routes) -> list[str]:
    """The names under which providers are called: what the CA may sign for."""
    return sorted({pattern.removeprefix("*.") for pattern in routes.patterns})


class Trust:
    """``authority``: None where TLS is not ended for anybody."""

    def __init__(self) -> None:
        self.authority: Authority | None = None
        self._published: Path | None = None
        self._warned: dict[str, float] = {}

    @property
    def bundle(self) -> str | None:
        """What clients must trust: a file."""
        return None if self.authority is None else str((self._published or self.authority.directory) / BUNDLE_FILE)

    def open(self, tls: Tls, names: Sequence[str]) -> None:
        """Open the CA for *names*. Without a directory that was asked for it is not worth failing for: base URLs need
        no CA. Blocks.

        Raises:
            ConfigurationError: the directory that was asked for cannot be used.
        """
        if not names:  # no provider is called by name
            return
        directory = Path(tls.directory_in(os.environ))
        try:
            self._published = None if tls.trust_directory is None else Path(tls.trust_directory).expanduser()
            extra = [Path(file).expanduser() for file in tls.extra_ca_files]
            self.authority = open_authority(directory, names, extra, self._published)
        except ConfigurationError as error:
            if tls.directory is not None or tls.trust_directory is not None:
                raise
            logger.warning("TLS is not ended for any provider: %s. Calls by base URL work all the same", error)

    def uncovered(self, names: Sequence[str]) -> list[str]:
        """Those of *names* for which TLS ought to be ended, but the CA cannot sign."""
        return [] if self.authority is None else [name for name in names if not self.authority.covers(name)]

    def distrusted(self, name: str, reason: str) -> None:
        """Tell, once in a while, that a client did not accept the certificate for *name*."""
        now = time.monotonic()
        if now - self._warned.get(name, -_LOGGED_SECONDS) < _LOGGED_SECONDS:
            return
        if len(self._warned) >= _NAMES:
            self._warned.clear()
        self._warned[name] = now
        logger.warning(
            "a client did not accept our certificate for %s: %s. If it is the agent, set SSL_CERT_FILE=%s for it "
            "(REQUESTS_CA_BUNDLE for requests, NODE_EXTRA_CA_CERTS for Node) and start it anew",
            name,
            reason,
            self.bundle or BUNDLE_FILE,
        )
