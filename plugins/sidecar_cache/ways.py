"""In which ways phrases are spoken: as configured, and as which agent where the sidecar has no credential. No I/O."""

from collections.abc import Mapping
from typing import NamedTuple

from sidecar import Exchange, Provider, Response
from sidecar_cache.config import Phrase, Warm
from sidecar_cache.phrases import Unspeakable, endpoint_of, provider_of
from sidecar_cache.tenants import Agent


class Way(NamedTuple):
    """How phrases are spoken."""

    place: str
    """In the configuration."""
    phrase: Phrase
    provider: Provider
    agent: Agent | None = None
    """As which it is asked for; None for all agents of the pod."""

    def by(self, agent: Agent) -> "Way":
        """The same as *agent*: what that has sent goes to whom it has sent it."""
        return self._replace(provider=agent.provider, agent=agent)

    @property
    def of(self) -> tuple[str, str]:
        """Provider and endpoint: an agent that asks one for speech has sent what is needed."""
        return self.provider.name, endpoint_of(self.phrase, self.provider)

    @property
    def waits(self) -> str:
        """What is told of it while it does."""
        return (
            f"{self.place}: waits for the first speech of an agent from {self.provider.name}, of which it needs the key"
        )


class Ways:
    def __init__(self, config: Warm, providers: Mapping[str, Provider]) -> None:
        self._config = config
        self._configured: list[Way] = []
        self._obstacles: list[str] = []
        self._agents: dict[tuple[str, str], list[Agent]] = {}
        for number, phrase in enumerate(config.speech):
            place = f"warm.speech[{number}]"
            try:
                self._configured.append(Way(place, phrase, provider_of(phrase, providers)))
            except Unspeakable as obstacle:
                self._obstacles.append(f"{place}: {obstacle}")
        lacking = {way.provider.name for way in self._configured if way.provider.credential is None}
        self.with_credential = frozenset(way.provider.name for way in self._configured) - lacking
        """Providers that all agents of the pod ask with the sidecar's own."""
        self.awaited = lacking if config.agents and config.calls else set[str]()
        """Providers for which an agent's is needed."""

    @property
    def troubles(self) -> list[str]:
        """What cannot be."""
        lacking = [way for way in self._configured if way.provider.credential is None and not self._config.agents]
        return self._obstacles + [
            f"{way.place}: providers.{way.provider.name} has no credential, and warm.agents is 0" for way in lacking
        ]

    @property
    def waiting(self) -> list[str]:
        """What is told of those that wait for an agent."""
        ways = [way for way in self._configured if way.provider.name in self.awaited]
        return [way.waits for way in ways if not self._agents.get(way.of)]

    def now(self) -> list[Way]:
        """Those in which can be asked."""
        ways = []
        for way in self._configured:
            if way.provider.credential is not None:
                ways.append(way)
            else:
                ways += [way.by(agent) for agent in self._agents.get(way.of, [])]
        return ways

    def see(self, exchange: Exchange, response: Response) -> list[Way]:
        """Those in which can be asked now that *exchange* of an agent was answered by one of `awaited`."""
        name, call = exchange.provider.name, exchange.call
        if name not in self.awaited or call is None or response.answered_by != name:
            return []
        asking = [way for way in self._configured if way.provider.name == name]
        ways = [way for way in asking if way.of == (name, call.endpoint)]
        agents = self._agents.setdefault((name, call.endpoint), [])
        if not ways or len(agents) >= self._config.agents or any(map((agent := Agent(exchange)).is_like, agents)):
            return []
        agents.append(agent)
        if all(len(self._agents.get(way.of, ())) >= self._config.agents for way in asking):
            self.awaited.discard(name)
        return [way.by(agent) for way in ways]

    def forget(self) -> None:
        """What agents have sent."""
        self.awaited.clear()
        self._agents.clear()
