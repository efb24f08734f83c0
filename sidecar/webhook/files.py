"""A certificate that others keep in files: cert-manager, or people."""

import asyncio
import logging
import ssl
from pathlib import Path
from typing import Final

from sidecar.errors import ConfigurationError
from sidecar.webhook.presented import Count, Presented

logger = logging.getLogger(__name__)

#: How often the files are looked at. cert-manager renews weeks ahead.
_LOOK_SECONDS: Final = 10.0


class CertificateFiles:
    """
    Raises:
        ConfigurationError: they cannot be read, or do not belong together.
    """

    missing: Final = None
    counts: Final[tuple[Count, ...]] = ()

    def __init__(self, certificate: Path, key: Path) -> None:
        self._files = certificate, key
        self._loaded: tuple[bytes, bytes] | None = None
        self.presented = Presented()
        try:
            self.look()
        except (OSError, ssl.SSLError) as error:
            raise ConfigurationError(
                f"cannot serve with --cert {certificate} and --key {key}: {error.strerror or error}"
            ) from error

    def look(self) -> bool:
        """Whether the files have changed; what is in them is in force then.

        Raises:
            OSError, ssl.SSLError: what was in force stays.
        """
        certificate, key = (file.read_bytes() for file in self._files)
        if (certificate, key) == self._loaded:
            return False
        self.presented.take(certificate, key)
        self._loaded = certificate, key
        return True

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                if self.look():
                    logger.info("a new certificate is in force")
            except (OSError, ssl.SSLError) as error:
                logger.warning("the new certificate cannot be taken, the old one stays in force: %s", error)
