"""Who may answer the calls of an agent, and what each of them is to be asked for. No I/O."""

import random
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from sidecar import Chat, Exchange, Operation, Provider, Speech, Transcription
from sidecar.translation import Inexpressible, Target, Translated, translate
from sidecar_ordering.balancer import Balancer
from sidecar_ordering.candidates import Candidate
from sidecar_ordering.config import Calls, CandidateSettings
from sidecar_ordering.gates import Accounts
from sidecar_ordering.hedging import HedgePolicy
from sidecar_ordering.score import Policy
from sidecar_ordering.sharing import Snapshot

#: What agents ask for is theirs to choose: of so many (provider, model) something is remembered at a time.
_MOST_GROUPS: Final = 256


class Option(Struct, frozen=True, kw_only=True, eq=False):
    """One who may answer, and how."""

    provider: Provider
    settings: CandidateSettings
    own: bool = False
    """The agent's own provider, asked for what the agent asks for: byte for byte."""
    model: str | None = None
    """None for what the agent asks for."""

    def translated(self, exchange: Exchange) -> Translated | None:
        """The call as this one is to get it; None for as it is.

        Raises:
            Inexpressible: it cannot be said there.
        """
        if self.own:
            return None
        dialect = self.provider.dialect
        if dialect is None:
            raise Inexpressible("call", f"nothing is known of how {self.provider.name} speaks")
        payload, voice = exchange.payload, self.settings.voice
        if isinstance(payload, Speech) and payload.voice is not None:
            voice = self.settings.voices.get(payload.voice, voice)
        may_lose = frozenset(self.settings.may_lose)
        return translate(exchange, Target(dialect=dialect, model=self.model, voice=voice, may_lose=may_lose))


class Group(Struct, frozen=True, eq=False):
    """Those who may answer one kind of call for one model of one provider."""

    balancer: Balancer
    options: Mapping[str, Option]
    """By candidate's name."""
    calls: Calls


class Groups:
    """All of them; made when first asked for.

    Args:
        providers: by name.
        operations: what is configured for each.
    """

    def __init__(
        self, providers: Mapping[str, Provider], operations: Mapping[Operation, Calls], draw: random.Random
    ) -> None:
        self._providers = providers
        self._operations = operations
        self._draw = draw
        self.accounts = Accounts(draw)
        self._groups: OrderedDict[tuple[Operation, bool, str, str], Group] = OrderedDict()
        self._remembered: dict[str, Snapshot] = {}
        self._others: Mapping[str, Sequence[Snapshot]] = {}

    def concern(self, exchange: Exchange) -> bool:
        """Whether there is anybody to choose from for a call of this kind."""
        calls = self._operations.get(exchange.operation)
        return calls is not None and bool(calls.candidates) and exchange.call is not None

    def of(self, exchange: Exchange, now: float) -> Group:
        """Those for the call of *exchange*, which is one of ours."""
        calls = self._operations[exchange.operation]
        model = asked_model(exchange)
        key = (exchange.operation, exchange.socket, exchange.provider.name, model)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = self._made(exchange, calls, model, now)
            unix_now = time.time_ns() / 1e9
            if (kept := self._remembered.pop(_key(key), None)) is not None:
                group.balancer.restore(kept, now, unix_now)
            if others := self._others.get(_key(key)):
                group.balancer.absorb(others, now, unix_now)
            if len(self._groups) > _MOST_GROUPS:
                self._groups.popitem(last=False)
        else:
            self._groups.move_to_end(key)
        return group

    def all(self) -> tuple[Group, ...]:
        return tuple(self._groups.values())

    # -- what is learned -----------------------------------------------------------------------------------------------

    def snapshots(self, now: float, unix_now: float) -> dict[str, Snapshot]:
        """What has been learned here, by the groups' names; of those that nobody has asked for again, too."""
        learned = {_key(key): group.balancer.snapshot(now, unix_now) for key, group in self._groups.items()}
        return self._remembered | learned

    def remember(self, snapshots: Mapping[str, Snapshot]) -> None:
        """What was learned before, here; for groups that are made from now on."""
        self._remembered = dict(list(snapshots.items())[:_MOST_GROUPS])

    def absorb(self, others: Mapping[str, Sequence[Snapshot]], now: float, unix_now: float) -> None:
        """What other pods have learned."""
        self._others = others
        for key, group in self._groups.items():
            group.balancer.absorb(others.get(_key(key), ()), now, unix_now)

    def _made(self, exchange: Exchange, calls: Calls, model: str, now: float) -> Group:
        options: dict[str, Option] = {}
        own = exchange.provider
        for settings in calls.candidates:
            provider = self._providers.get(settings.provider)
            if provider is None:
                continue
            asked = settings.models.get(model, settings.model)
            is_own = provider.name == own.name and asked in (None, model) and not settings.voice and not settings.voices
            option = Option(provider=own if is_own else provider, settings=settings, own=is_own, model=asked)
            options.setdefault(_name(provider, asked or model), option)
        if not any(option.own for option in options.values()):
            first = Option(provider=own, settings=CandidateSettings(provider=own.name), own=True)
            options = {_name(own, model): first, **options}
        candidates = [
            Candidate(
                name=name,
                provider=option.provider.name,
                model=option.model or model,
                voice=option.settings.voice or "",
                quality=option.settings.quality,
                price=option.settings.price,
                priority=place,
                weight=option.settings.weight,
                may_hedge=option.settings.hedge,
            )
            for place, (name, option) in enumerate(options.items())
        ]
        hedging = HedgePolicy(quantile=calls.hedge.quantile, extra_share=calls.hedge.share, race=calls.hedge.race)
        if exchange.socket:  # a second connection would count as a second session
            hedging = HedgePolicy(extra_share=0.0, floor=0.0)
        balancer = Balancer(
            exchange.operation.value, candidates, _policy(calls), hedging, self.accounts, self._draw, now
        )
        return Group(balancer, options, calls)


def _key(key: tuple[Operation, bool, str, str]) -> str:
    operation, socket, provider, model = key
    return f"{operation.value} {'socket ' if socket else ''}{provider} {model}"


def check(operations: Mapping[Operation, Calls], providers: Mapping[str, Provider]) -> None:
    """
    Raises:
        ValueError: a candidate is none that could answer; the message says where, and what to do.
    """
    problems = []
    for operation, calls in operations.items():
        for place, settings in enumerate(calls.candidates):
            provider = providers.get(settings.provider)
            where = f"config.{operation.value}.candidates[{place}].provider"
            if provider is None:
                known = ", ".join(sorted(providers)) or "none"
                problems.append(f"{where}: no provider is called {settings.provider!r}; configured are {known}")
            elif provider.dialect is None:
                problems.append(
                    f"{where}: {settings.provider} has no dialect; set providers.{settings.provider}.dialect"
                )
            elif not provider.origin.host:
                problems.append(f"{where}: {settings.provider} is nowhere; set its url")
    if problems:
        raise ValueError("; ".join(problems))


def asked_model(exchange: Exchange) -> str:
    payload, call = exchange.payload, exchange.call
    model = payload.model if isinstance(payload, Chat | Speech | Transcription) else None
    return model or (call.model if call is not None else None) or ""


def _name(provider: Provider, model: str) -> str:
    return f"{provider.name}/{model}" if model else provider.name


def _policy(calls: Calls) -> Policy:
    return Policy(
        mode=calls.mode,
        within=calls.within,
        quality_weight=calls.quality_weight,
        price_weight=calls.price_weight,
        min_quality=calls.min_quality,
        max_price=float("inf") if calls.max_price is None else calls.max_price,
    )
