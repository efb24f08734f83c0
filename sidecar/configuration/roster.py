"""The providers as the rest of the sidecar knows them, made from what is configured."""

from collections.abc import Iterator, Mapping

from sidecar.configuration.check import is_built_in
from sidecar.configuration.inforce import Configuration
from sidecar.dialects import load
from sidecar.provider import Origin, Provider
from sidecar.settings import ProviderSettings, Settings

#: The origin of a provider that is reached by its hosts alone: to be replaced by the one that was asked for.
NOWHERE = Origin("https", "", 443)


def providers(configuration: Configuration) -> dict[str, Provider]:
    """The enabled providers by name. One without a url has `NOWHERE` for its origin."""
    settings = configuration.settings
    return {str(name): _provider(name, each, settings) for name, each in settings.providers.items() if each.enabled}


def hosts(configuration: Configuration, built: Mapping[str, Provider]) -> list[tuple[str, Provider]]:
    """Pattern and provider for `sidecar.hosts.Hosts`, where the first entry for a pattern holds.

    What the file claims comes first, then the built-in hosts, then the hosts of urls; so a second provider at
    ``https://api.openai.com`` (another credential, say) does not take the calls that name this host.
    """
    claims = sorted(_claims(configuration.settings), key=lambda claim: claim[0])
    return [(pattern, built[name]) for _, pattern, name in claims if name in built]


def _claims(settings: Settings) -> Iterator[tuple[int, str, str]]:
    for name, provider in settings.providers.items():
        if provider.hosts is not None:
            yield from ((1 if is_built_in(name, pattern) else 0, pattern, name) for pattern in provider.hosts)
        elif provider.url is not None and not provider.url.loopback:
            yield 2, provider.url.origin.host, name


def _provider(name: str, provider: ProviderSettings, settings: Settings) -> Provider:
    return Provider(
        name=str(name),
        origin=provider.url.origin if provider.url else NOWHERE,
        dialect=load(provider.dialect) if provider.dialect else None,
        path=provider.url.path if provider.url else "",
        timeouts=provider.timeouts.over(settings.upstream.timeouts),
        credential=provider.credential,
        propagate_trace=provider.propagate_trace,
    )
