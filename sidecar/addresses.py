"""What a configuration names things by: names, listening addresses, URLs of upstreams, paths of files.

Each is a ``str`` that is valid by construction. The constructors raise ``ValueError(what is wrong[, what to do])``
without repeating the text; see `sidecar.units`.
"""

import re
from ipaddress import ip_address
from pathlib import PurePosixPath
from typing import Any, ClassVar, Self

from sidecar.provider import Origin

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
#: A DNS name in lower case.
HOST_NAME = rf"{_LABEL}(?:\.{_LABEL})*"
_PATH = r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*"


class Name(str):
    """What a provider or a plugin is called; also a path prefix, part of a metric label and of a variable's name."""

    expected: ClassVar[str] = "a name of at most 40 lower-case letters, digits and hyphens"
    schema: ClassVar[dict[str, Any]] = {"type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"}

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", text):
            proposal = re.sub(r"[^a-z0-9-]+", "-", text.lower())[:40].strip("-")
            raise ValueError("is not a name", *([f"write {proposal}"] if proposal else []))
        return super().__new__(cls, text)


class Address(str):
    """Where to listen: ``127.0.0.1:15080``, ``[::1]:15080``, ``localhost:0`` (any free port)."""

    expected: ClassVar[str] = "an IP address and a port, such as 127.0.0.1:15080"
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": r"^(localhost|[0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$",
        "examples": ["127.0.0.1:15080", "[::1]:15080"],
    }

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        host, colon, port = text.rpartition(":")
        if not colon or text.endswith("]"):
            raise ValueError("has no port", "write 127.0.0.1:<port>" if text.isdecimal() else "write <address>:<port>")
        if not host or host == "*":
            raise ValueError("has no IP address", f"write 127.0.0.1:{port} for this machine alone")
        if not _is_port(port, lowest=0):
            raise ValueError("has a port that is not a number from 0 to 65535")
        if host != "localhost" and not (_is_ip(host[1:-1], 6) if host.startswith("[") else _is_ip(host, 4)):
            hint = "put an IPv6 address in brackets" if _is_ip(host, 6) else "names are not looked up for listening"
            raise ValueError("has no IP address", hint)
        return super().__new__(cls, text)

    @property
    def host(self) -> str:
        """Without brackets."""
        return self.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.rpartition(":")[2])

    @property
    def loopback(self) -> bool:
        return _is_loopback(self.host)


class Url(str):
    """Where a provider answers: ``https://api.example.com``, ``http://vllm.default.svc:8000/v1``."""

    expected: ClassVar[str] = "https://host[:port][/path]"
    schema: ClassVar[dict[str, Any]] = {
        "type": "string",
        "pattern": r"^https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[^?#\s]*)?$",
        "examples": ["https://api.openai.com", "http://vllm.default.svc:8000"],
    }

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        cls._take_apart(text)
        return super().__new__(cls, text)

    @property
    def origin(self) -> Origin:
        return self._take_apart(self)[0]

    @property
    def path(self) -> str:
        """Without a slash at its end; "" for none."""
        return self._take_apart(self)[1]

    @property
    def loopback(self) -> bool:
        return _is_loopback(self.origin.host)

    @staticmethod
    def _take_apart(text: str) -> tuple[Origin, str]:
        matched = re.fullmatch(r"([A-Za-z]+)://([^/?#]*)([^?#]*)(.*)", text, re.DOTALL)
        if matched is None:
            raise ValueError("is not a URL", "" if "://" in text else "begin it with https://")
        scheme, authority, path, rest = matched[1].lower(), matched[2], matched[3], matched[4]
        if scheme not in ("https", "http"):
            hint = {"wss": "write https://, sockets use the same", "ws": "write http://, sockets use the same"}
            raise ValueError("is neither https nor http", hint.get(scheme, ""))
        if "@" in authority:
            raise ValueError("carries a user name", "write the credential into credential, as a reference")
        if rest:
            raise ValueError("has a query or a fragment", "leave out what follows the path")
        host, port = _host_and_port(authority)
        if port and not _is_port(port, lowest=1):
            raise ValueError("has a port that is not a number from 1 to 65535")
        if not re.fullmatch(_PATH, path, re.ASCII):
            raise ValueError("has a path with characters that do not belong there", "percent-encode them")
        return Origin(scheme, host, int(port) if port else {"https": 443, "http": 80}[scheme]), path.rstrip("/")


class FilePath(str):
    """A path from the root, or from the home directory by ``~/``."""

    expected: ClassVar[str] = "an absolute path, or one that begins with ~/"
    schema: ClassVar[dict[str, Any]] = {"type": "string", "pattern": "^(/|~/)"}

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if not text.startswith(("/", "~/")) or "\0" in text:
            raise ValueError("is a relative path", "write it from the root: /…")
        return super().__new__(cls, text)

    def under(self, home: str) -> PurePosixPath:
        """The path with ``~`` put in full."""
        return PurePosixPath(home, self[2:]) if self.startswith("~/") else PurePosixPath(self)


def host_name(text: str) -> str:
    """*text* as a host to compare by: lower case, no dot at its end, no brackets.

    Raises:
        ValueError: it is neither a DNS name nor an IP address.
    """
    host = text.lower().removesuffix(".")
    if host.startswith("[") and host.endswith("]") and _is_ip(host[1:-1], 6):
        return ip_address(host[1:-1]).compressed
    if _is_ip(host, 4) or _is_ip(host, 6):
        return ip_address(host).compressed
    if not host.isascii():
        raise ValueError("has a host that is not ASCII", "write it in punycode: xn--…")
    # a name whose last label is a number is an IPv4 address gone wrong (WHATWG URL, "ends in a number")
    if len(host) > 253 or not re.fullmatch(HOST_NAME, host) or host.rpartition(".")[2].isdecimal():
        raise ValueError("has no valid host name")
    return host


def _host_and_port(authority: str) -> tuple[str, str]:
    matched = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?", authority)
    if matched is None:
        raise ValueError("has no valid host name", "put an IPv6 address in brackets")
    return host_name(matched[1]), matched[2] or ""


def _is_port(text: str, lowest: int) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and lowest <= int(text) <= 65535


def _is_loopback(host: str) -> bool:
    if _is_ip(host, 4) or _is_ip(host, 6):
        return ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def _is_ip(text: str, version: int) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return address.version == version and "%" not in text
