"""What no single setting can know: settings that contradict each other, and such as work but hardly as wanted."""

from collections.abc import Collection, Iterator
from ipaddress import ip_address

from msgspec import Struct

from sidecar.catalogue import CATALOGUE
from sidecar.configuration.wording import choices, nearest
from sidecar.provider import Origin
from sidecar.settings import ProviderSettings, Settings


class Objection(Struct, frozen=True, kw_only=True):
    """Something wrong with the setting at ``path``."""

    path: tuple[str | int, ...]
    message: str
    """``{value}`` stands for the value as it was written: what holds may have come by a reference."""
    hint: str = ""
    severity: str = "error"


def objections(settings: Settings, dialects: Collection[str]) -> Iterator[Objection]:
    """Everything that speaks against *settings*, warnings included. *dialects* are the names that there are."""
    yield from _addresses(settings)
    yield from _ports(settings)
    for name, provider in settings.providers.items():
        if provider.enabled:
            yield from _provider(("providers", name), name, provider, dialects)
    yield from _shared_hosts(settings)
    yield from _plugins(settings)
    yield from _timeouts(settings)


def _addresses(settings: Settings) -> Iterator[Objection]:
    if not settings.admin.address.loopback:
        yield Objection(
            path=("admin", "address"),
            message="{value} can be reached by others; expected a loopback address",
            hint="what is asked there may show prompts and answers; use kubectl port-forward from outside",
        )
    listen = settings.listen
    for index, address in enumerate(listen.transparent):
        if not address.loopback:
            yield Objection(
                path=("listen", "transparent", index),
                message="{value} can be reached by others; expected a loopback address",
                hint="what is redirected arrives at 127.0.0.1 and [::1]",
            )
    if listen.address.loopback:
        return
    if not listen.allow_remote:
        yield Objection(
            path=("listen", "address"),
            message="{value} can be reached by others; expected a loopback address",
            hint="set listen.allow_remote: true if other machines are to call through here",
        )
    elif any(provider.credential and provider.enabled for provider in settings.providers.values()):
        yield Objection(
            path=("listen", "address"),
            message="whoever reaches this address calls providers with the credentials configured here",
            severity="warning",
        )


def _ports(settings: Settings) -> Iterator[Objection]:
    taken: dict[int, str] = {}
    claims: list[tuple[tuple[str | int, ...], int]] = [
        (("listen", "address"), settings.listen.address.port),
        (("admin", "address"), settings.admin.address.port),
    ]
    transparent = {address.port: index for index, address in reversed(list(enumerate(settings.listen.transparent)))}
    claims += [(("listen", "transparent", index), port) for port, index in sorted(transparent.items())]
    if settings.probes.address is not None:
        claims.append((("probes", "address"), settings.probes.address.port))
    providers = settings.providers.items()
    claims += [(("providers", name, "port"), each.port) for name, each in providers if each.enabled and each.port]
    for path, port in claims:
        if port and port in taken:
            yield Objection(path=path, message=f"has the port of {taken[port]}; expected one of its own")
        taken.setdefault(port, ".".join(map(str, path)))


def _provider(
    path: tuple[str, str], name: str, provider: ProviderSettings, dialects: Collection[str]
) -> Iterator[Objection]:
    if provider.url is None and not provider.hosts:
        yield Objection(
            path=path,
            message="has neither url nor hosts, and no built-in provider has this name; expected one of them",
            hint=nearest(name, CATALOGUE),
        )
    if provider.dialect is not None and provider.dialect not in dialects:
        yield Objection(
            path=(*path, "dialect"),
            message=f"{{value}} is not known; expected {choices(sorted(dialects))}, or null",
            hint=nearest(provider.dialect, dialects),
        )
    if provider.port is not None and provider.url is None:
        yield Objection(path=(*path, "port"), message="leads nowhere; expected a url beside it")
    if provider.credential is not None and provider.dialect is None:
        yield Objection(
            path=(*path, "credential"),
            message="is for a provider without a dialect, so nobody knows where it belongs in a call",
            hint="name the dialect",
        )
    if provider.credential is not None and provider.url is not None and _exposed(provider.url.origin):
        yield Objection(
            path=(*path, "url"),
            message="the credential goes there unencrypted; expected https://",
            severity="warning",
        )


def _exposed(origin: Origin) -> bool:
    """Whether calls leave the machine or the cluster in the clear, as far as names tell."""
    one_label = "." not in origin.host and ":" not in origin.host
    if origin.tls or one_label:
        return False
    try:
        return not ip_address(origin.host).is_private
    except ValueError:
        return not origin.host.endswith((".svc", ".cluster.local", ".local", ".internal"))


def _shared_hosts(settings: Settings) -> Iterator[Objection]:
    owners: dict[str, str] = {}
    for name, provider in settings.providers.items():
        if not provider.enabled:
            continue
        for index, pattern in enumerate(provider.hosts or ()):
            if is_built_in(name, pattern):
                continue
            if pattern in owners and owners[pattern] != name:
                message = f"{{value}} is a host of providers.{owners[pattern]} already; expected one provider per host"
                yield Objection(path=("providers", name, "hosts", index), message=message)
            owners.setdefault(pattern, name)


def _plugins(settings: Settings) -> Iterator[Objection]:
    first: dict[str, int] = {}
    for index, plugin in enumerate(settings.plugins):
        if plugin.label in first:
            yield Objection(
                path=("plugins", index, "name" if plugin.name else "use"),
                message=f"plugins[{first[plugin.label]}] is called {{value}} as well; expected names that differ",
                hint="give one of them a name",
            )
        first.setdefault(plugin.label, index)
        if plugin.budget <= 0:
            yield Objection(path=("plugins", index, "budget"), message="leaves no time at all; expected more than 0s")


def _timeouts(settings: Settings) -> Iterator[Objection]:
    places: list[tuple[tuple[str, ...], object]] = [(("upstream", "timeouts"), settings.upstream.timeouts)]
    places += [(("providers", name, "timeouts"), each.timeouts) for name, each in settings.providers.items()]
    for path, timeouts in places:
        for phase in ("connect", "first_byte", "between_chunks", "total"):
            if getattr(timeouts, phase) == 0:
                yield Objection(path=(*path, phase), message="leaves no time at all; expected more than 0s")


def is_built_in(name: str, pattern: str) -> bool:
    """Whether *pattern* is a host of the built-in provider *name*."""
    known = CATALOGUE.get(name)
    return known is not None and pattern in (known.hosts or ())
