"""The injector's own certificate, kept by all of its replicas together.

Nobody leads. Each looks at the same Secret and the same configuration, and sets right what is not; of two who write,
the second is told that somebody else has written, and looks again. A look goes in this order, and its reasons are:

1. The configuration is read before the Secret. What is written to it is refused if it has changed since; so nobody who
   has missed a new certificate can put back whom to trust before it.
2. A new certificate is kept before its authority is published, and published before it is presented: with it those that
   others still present stay trusted, and API servers get time to learn of it.

All of it is looked at every minute and not watched: a right to watch cannot be confined to one object's name as simply,
and nothing is lost by a minute. Certificates are renewed a month ahead, and what is presented is presented meanwhile.
"""

import asyncio
import datetime as dt
import logging
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

from sidecar.webhook.certificate import LIFE, ROOTS, Kept, Unusable, made, read, roots_in
from sidecar.webhook.kubernetes import Api, ApiError, Conflict
from sidecar.webhook.objects import Configuration, Objects, Secret
from sidecar.webhook.presented import Count, Presented

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 60.0
#: Within it API servers know of a change of the configuration, of which they are told at once.
SETTLE_SECONDS: Final = 30.0
#: What was made longer ago than this has been published for long, too; what is younger perhaps just now.
_YOUNG: Final = dt.timedelta(minutes=10)
#: Renewed after two thirds of its life, and up to a twentieth later, so that replicas do not do it all at once.
_RENEWED, _RENEWED_JITTER = 2 / 3, 1 / 20
#: How often a look begins anew since somebody else has changed something.
_TRIES: Final = 5


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Keeper:
    """
    Args:
        connected: gives the API for one look.
        now: the time of day.
        chance: from 0 to 1.
    """

    def __init__(
        self,
        objects: Objects,
        connected: Callable[[], AbstractAsyncContextManager[Api]],
        *,
        now: Callable[[], dt.datetime] = _now,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._objects = objects
        self._connected = connected
        self._now = now
        self._chance = chance
        self._renewed_after = LIFE * (_RENEWED + _RENEWED_JITTER * chance())
        self._served: Kept | None = None
        self._trusted_since: tuple[bytes, dt.datetime] | None = None
        self._published = b""
        self._failures = self._failed_in_a_row = self._looks = self._made = self._restored = 0
        self._failure: str | None = "it has not been looked for yet"
        self.presented = Presented()

    @property
    def missing(self) -> str | None:
        return None if self._served is not None else self._failure or "API servers are still to learn whom to trust"

    @property
    def counts(self) -> tuple[Count, ...]:
        return (
            Count(
                "certificate_looks_total", "Looks at the certificate.", self._looks - self._failures, '{outcome="ok"}'
            ),
            Count("certificate_looks_total", "Looks at the certificate.", self._failures, '{outcome="failed"}'),
            Count("certificates_made_total", "Certificates made.", self._made),
            Count("trust_restored_total", "Times that somebody changed whom to trust.", self._restored),
        )

    async def watch(self) -> None:
        while True:
            seconds = await self.look()
            await asyncio.sleep(seconds)

    async def look(self) -> float:
        """Set right what is not.

        Returns:
            seconds until the next look is due.
        """
        self._looks += 1
        try:
            seconds = await self._look()
        except ApiError as error:
            return self._failed(str(error))
        except Exception as error:  # pods without a sidecar cost more than a certificate that is looked at later
            logger.exception("the certificate could not be looked at; this is a defect")
            return self._failed(f"a defect: {type(error).__name__}")
        if self._failed_in_a_row:
            logger.info("the certificate is in order again")
        self._failure, self._failed_in_a_row = None, 0
        return seconds

    def _failed(self, why: str) -> float:
        self._failures += 1
        if why != self._failure:
            logger.warning("%s%s", why, "" if self._served is None else "; what is served is served on")
        self._failure = why
        self._failed_in_a_row += 1
        return min(LOOK_SECONDS, 2.0 ** min(self._failed_in_a_row - 1, 6)) * (0.75 + self._chance() / 2)

    async def _look(self) -> float:
        async with self._connected() as api:
            for _ in range(_TRIES):
                try:
                    return await self._set_right(api, self._now())
                except Conflict as error:
                    conflict = error
        raise ApiError(f"{conflict}, {_TRIES} times over; see who else changes it, or whether it is immutable")

    async def _set_right(self, api: Api, now: dt.datetime) -> float:
        configuration = await api.configuration()
        if not configuration.bundles:
            raise ApiError(
                f"no webhook of the MutatingWebhookConfiguration {self._objects.configuration} calls the service "
                f"{self._objects.namespace}/{self._objects.service}; name them with --configuration and --service"
            )
        kept = await self._agreed(api, await api.secret(), configuration, now)
        trusted = all(kept.root in bundle for bundle in configuration.bundles.values())
        if any(bundle != kept.roots for bundle in configuration.bundles.values()):
            await self._publish(api, configuration, kept)
        self._published = kept.roots
        return self._present(kept, configuration, now, trusted=trusted)

    async def _agreed(self, api: Api, secret: Secret, configuration: Configuration, now: dt.datetime) -> Kept:
        """What all replicas present, now or soon."""
        level, place = logging.INFO, f"the Secret {self._objects.namespace}/{self._objects.secret}"
        try:
            kept = read(secret.data, self._objects.names, now)
            if now < kept.made + self._renewed_after:
                return kept
            why = f"what is in {place} expires at {kept.expires:%Y-%m-%d %H:%M} UTC"
        except Unusable as error:
            why = f"{place} has nothing to serve: {error}"
            if any(secret.data.values()):  # all of it is empty when it begins
                level = logging.WARNING
        served = b"" if self._served is None else self._served.root
        earlier = (served, secret.data.get(ROOTS, b""), *configuration.bundles.values())
        kept = made(self._objects.names, now, earlier)
        await api.replace_secret(secret.holding(kept.data))
        self._made += 1
        logger.log(level, "%s; a new certificate was made", why)
        return kept

    async def _publish(self, api: Api, configuration: Configuration, kept: Kept) -> None:
        await api.patch_configuration(configuration.trusting(kept.roots))
        name = self._objects.configuration
        if self._published == kept.roots:
            self._restored += 1
            logger.warning("somebody has changed whom %s trusts (caBundle); it is put back", name)
        else:
            logger.info("%s trusts the certificate that is kept (caBundle)", name)

    def _present(self, kept: Kept, configuration: Configuration, now: dt.datetime, *, trusted: bool) -> float:
        """Take *kept* into service, if API servers have had time to learn whom to trust.

        Args:
            configuration: as it was before this look.
            trusted: whether it had all webhooks trust *kept* already.
        """
        if self._served is not None and kept.certificate == self._served.certificate:
            return LOOK_SECONDS * (0.9 + self._chance() / 5)
        known = self._trusted_since
        if known is None or known[0] != kept.root or not trusted or now < known[1]:
            known = self._trusted_since = (kept.root, now)
        left = SETTLE_SECONDS - (now - known[1]).total_seconds()
        if left > 0 and self._would_harm(kept, configuration, now, trusted=trusted):
            return left
        self.presented.take(kept.certificate, kept.key)
        self._served = kept
        logger.info("a certificate is in force until %s", f"{kept.expires:%Y-%m-%d %H:%M} UTC")
        return LOOK_SECONDS * (0.9 + self._chance() / 5)

    def _would_harm(self, kept: Kept, configuration: Configuration, now: dt.datetime, *, trusted: bool) -> bool:
        """Whether some API server may trust what is served now, by us or another replica, and not yet *kept*."""
        if self._served is not None:
            return self._served.root in kept.roots
        if trusted:
            return now < kept.made + _YOUNG
        return bool(roots_in(configuration.bundles.values(), now))
