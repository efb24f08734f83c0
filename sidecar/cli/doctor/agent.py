"""The environment of an agent: whether its SDKs find the sidecar, and trust it."""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from sidecar.cli.doctor.checked import Checked, Mark, Section

_SECTION = Section("agent")
_LOCAL = frozenset(("127.0.0.1", "localhost", "::1", "0.0.0.0"))

PROXIES = ("HTTPS_PROXY", "https_proxy")
#: By variable: who reads it, and whether calls of usual Python SDKs fail without it.
TRUSTS: Mapping[str, tuple[str, bool]] = {
    "SSL_CERT_FILE": ("most Python SDKs, Go, curl", True),
    "REQUESTS_CA_BUNDLE": ("requests, and with it Google's REST clients", True),
    "NODE_EXTRA_CA_CERTS": ("Node", False),
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": ("gRPC, which passes through untouched and needs it only if set", False),
}
#: Variables by which SDKs take another base URL.
BASE_URLS = (
    "OPENAI_BASE_URL",
    "ANTHROPIC_BASE_URL",
    "GROQ_BASE_URL",
    "GOOGLE_GEMINI_BASE_URL",
    "AZURE_OPENAI_ENDPOINT",
)
_DEAF = (
    "these ignore HTTPS_PROXY: aiohttp.ClientSession() without trust_env=True, Deepgram's asynchronous WebSockets, "
    "Azure's Speech SDK; give them a base URL, or have their connections redirected"
)


class Here(Struct, frozen=True, kw_only=True):
    """What the environment should point to."""

    port: int
    """Of base URLs and the forward proxy."""
    own_ports: Mapping[int, str]
    """Providers that have a port of their own."""
    providers: Collection[str]
    """Those with a base URL."""
    hosts: Collection[str]
    """Of all providers; each stands for what is below it too."""
    intercepts: bool
    directory: Path
    """Where what it must trust is."""
    captured: bool = False
    """Whether its connections are led to the sidecar, whatever its variables say."""


class Trusted(Struct, frozen=True):
    """What a file of certificates holds."""

    readable: bool = False
    ours: bool = False
    others: bool = False


def agent(environ: Mapping[str, str], here: Here, holds: Callable[[str], Trusted], *, given: bool) -> list[Checked]:
    """
    Args:
        holds: what is in a file of certificates, by its path.
        given: whether somebody said that this is the environment of an agent; otherwise it is that of a shell.
    """
    bases = list(_base_urls(environ, here))
    proxies = list(_proxies(environ, here))
    if not bases and not proxies and here.captured:
        message = "no variable points to the sidecar, and none needs to: connections are led there"
        trusts = _trust(environ, here, holds) if given and here.intercepts else ()
        return [_SECTION.noted(message), *trusts]
    if not bases and not proxies:
        first = sorted(here.providers)[0] if here.providers else "<provider>"
        name = "openai" if "openai" in here.providers else first
        message = "no variable points to the sidecar"
        hint = (
            f"set OPENAI_BASE_URL=http://127.0.0.1:{here.port}/{name}/v1 for one SDK, or HTTPS_PROXY and https_proxy "
            f"=http://127.0.0.1:{here.port} for all, with SSL_CERT_FILE={here.directory}/bundle.crt"
        )
        return [_SECTION.failed(message, hint) if given else _SECTION.noted(f"{message} in this shell; {hint}")]
    checks = [*bases, *proxies]
    if any(check.mark is Mark.PASSED for check in proxies):
        checks += _exceptions(environ, here)
        if here.intercepts:
            checks += _trust(environ, here, holds)
        checks.append(_SECTION.noted(_DEAF))
    return checks


def _base_urls(environ: Mapping[str, str], here: Here) -> Iterator[Checked]:
    for name, value in environ.items():
        if name.lower().endswith("_proxy") or not value.startswith(("http://", "https://", "ws://", "wss://")):
            continue
        scheme, host, port, path = _parts(value)
        if host not in _LOCAL or (port != here.port and port not in here.own_ports):
            if name in BASE_URLS and host in _LOCAL:
                hint = f"the sidecar's base URLs begin with http://127.0.0.1:{here.port}/"
                yield _SECTION.warning(f"{name}={value} is this machine, but not the sidecar", hint)
            continue
        yield _base_url(name, value, scheme, port, path, here)


def _base_url(name: str, value: str, scheme: str, port: int, path: str, here: Here) -> Checked:
    """*value* points to the sidecar: whether to something there."""
    if scheme in ("https", "wss"):
        return _SECTION.failed(f"{name}={value} asks for TLS, which base URLs do not have", "write it with http://")
    if port in here.own_ports:
        return _SECTION.passed(f"{name} points to the port of {here.own_ports[port]}")
    provider, _, rest = path.strip("/").partition("/")
    if provider not in here.providers:
        known = ", ".join(sorted(here.providers)) or "none"
        message = f"{name}={value} names no provider"
        return _SECTION.failed(message, f"the first part of its path is the provider's name; there are {known}")
    if name == "OPENAI_BASE_URL" and rest.rpartition("/")[2] != "v1":
        message = f"{name}={value} does not end in /v1, which this SDK expects in it"
        return _SECTION.warning(message, f"write {name}=http://127.0.0.1:{here.port}/{provider}/v1")
    return _SECTION.passed(f"{name} points to {provider} here")


def _proxies(environ: Mapping[str, str], here: Here) -> Iterator[Checked]:
    found = {name: environ[name] for name in PROXIES if environ.get(name)}
    if not found:
        return
    ours = f"http://127.0.0.1:{here.port}"
    for name, value in found.items():
        scheme, host, port, _ = _parts(value if "://" in value else f"http://{value}")
        if host not in _LOCAL or port != here.port:
            yield _SECTION.warning(f"{name}={value} is not the sidecar", f"set {name}={ours}")
        elif scheme != "http":
            yield _SECTION.failed(f"{name}={value} asks for TLS to the proxy", f"write {name}={ours}")
        else:
            yield _SECTION.passed(f"{name} points here")
    if "https_proxy" not in found:
        yield _SECTION.warning("https_proxy is not set, and gRPC reads no other", f"set https_proxy={ours} too")
    elif "HTTPS_PROXY" not in found:
        yield _SECTION.warning("HTTPS_PROXY is not set, and some read no other", f"set HTTPS_PROXY={ours} too")


def _exceptions(environ: Mapping[str, str], here: Here) -> Iterator[Checked]:
    """What NO_PROXY keeps away from us."""
    for name in ("NO_PROXY", "no_proxy"):
        for entry in filter(None, (part.strip() for part in environ.get(name, "").split(","))):
            host = entry.removeprefix("*").removeprefix(".").partition(":")[0]
            if entry == "*" or (host and _concerns(host, here.hosts)):
                what = "every call" if entry == "*" else f"calls to {entry}"
                yield _SECTION.warning(f"{name} takes {what} past the sidecar", f"take {entry} out of {name}")


def _concerns(exception: str, hosts: Collection[str]) -> bool:
    """Whether an entry of NO_PROXY, which stands for what is below it too, takes a provider's host with it."""
    return any(host == exception or host.endswith(f".{exception}") or exception.endswith(f".{host}") for host in hosts)


def _trust(environ: Mapping[str, str], here: Here, holds: Callable[[str], Trusted]) -> Iterator[Checked]:
    wanted = f"{here.directory}/bundle.crt"
    for name, (readers, needed) in TRUSTS.items():
        value = environ.get(name)
        if not value:
            message = f"{name} is not set: for {readers}"
            yield _SECTION.failed(message, f"set {name}={wanted}") if needed else _SECTION.noted(message)
            continue
        file = holds(value)
        if not file.readable:
            yield _SECTION.failed(f"{name}={value} cannot be read", f"set {name}={wanted}")
        elif not file.ours:
            yield _SECTION.failed(f"{name}={value} does not have the sidecar's CA in it", f"set {name}={wanted}")
        elif not file.others and name != "NODE_EXTRA_CA_CERTS":  # which adds to what Node trusts anyway
            hint = f"set {name}={wanted}, which has both"
            yield _SECTION.failed(f"{name}={value} has no CA but the sidecar's: nobody else can be reached", hint)
        else:
            yield _SECTION.passed(f"{name} has the sidecar's CA in it")


def _parts(url: str) -> tuple[str, str, int, str]:
    """Scheme, host, port and path; port 0 for what is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "ws": 80}.get(parts.scheme, 443)
        return parts.scheme, parts.hostname or "", port, parts.path
    except ValueError:
        return "", "", 0, ""


def holding(root_pem: bytes | None) -> Callable[[str], Trusted]:
    """What files hold, by looking; *root_pem* is the sidecar's own CA, None if there is none yet."""

    def holds(path: str) -> Trusted:
        try:
            content = Path(path).read_bytes()
        except OSError:
            return Trusted()
        ours = root_pem is not None and root_pem.strip() in content
        return Trusted(readable=True, ours=ours, others=content.count(b"BEGIN CERTIFICATE") > 1)

    return holds


class Unreadable(Exception):
    """An environment cannot be had; ``str()`` says why."""


def environment(source: str, read: Callable[[str], bytes]) -> dict[str, str]:
    """The variables of a process by its id, or of a file with ``NAME=value`` lines (``-``: standard input).

    Raises:
        Unreadable: and why.
    """
    path = f"/proc/{source}/environ" if source.isdecimal() else source
    try:
        content = read(path).decode("utf-8", "replace")
    except FileNotFoundError:
        what = f"no process has the id {source}" if source.isdecimal() else f"there is no file {source}"
        raise Unreadable(what) from None
    except OSError as error:
        raise Unreadable(f"{path}: {(error.strerror or str(error)).lower()}") from error
    lines = content.split("\0") if "\0" in content else content.splitlines()
    variables = {}
    for line in lines:
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            variables[name.strip()] = value.strip().strip("'\"")
    return variables
