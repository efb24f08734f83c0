"""The cache plugin: answers what it knows, keeps what flows by, and has the same asked only once at a time."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from sidecar import (
    AroundExchange,
    CallError,
    Console,
    Exchange,
    ExchangeHandler,
    Lifespan,
    Question,
    Response,
    Runtime,
    Sample,
    Samples,
    Told,
    Verdict,
    hookimpl,
    waiting,
)
from sidecar_cache.behind import PURPOSE, Behind
from sidecar_cache.config import Answers, CacheConfig
from sidecar_cache.console import told
from sidecar_cache.entry import Entry, age_seconds
from sidecar_cache.flights import Flight
from sidecar_cache.forms import Unconvertible
from sidecar_cache.freshness import (
    BYPASS,
    COLLAPSED,
    MISS,
    NOTHING_ASKED,
    REQUEST,
    STALE,
    URI_MISS,
    Controls,
    Lifetime,
    Standing,
    forwarded,
    standing,
)
from sidecar_cache.giving import gateway_timeout, ready, response_of
from sidecar_cache.holdings import Holdings, control_of, taken_over
from sidecar_cache.identity import Head, Identity, Opening, Unsuitable, identity_of, opening_of, read_head
from sidecar_cache.keeping import CALLED, Purpose
from sidecar_cache.samples import samples_of
from sidecar_cache.slices import in_turns
from sidecar_cache.storage import MEMORY, Storage, key_secret
from sidecar_cache.taking import Taking
from sidecar_cache.tenants import terms_of
from sidecar_cache.warming import Warming

logger = logging.getLogger(__name__)

_SERVER_ERRORS = 500
_RANKED_SECONDS = 60.0


class Cache(AroundExchange, Lifespan, Samples, Console):
    """Answers again what has been answered: exactly, in the form asked for, and to the same caller only.

    The agent never waits for an answer to be stored.
    """

    Config = CacheConfig

    def __init__(self, config: CacheConfig) -> None:
        self.config = config
        self._name = "cache"
        self._loop: asyncio.AbstractEventLoop  # that of its life
        self._storage = Storage(config)
        self.holdings: Holdings
        self.behind: Behind
        self.warming: Warming
        self._taking: Taking
        self._pace = None if config.pace == "at_once" else 1.0
        self._terms = terms_of(config)
        self.lifetimes = {
            operation: _lifetime(answers, config.jitter)
            for operation, answers in (("tts", config.tts), ("stt", config.stt), ("chat", config.chat))
            if answers.ttl > 0
        }

    @hookimpl
    @asynccontextmanager
    async def lifespan(self, runtime: Runtime) -> AsyncIterator[None]:
        self._name, self._loop = runtime.name, asyncio.get_running_loop()
        self.behind = Behind(runtime.calls, self.config.max_entry)
        before = runtime.before if isinstance(runtime.before, Cache) else None
        taken = None if before is None else taken_over(before.holdings, before.config, self.config)
        held = self.holdings = taken or Holdings(self._storage, control_of(self.config), key_secret(self.config))
        held.users += 1
        if held.users == 1:
            held.storage.start()
        if before is not None:
            await before.warming.stop()
        self.warming = Warming(self.config, runtime.calls, runtime.providers, held, runtime.name)
        self.warming.begin()
        self._taking = Taking(self.config, held, runtime.name)
        ranking = self._loop.create_task(self._rank())
        try:
            yield
        finally:
            ranking.cancel()
            await self.warming.stop()
            await self.behind.close()
            held.users -= 1
            if held.users == 0:
                await held.storage.close()

    async def _rank(self) -> None:
        """A process that is killed says nothing at its end."""
        while self.config.disk is not None:
            await asyncio.sleep(_RANKED_SECONDS)
            self.holdings.storage.rank()

    # -- a call --------------------------------------------------------------------------------------------------------

    @hookimpl
    async def around_exchange(self, exchange: Exchange, call_next: ExchangeHandler) -> Response:
        held = self.holdings
        body = exchange.request.body
        if body.data is None and body.length is not None:  # an upload without a length may last as long as it likes
            exchange = await exchange.loaded(self.config.max_request)
        headers, data = exchange.request.headers, exchange.request.body.data
        head, purpose = read_head(headers), exchange.notes.get(PURPOSE)
        terms = self._terms if purpose is None or not purpose.for_all else self.warming.terms
        try:
            opening = opening_of(exchange, head, held.secret, terms)
            lifetime = self.lifetimes.get(exchange.operation)
            if data is None:
                raise Unsuitable("the request's body streams past")
            if lifetime is None:
                raise Unsuitable("such answers are not kept")
            spelled = held.spellings.recall(opening, head, data)
            if spelled is None and held.flood.carries(data) and purpose is None:
                raise Unsuitable("calls come in a flood, and none of them comes again")
            identity = spelled or identity_of(opening, head, data, by_samples=self.config.by_samples)
        except Unsuitable as obstacle:
            self._note(exchange, "skip", str(obstacle))
            return self._forwarded(await call_next(exchange), BYPASS)
        key, controls = identity.key, head.controls
        if controls.no_store:
            self._note(exchange, "skip", "the agent forbids it", key=key[:12])
            return self._forwarded(await call_next(exchange), BYPASS)
        if purpose is not None:
            return await self._led(exchange, call_next, identity, lifetime, purpose)
        entry, where = held.storage.memory.recall(key), MEMORY
        if entry is None or identity.for_all:
            identity, entry, where = await self._found(exchange, opening, head, data, identity, entry)
            key = identity.key
        if entry is None:
            if identity is spelled:  # of which the parts are not remembered
                identity = identity_of(opening, head, data, by_samples=self.config.by_samples)
            return await self._missed(exchange, call_next, identity, lifetime, controls, where)
        age = age_seconds(entry)
        left = entry.fresh_seconds - age
        if left >= 0.0 and controls is NOTHING_ASKED:
            may = Standing.FRESH
        else:
            may = standing(left, age, lifetime, controls)
        reason = "what is kept is out of date"
        if may is Standing.FRESH or may is Standing.STALE:
            answer = self._answered(exchange, identity, entry, where, age, may, head)
            if not isinstance(answer, str):
                if identity is not spelled:
                    held.spellings.keep(opening, head, data, identity)
                return answer
            reason = answer
        elif may is Standing.USELESS and -left > lifetime.stale_seconds:
            held.storage.forget(key)
        if identity.for_all:
            identity = identity_of(opening, head, data, by_samples=self.config.by_samples)
        spare = entry if may is Standing.SPARE else None
        why = STALE if left < 0.0 else MISS if may is Standing.FRESH else REQUEST
        return await self._missed(exchange, call_next, identity, lifetime, controls, reason, spare, why)

    async def _found(
        self, exchange: Exchange, opening: Opening, head: Head, data: bytes, identity: Identity, entry: Entry | None
    ) -> tuple[Identity, Entry | None, str]:
        """What is kept elsewhere than in memory, or for all agents of the pod; or None, and why that is."""
        held, where = self.holdings, MEMORY
        if identity.for_all:
            if entry is not None and head.controls is NOTHING_ASKED and age_seconds(entry) <= entry.fresh_seconds:
                return identity, entry, where
            identity = identity_of(opening, head, data, by_samples=self.config.by_samples)
            entry = held.storage.memory.recall(identity.key)
        if entry is None:
            entry, where = await held.storage.recall_behind(identity.key)
        if entry is None and exchange.provider.name in self.warming.for_all and head.controls is NOTHING_ASKED:
            warmed = await self.warming.recall(exchange, head, data)
            return warmed or (identity, None, where)
        return identity, entry, where

    def _answered(
        self, exchange: Exchange, identity: Identity, entry: Entry, where: str, age: float, may: Standing, head: Head
    ) -> Response | str:
        """What is kept, for this agent; or why it is not given."""
        held, key = self.holdings, identity.key
        try:
            given = ready(held, exchange, identity, entry)
        except Unconvertible as obstacle:
            return str(obstacle)
        if given.tally.off:
            return "answers of this model are switched off: they differ from fresh ones too often"
        notes, outcome, short = exchange.notes, "hit" if age <= entry.fresh_seconds else "stale", key[:12]
        since = notes.since()
        detail: dict[str, str | float] = {"key": short, "age_seconds": round(age, 3), "tier": where}
        notes.verdicts.append(Verdict(self._name, outcome, "", detail, since))
        held.counts[outcome] += 1
        held.storage.given[where] += 1
        held.repeats.take(outcome, short, exchange.operation, head.retried)
        held.flood.hits += 1
        given.tally.hits += 1
        given.tally.answer_seconds += since
        if may is Standing.STALE:
            self.behind.again(exchange, key, Purpose("refresh"))
        elif held.control.share and held.control.draws():
            self.behind.again(exchange, key, Purpose("control", entry))
        return response_of(given, age, self._name, self._pace)

    async def _missed(
        self,
        exchange: Exchange,
        call_next: ExchangeHandler,
        identity: Identity,
        lifetime: Lifetime,
        controls: Controls,
        reason: str = "",
        spare: Entry | None = None,
        why: str = URI_MISS,
    ) -> Response:
        held, key = self.holdings, identity.key
        if controls.only_if_cached:
            self._note(exchange, "miss", "only what is kept was asked for", key=key[:12])
            return gateway_timeout(exchange, self._name)
        if not reason:
            near = held.nearest(identity)
            differs = "" if near is None else ", ".join(near.differs[:4])
            reason = f"nearest key differs in {differs}" if differs else "nothing kept under this key"
        self._note(exchange, "miss", reason, key=key[:12])
        flying = key + identity.delivery
        while not controls.no_cache and (flight := held.flights.get(flying)) is not None and flight.joinable:
            with waiting(call_next):
                followed = await flight.join()
            if followed is not None:
                held.flood.hits += 1
                self._note(exchange, "joined", "the same is being asked already", key=key[:12])
                if followed.body.data is None:
                    exchange.notes.open_bodies.append(followed.body)
                return followed.with_headers(followed.headers.adding("Cache-Status", COLLAPSED))
            if flight.failed:
                break
        return await self._led(exchange, call_next, identity, lifetime, CALLED, spare, why)

    async def _led(
        self,
        exchange: Exchange,
        call_next: ExchangeHandler,
        identity: Identity,
        lifetime: Lifetime,
        purpose: Purpose,
        spare: Entry | None = None,
        why: str = URI_MISS,
    ) -> Response:
        """The provider's answer, of which others may have their share, being kept if it ends well."""
        held, flying = self.holdings, identity.key + identity.delivery
        flight = Flight(self.config.max_entry)
        if purpose is CALLED:
            held.flights.setdefault(flying, flight)

        try:
            response = await call_next(exchange)
        except BaseException as error:
            flight.end(error)
            held.landed(flying, flight)
            if isinstance(error, CallError) and (kept := self._spared(exchange, identity, spare, error.kind)):
                return kept
            raise
        failure = f"status {response.status}"
        if response.status >= _SERVER_ERRORS and (kept := self._spared(exchange, identity, spare, failure)):
            flight.end(CallError(failure))
            held.landed(flying, flight)
            await response.body.aclose()
            return kept

        def ended(flight: Flight) -> None:
            if response.status == 200 and flight.whole and (purpose is not CALLED or held.keeping.take()):
                # until it is kept others join
                taking = self._taking.taken(exchange, response, flight, identity, lifetime, purpose)
                self._loop.call_soon(in_turns, self._loop, taking)
                return
            held.landed(flying, flight)
            if response.status == 200:
                held.counts["refused"] += 1

        if self.warming.awaited and response.status == 200 and purpose is CALLED:
            self.warming.see(exchange, response)
        return self._forwarded(flight.leads(response, exchange.notes, ended), why, stored=response.status == 200)

    def _forwarded(self, response: Response, why: str, *, stored: bool = False) -> Response:
        return response if self.config.cache_status == "hits" else forwarded(response, why, stored=stored)

    def _spared(self, exchange: Exchange, identity: Identity, spare: Entry | None, failure: str) -> Response | None:
        """What is kept, because the provider fails; None if there is nothing, or not in the form asked for."""
        if spare is None:
            return None
        try:
            given = ready(self.holdings, exchange, identity, spare)
        except Unconvertible:
            return None
        age = age_seconds(spare)
        reason = f"the provider failed: {failure}"
        self._note(exchange, "spare", reason, key=identity.key[:12], age_seconds=round(age, 3))
        return response_of(given, age, self._name, self._pace)

    def _note(self, exchange: Exchange, outcome: str, reason: str, **detail: str | float) -> None:
        self.holdings.counts[outcome] += 1
        if outcome != "skip":
            retried = read_head(exchange.request.headers).retried
            self.holdings.repeats.take(outcome, str(detail["key"]), exchange.operation, retried)
        exchange.note(self._name, outcome, reason, **detail)

    @hookimpl
    async def console(self, question: Question) -> Told:
        return await told(self, question)

    @hookimpl
    def samples(self) -> Iterable[Sample]:
        return samples_of(self.holdings, self.behind)


def _lifetime(answers: Answers, jitter: float) -> Lifetime:
    return Lifetime(answers.ttl, jitter, answers.stale_while_revalidate, answers.stale_if_error)
