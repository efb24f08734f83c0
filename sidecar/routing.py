"""Whom a call is for: from where it came in and what its request line says. No I/O."""

import difflib
from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from sidecar.errors import Forbidden, NoRoute
from sidecar.hosts import Destinations, Hosts
from sidecar.intercept.flow import Flow
from sidecar.provider import Origin, Provider

#: Calls to hosts that no provider is configured for are counted under this name.
OTHER = "other"
_KEPT_ORIGINS = 1024


class Destination(Struct, frozen=True):
    provider: Provider
    target: str
    """Path and query as the provider is to get them, before its own path prefix."""
    door: str


class Routes:
    """Where calls go under one configuration.

    Args:
        providers: by name, which is also the path prefix.
        hosts: pattern and provider, for the doors that know a host.
        denied, allowed: what the agent may reach through us besides the providers; *allowed* wins.
        absolute_form: whether requests for a whole URL are served.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        hosts: Iterable[tuple[str, Provider]] = (),
        *,
        denied: Destinations | None = None,
        allowed: Destinations | None = None,
        connect_ports: frozenset[int] = frozenset((443,)),
        absolute_form: bool = True,
    ) -> None:
        self.providers = dict(providers)
        self.connect_ports = connect_ports
        entries = list(hosts)
        self._by_host = Hosts(entries)
        self.patterns = frozenset(pattern for pattern, _ in entries)
        """Of the hosts that mean a provider."""
        self._denied = denied or Destinations(())
        self._allowed = allowed or Destinations(())
        self._absolute_form = absolute_form
        self._at_origin: dict[Origin, Provider] = {}

    def destination(self, flow: Flow, target: str) -> Destination:
        """Where a request goes that asks for *target* on a connection of *flow*.

        Raises:
            NoRoute: nothing is configured for it; the message says what is, and what to do.
            Forbidden: the configuration does not let it through.
        """
        if not target.startswith("/"):
            return self._absolute(flow, target)
        if flow.provider is not None:
            return Destination(self._named(flow.provider), target, flow.door)
        if flow.host is not None:
            origin = Origin("https" if flow.tls else "http", flow.host, flow.port)
            return Destination(self.at(origin), target, flow.door)
        name, slash, rest = target[1:].partition("/")
        if not slash and "?" in name:
            name, _, query = name.partition("?")
            rest = f"?{query}"
        return Destination(self._named(name, prefix=True), f"/{rest}", flow.door)

    def at(self, origin: Origin) -> Provider:
        """Who answers at *origin*: a configured provider, or one made up for it.

        A provider whose own URL lies at one of its hosts is called at the host that the agent asked for (regions stay
        regions); one whose URL lies elsewhere gets all calls to its hosts there.
        """
        known = self._at_origin.get(origin)
        if known is None:
            provider = self._by_host.find(origin.host)
            if provider is None:
                self.permit(origin.host)
                known = Provider(name=OTHER, origin=origin)
            elif provider.origin.host == "" or self._by_host.find(provider.origin.host) is provider:
                known = replace(provider, origin=origin, path="")  # the agent's path is whole already
            else:
                known = provider
            if len(self._at_origin) >= _KEPT_ORIGINS:
                self._at_origin.clear()
            self._at_origin[origin] = known
        return known

    def knows(self, host: str) -> bool:
        """Whether *host* belongs to a configured provider."""
        return self._by_host.find(host) is not None

    def permit(self, host: str) -> None:
        """
        Raises:
            Forbidden: the configuration does not let the agent reach *host* through us.
        """
        if host in self._denied and host not in self._allowed:
            raise Forbidden(f"forward.deny forbids {host}; name it in forward.allow if the agent is to reach it")

    def permit_address(self, host: str, address: str) -> None:
        """
        Raises:
            Forbidden: *host* has turned out to be at an *address* that the agent may not reach through us.
        """
        if address not in self._denied or self.knows(host):
            return
        if address not in self._allowed and host not in self._allowed:
            raise Forbidden(f"forward.deny forbids {address}, which is where {host} is")

    def permit_connect(self, host: str, port: int) -> None:
        """The same for CONNECT, which names a port as well."""
        if port not in self.connect_ports and not self.knows(host):
            ports = ", ".join(str(port) for port in sorted(self.connect_ports))
            raise Forbidden(f"CONNECT to port {port} is not allowed; add it to forward.connect_ports (now: {ports})")
        if not self.knows(host):
            self.permit(host)

    def _named(self, name: str, *, prefix: bool = False) -> Provider:
        provider = self.providers.get(name)
        if provider is not None and provider.origin.host:
            return provider
        known = sorted(name for name, provider in self.providers.items() if provider.origin.host)
        listed = ", ".join(f"/{name}" if prefix else name for name in known) or "none"
        if provider is not None:
            raise NoRoute(f"provider {name} has no url of its own; set providers.{name}.url, or call it by HTTPS_PROXY")
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean /{near[0]}?" if near and prefix else ""
        raise NoRoute(
            f"no provider is called {name!r}{hint} Known prefixes: {listed}. "
            f"To add one, put it under providers: in the configuration, with its url and dialect"
        )

    def _absolute(self, flow: Flow, target: str) -> Destination:
        """A request for a whole URL: what a client of a forward proxy sends for plain HTTP."""
        try:
            parts = urlsplit(target)
        except ValueError:
            raise NoRoute(f"cannot serve a request for {target[:80]!r}: its host is no host") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise NoRoute(f"cannot serve a request for {target[:80]!r}: neither a path nor an http URL")
        if not self._absolute_form:
            raise Forbidden("requests for whole URLs are switched off; set forward.absolute_form")
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:
            raise NoRoute(f"cannot serve a request for {target[:80]!r}: its port is no number") from None
        path = parts.path or "/"
        door = "forward" if flow.door == "base_url" else flow.door
        provider = self.at(Origin(parts.scheme, parts.hostname, port))
        return Destination(provider, f"{path}?{parts.query}" if parts.query else path, door)
