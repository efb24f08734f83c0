"""On whose behalf calls are made, and who may have their answers. No I/O."""

from typing import Final

from sidecar import Exchange, Headers, Secret
from sidecar.credentials import QUERY as CREDENTIAL_QUERY
from sidecar_cache.config import CacheConfig
from sidecar_cache.identity import Terms
from sidecar_cache.rules.headers import is_noise

#: Noise to the cache that a provider may want to see.
_WANTED: Final = frozenset((b"user-agent",))
#: What begins like this tells of the one body that was seen.
_OF_BODIES: Final = b"content-"


def terms_of(config: CacheConfig) -> Terms:
    """What *config* says of calls."""
    return Terms(pod=config.tenant == "pod", stateless=config.responses == "stateless")


class Agent:
    """What an agent has sent with a call, so that more can be asked as it would ask. It holds a credential, lives in
    memory alone, and has no legible form.

    Args:
        exchange: one that its provider has answered.
    """

    __slots__ = ("_query", "headers", "provider")

    def __init__(self, exchange: Exchange) -> None:
        self.provider = exchange.provider
        """To which the credential was sent, and nowhere else may it go."""
        self.headers = Headers(
            field for field in exchange.request.headers.fields if _is_told(field[0].lower())
        ).end_to_end()
        items = exchange.request.query.split("&")
        self._query = Secret("&".join([item for item in items if item.partition("=")[0] in CREDENTIAL_QUERY]))

    def is_like(self, other: "Agent") -> bool:
        """Whether calls of the two have the same keys."""
        return (
            self.provider.origin == other.provider.origin
            and self._query == other._query
            and sorted(self._telling()) == sorted(other._telling())
        )

    def target(self, path: str) -> str:
        """*path* with what the agent says of itself in queries."""
        if not self._query.reveal:
            return path
        return f"{path}{'&' if '?' in path else '?'}{self._query.reveal}"

    def _telling(self) -> list[tuple[bytes, bytes]]:
        fields = ((name.lower(), value) for name, value in self.headers.fields)
        return [field for field in fields if not is_noise(field[0])]


def _is_told(name: bytes) -> bool:
    return not name.startswith(_OF_BODIES) and (name in _WANTED or not is_noise(name))
