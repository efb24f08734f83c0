"""Whether providers, and the collector of traces, can be reached: all at the same time, and none for long."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from email.utils import parsedate_to_datetime
from queue import Empty, Queue
from statistics import median
from typing import TypeVar
from urllib.parse import urlsplit

from msgspec import Struct

from sidecar.cli.doctor.checked import Checked, Section
from sidecar.cli.quantities import seconds
from sidecar.provider import Origin

_PROVIDERS, _TRACING = Section("providers"), Section("tracing")
PATIENCE_SECONDS = 3.0

T = TypeVar("T")


class Target(Struct, frozen=True, kw_only=True, eq=False):
    """Whom to try."""

    name: str
    origin: Origin
    trust: Callable[[], ssl.SSLContext]
    known: tuple[str, ...] | str | None = None
    """Its addresses, or why there are none; None: whatever the system says, which may follow the hosts file."""
    speaks_http: bool = True
    """Whether it may be asked what time it is."""


class Reached(Struct, frozen=True):
    """How it went: ``failed`` is "" or the step: resolve, connect, tls, trust, time."""

    failed: str = ""
    reason: str = ""
    took_seconds: float = 0.0
    ahead_seconds: float | None = None
    """By how much our clock is ahead of theirs, whose dates have whole seconds; None if they do not say."""


#: How a certificate is refused for its dates.
_OF_TIME = ("not yet valid", "expired")
_OUT_OF_TIME = Reached("time", f"no answer within {PATIENCE_SECONDS:g} s")
#: Dates have whole seconds, and answers are on their way for a while.
_FITTING_SECONDS = 5.0
_HEAD_BYTES = 16 * 1024
_DATE = re.compile(rb"(?i)\r\ndate:[ \t]*([^\r\n]+)\r\n")


def reach(target: Target) -> Reached:
    """Look the name up, connect, and shake hands; nothing is asked for but the time."""
    began = time.monotonic()
    origin = target.origin
    try:
        with _connected(target) as plain, _secured(plain, target) as sock:
            took = time.monotonic() - began
            left = PATIENCE_SECONDS / 2 - took
            ahead = _ahead(sock, origin, left) if target.speaks_http and left > 0 else None
    except socket.gaierror as error:
        return Reached("resolve", (error.strerror or str(error)).lower())
    except ssl.SSLCertVerificationError as error:
        return Reached("trust", error.verify_message)
    except ssl.SSLError as error:
        return Reached("tls", (error.reason or str(error)).lower().replace("_", " "))
    except OSError as error:
        return Reached("connect", (error.strerror or str(error)).lower())
    return Reached(took_seconds=took, ahead_seconds=ahead)


def _secured(plain: socket.socket, target: Target) -> AbstractContextManager[socket.socket]:
    """The connection with TLS, if the target has that."""
    if not target.origin.tls:
        return nullcontext(plain)
    return target.trust().wrap_socket(plain, server_hostname=target.origin.host)


def _ahead(sock: socket.socket, origin: Origin, patience_seconds: float) -> float | None:
    """By how much our clock is ahead of the peer's; None if that does not say."""
    ends = time.monotonic() + patience_seconds
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    try:
        sock.sendall(f"HEAD / HTTP/1.1\r\nHost: {host}:{origin.port}\r\nConnection: close\r\n\r\n".encode())
        head = b""
        while (found := _DATE.search(head)) is None:
            sock.settimeout(max(ends - time.monotonic(), 0.001))
            if not (chunk := sock.recv(4096)) or len(head) > _HEAD_BYTES:
                return None
            head += chunk
        return time.time_ns() / 1e9 - parsedate_to_datetime(found[1].decode("latin-1")).timestamp()
    except (OSError, ValueError, OverflowError):
        return None


def _connected(target: Target) -> socket.socket:
    """
    Raises:
        socket.gaierror: the name is not known.
        OSError: no address takes the connection.
    """
    port = target.origin.port
    if isinstance(target.known, str):
        raise socket.gaierror(socket.EAI_NONAME, target.known)
    refused = OSError("no address")
    for address in (target.origin.host,) if target.known is None else target.known:
        try:
            return socket.create_connection((address, port), timeout=PATIENCE_SECONDS)
        except OSError as error:
            refused = error
    raise refused


def together(tasks: Sequence[Callable[[], T]], otherwise: T, patience_seconds: float = PATIENCE_SECONDS) -> list[T]:
    """The results of *tasks*, done at the same time; *otherwise* for those that take too long."""
    results: Queue[tuple[int, T]] = Queue()
    for number, task in enumerate(tasks):
        # of those that hang in a look-up nothing but the end of the process gets rid
        threading.Thread(target=lambda n=number, t=task: results.put((n, t())), daemon=True).start()
    found = dict.fromkeys(range(len(tasks)), otherwise)
    ends = time.monotonic() + patience_seconds
    for _ in tasks:
        try:
            number, result = results.get(timeout=max(0.0, ends - time.monotonic()))
        except Empty:
            break
        found[number] = result
    return list(found.values())


def providers(targets: Sequence[Target]) -> list[Checked]:
    if not targets:
        return [_PROVIDERS.noted("the configuration names none with a url; --providers tries the built-in ones")]
    results = together([lambda target=target: reach(target) for target in targets], _OUT_OF_TIME)  # type: ignore[misc]
    checks = [provider(target, reached) for target, reached in zip(targets, results, strict=True)]
    ahead = [reached.ahead_seconds for reached in results if reached.ahead_seconds is not None]
    return [*checks, clock(ahead)] if ahead else checks


def clock(ahead_seconds: Sequence[float]) -> Checked:
    """What to make of by how much ours is ahead of each provider's: of those that differ, most are right."""
    ahead = median(ahead_seconds)
    if abs(ahead) <= _FITTING_SECONDS:
        return _PROVIDERS.passed("the clock of this machine agrees with theirs")
    message = f"the clock of this machine is {seconds(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} theirs"
    return _PROVIDERS.warning(message, "set it, or the node's: certificates, waits until a date and traces go by it")


def provider(target: Target, reached: Reached) -> Checked:
    """What to make of how it went."""
    name, origin = target.name, target.origin
    if not reached.failed:
        trusted = ", its certificate is trusted" if origin.tls else ""
        return _PROVIDERS.passed(f"{name}: {origin} answers in {seconds(reached.took_seconds)}{trusted}")
    message = {
        "resolve": f"{name}: the name {origin.host} is not known here: {reached.reason}",
        "connect": f"{name}: {origin} does not take connections: {reached.reason}",
        "tls": f"{name}: {origin} does not speak TLS: {reached.reason}",
        "trust": f"{name}: the certificate of {origin} is not trusted: {reached.reason}",
        "time": f"{name}: {origin}: {reached.reason}",
    }[reached.failed]
    hint = {
        "resolve": f"look for a typing error in providers.{name}.url, and at the DNS of this machine",
        "connect": f"look at providers.{name}.url, and whether a firewall or network policy lets this machine out",
        "tls": f"look whether it should be http:// in providers.{name}.url",
        "trust": f"name its CA with providers.{name}.ca_file, or tls.extra_ca_files; or install ca-certificates"
        if not any(word in reached.reason for word in _OF_TIME)
        else "look at the clock of this machine, or tell those who run it",
        "time": "look whether a firewall or network policy lets this machine out",
    }[reached.failed]
    return _PROVIDERS.failed(message, hint)


class Collector(Struct, frozen=True):
    """Where traces go, and who says so ("" for nobody)."""

    origin: Origin
    named_by: str


def collector(endpoint: str | None, protocol: str | None, environ: Mapping[str, str]) -> Collector | None:
    """Where the tracing plugin sends to, as OpenTelemetry reads its variables. None: nowhere, or to no URL.

    Args:
        endpoint, protocol: as configured.
    """
    protocol = (
        protocol
        or environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
        or environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
        or "http/protobuf"
    )
    named = [("the configuration", endpoint)]
    named += [
        (name, environ.get(name)) for name in ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    ]
    port = 4317 if protocol == "grpc" else 4318
    by, url = next(((by, url) for by, url in named if url), ("", f"http://localhost:{port}"))
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host, given = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or parts.scheme not in ("http", "https"):
        return None
    fallback = port if protocol == "grpc" else 443 if parts.scheme == "https" else 80
    return Collector(Origin(parts.scheme, host, given or fallback), by)


def tracing(collector: Collector | None, trust: Callable[[], ssl.SSLContext]) -> Checked:
    if collector is None:
        return _TRACING.failed("the collector's endpoint is no URL", "write it like http://collector:4318/v1/traces")
    target = Target(name="collector", origin=collector.origin, trust=trust, speaks_http=False)
    return traced(collector, together([lambda: reach(target)], _OUT_OF_TIME)[0])


def traced(collector: Collector, reached: Reached) -> Checked:
    """What to make of how it went with the *collector* of traces."""
    if not reached.failed:
        return _TRACING.passed(f"the collector at {collector.origin} takes connections")
    message = f"the collector at {collector.origin} cannot be reached: {reached.reason}"
    if collector.named_by:
        hint = f"{collector.named_by} names it; calls go on without it, their traces are dropped and counted"
        return _TRACING.failed(message, hint)
    hint = "nobody names one: set OTEL_EXPORTER_OTLP_ENDPOINT, or take tracing out of plugins:"
    return _TRACING.warning(message, hint)
