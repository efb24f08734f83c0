"""What a reload looks at: whether the file has changed, and what of a change has to wait for a restart."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from sidecar.settings import Settings


class Watched:
    """A file whose content matters, not its date: a ConfigMap is a link to a directory that is swapped.

    Args:
        file: None for nothing to watch.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._seen = ""

    def look(self) -> bool:
        """Whether the content is another one than at the last look; it has been looked at then."""
        before, self._seen = self._seen, self._digest()
        return self._seen != before

    def _digest(self) -> str:
        if self._file is None:
            return ""
        try:
            return hashlib.sha256(self._file.read_bytes()).hexdigest()
        except OSError:
            return self._seen  # between two versions of a ConfigMap; look again later


def needs_restart(before: Settings, after: Settings) -> Iterable[str]:
    """What has changed that is only looked at when the process starts."""
    for name in ("listen", "admin", "probes", "tls", "log", "journal"):
        if getattr(before, name) != getattr(after, name):
            yield name
    if before.upstream.resolver != after.upstream.resolver or before.upstream.dns_ttl != after.upstream.dns_ttl:
        yield "how names are looked up"
    ports = [
        {name: provider.port for name, provider in settings.providers.items() if provider.enabled and provider.port}
        for settings in (before, after)
    ]
    if ports[0] != ports[1]:
        yield "providers' ports"
