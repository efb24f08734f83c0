"""An answer that has come is judged and kept, a slice at a time, behind the agent's back."""

import logging

from sidecar import Exchange, Response
from sidecar_cache.comparing import agree
from sidecar_cache.config import CacheConfig
from sidecar_cache.control import Compared, Kind
from sidecar_cache.entry import Entry
from sidecar_cache.flights import Flight
from sidecar_cache.freshness import Lifetime
from sidecar_cache.holdings import Holdings
from sidecar_cache.identity import Identity
from sidecar_cache.keeping import Purpose, Unkept, cost, entry_of
from sidecar_cache.slices import Slices

logger = logging.getLogger(__name__)


class Taking:
    """
    Args:
        name: of the plugin, for messages.
    """

    def __init__(self, config: CacheConfig, held: Holdings, name: str) -> None:
        self._config = config
        self._held = held
        self._name = name

    def taken(
        self,
        exchange: Exchange,
        response: Response,
        flight: Flight,
        identity: Identity,
        lifetime: Lifetime,
        purpose: Purpose,
    ) -> Slices[None]:
        """Keeps what *flight* has brought if it is fit to be kept; until then others join."""
        held, kept = self._held, False
        try:
            fresh_seconds = lifetime.drawn_seconds()
            entry = yield from entry_of(
                *(exchange, response, flight, lambda: held.parts(identity), fresh_seconds, purpose),
                substitutes=self._config.keep_substitutes,
            )
            if purpose.stored is not None:
                self._compare(exchange, response, purpose.stored, entry)
            kept = held.storage.keep(identity.key, entry, fresh_seconds + lifetime.stale_seconds)
        except Unkept as reason:
            logger.debug("an answer is not kept: %s", reason)
        except Exception as error:
            logger.warning("plugin %s cannot keep an answer: %s: %s", self._name, type(error).__name__, error)
        held.landed(identity.key + identity.delivery, flight)
        held.counts["stored" if kept else "refused"] += 1
        if kept and purpose.source == "refresh":
            held.counts["refreshed"] += 1
        if purpose.told is not None:
            purpose.told(kept)

    def _compare(self, exchange: Exchange, response: Response, stored: Entry, fresh: Entry) -> None:
        kind = Kind(stored.about.operation, stored.about.model)
        price = cost(exchange, response.headers, fresh, self._config.control.prices)
        told = Compared(fresh.waited_seconds, fresh.took_seconds, price, agree(stored, fresh))
        if self._held.control.compared(kind, told):
            logger.warning(
                "plugin %s: stored answers of %s %s differ from fresh ones too often, and are not given any more",
                self._name,
                *kind,
            )
