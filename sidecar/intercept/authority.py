"""The pod's own certificate authority: what lets the sidecar end TLS for the configured providers, and for nobody else.

A root signs one intermediate and its key is thrown away at once. The intermediate may sign only for the providers'
names (a critical name constraint; it stands on the intermediate because Java ignores constraints on a root that it
trusts) and for no IP address. Even a stolen key is good for nothing but those names, in a pod that trusts this root.

The directory holds, over restarts: ``ca.crt`` (the root: what clients must trust), ``bundle.crt`` (the system's roots
and ours: for variables such as SSL_CERT_FILE, which replace a client's whole store) and ``issuer.pem`` (the
intermediate with its key, readable by nobody else).
"""

import contextlib
import datetime as dt
import os
import re
import ssl
import tempfile
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from sidecar.certificates import (
    authority_builder,
    issued_by,
    leaf_builder,
    load_chain,
    named,
    new_key,
    pem,
    private_pem,
)
from sidecar.errors import ConfigurationError

_SKEW = dt.timedelta(days=1)
_LIFETIME = dt.timedelta(days=397)
_LEAF_LIFETIME = dt.timedelta(days=30)
_CONTEXTS = 256
#: What a star stands for: no other character (OpenSSL), and nothing right below a top-level domain.
_LABEL = re.compile(r"[a-z0-9-]+")
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)

ROOT_FILE, BUNDLE_FILE, ISSUER_FILE = "ca.crt", "bundle.crt", "issuer.pem"
TRUST_FILE = "trust.p12"
"""The bundle for Java: PKCS #12 without a password, which no option needs to name."""


class Authority:
    """Mints leaves for names under *permitted*. Made by `open_authority`."""

    def __init__(self, directory: Path, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.directory = directory
        self._certificate = certificate
        self._key = key
        self._leaf_key = new_key()
        self._contexts: OrderedDict[str, tuple[dt.datetime, ssl.SSLContext]] = OrderedDict()
        self.permitted = _permitted(certificate)

    def covers(self, name: str) -> bool:
        """Whether clients will accept a leaf for *name*: it is a permitted name or lies under one."""
        return any(name == permitted or name.endswith(f".{permitted}") for permitted in self.permitted)

    def context(self, name: str) -> ssl.SSLContext:
        """A server context for *name*, minted on first use, renewed after two thirds of its life."""
        now = dt.datetime.now(dt.UTC)
        name = self._made_out_to(name)
        known = self._contexts.get(name)
        if known is not None and now < known[0]:
            self._contexts.move_to_end(name)
            return known[1]
        context = self._mint(name, now)
        self._contexts[name] = (now + _LEAF_LIFETIME * 2 / 3, context)
        if len(self._contexts) > _CONTEXTS:
            self._contexts.popitem(last=False)
        return context

    def _made_out_to(self, name: str) -> str:
        """Who the leaf for *name* is made out to: all names beside it too, where clients accept that. Minting takes
        longer than a handshake, and what is minted 30 KB, so that each region or resource of a provider needs no own.
        """
        label, _, parent = name.partition(".")
        shared = "." in parent and _LABEL.fullmatch(label) is not None and self.covers(parent)
        return f"*.{parent}" if shared else name

    def _mint(self, name: str, now: dt.datetime) -> ssl.SSLContext:
        issuer = self._certificate
        valid = (now - _SKEW, min(now + _LEAF_LIFETIME, issuer.not_valid_after_utc))
        leaf = leaf_builder(named(name), [name], issuer, self._leaf_key, valid).sign(self._key, hashes.SHA256())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_alpn_protocols(["http/1.1"])
        # A ticket comes just when the agent sends its first bytes. Python's synchronous clients of WebSockets read and
        # write a connection in two threads, which its ssl does not bear before 3.13: once in a thousand times what
        # they sent was lost and they waited for ever.
        context.num_tickets = 0
        load_chain(context, pem(leaf) + pem(issuer), private_pem(self._leaf_key))
        return context


def open_authority(
    directory: Path, permitted: Iterable[str], extra_roots: Sequence[Path] = (), published: Path | None = None
) -> Authority:
    """The authority kept in *directory*, or a new one if there is none, it is old, or it may not sign for *permitted*.

    A client that trusts an earlier root keeps trusting only that one; hence an existing authority is kept as long as it
    is good. ``bundle.crt`` is written anew each time.

    Args:
        published: where clients find what they must trust, and `TRUST_FILE` besides; None for nowhere but *directory*.

    Raises:
        ConfigurationError: a directory cannot be used.
    """
    names = sorted({name.lower() for name in permitted})
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = _kept(directory, names)
        if authority is None:
            authority = _created(directory, names)
        root = (directory / ROOT_FILE).read_bytes()
        roots = [_system_roots(), *(path.read_bytes() for path in extra_roots), root]
        bundle = b"\n".join(part.strip() for part in roots if part) + b"\n"
        _write(directory / BUNDLE_FILE, bundle, 0o644)
    except OSError as error:
        raise _unusable("tls.directory", directory, error) from error
    if published is not None:
        try:
            published.mkdir(mode=0o755, parents=True, exist_ok=True)
            for name, data in ((ROOT_FILE, root), (BUNDLE_FILE, bundle), (TRUST_FILE, _java_store(bundle))):
                _write(published / name, data, 0o644)
        except OSError as error:
            raise _unusable("tls.trust_directory", published, error) from error
    return authority


def _unusable(setting: str, directory: Path, error: OSError) -> ConfigurationError:
    reason = error.strerror or error
    return ConfigurationError(f"{setting} {directory}: {reason}; name a directory that this user may write to")


def _kept(directory: Path, names: Sequence[str]) -> Authority | None:
    try:
        issuer = (directory / ISSUER_FILE).read_bytes()
        root = x509.load_pem_x509_certificate((directory / ROOT_FILE).read_bytes())
        certificate = x509.load_pem_x509_certificate(issuer)
        key = serialization.load_pem_private_key(issuer, None)
        certificate.verify_directly_issued_by(root)
    except FileNotFoundError:
        return None
    except Exception:  # whatever cryptography makes of a damaged file: a new one takes its place
        return None
    soon = dt.datetime.now(dt.UTC) + _LEAF_LIFETIME
    if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.not_valid_after_utc < soon:
        return None
    authority = Authority(directory, certificate, key)
    return authority if all(authority.covers(name) for name in names) else None


def _created(directory: Path, names: Sequence[str]) -> Authority:
    now = dt.datetime.now(dt.UTC)
    valid = (now - _SKEW, now + _LIFETIME)
    root_key, key = new_key(), new_key()
    root_name, name = named("agent-sidecar pod root"), named("agent-sidecar pod issuer")
    constraints = x509.NameConstraints(
        permitted_subtrees=[x509.DNSName(name) for name in names],
        excluded_subtrees=[x509.IPAddress(IPv4Network("0.0.0.0/0")), x509.IPAddress(IPv6Network("::/0"))],
    )
    root = authority_builder(root_name, root_name, root_key, valid, path_length=1)
    root = root.add_extension(constraints, critical=True)
    root_certificate = root.sign(root_key, hashes.SHA256())
    issuer = (
        authority_builder(name, root_name, key, valid, path_length=0)
        .add_extension(constraints, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issued_by(root_certificate), critical=False)
    )
    certificate = issuer.sign(root_key, hashes.SHA256())
    del root_key
    _write(directory / ISSUER_FILE, pem(certificate) + private_pem(key), 0o600)
    _write(directory / ROOT_FILE, pem(root_certificate), 0o644)
    return Authority(directory, certificate, key)


def _permitted(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(name.value for name in constraints.permitted_subtrees or () if isinstance(name, x509.DNSName))


def _system_roots() -> bytes:
    """The system's roots as PEM: never what SSL_CERT_FILE names, which may be our own bundle."""
    paths = ssl.get_default_verify_paths()
    for path in (paths.openssl_cafile, "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"):
        with contextlib.suppress(OSError):
            return Path(path).read_bytes()
    return b""


def _java_store(bundle: bytes) -> bytes:
    entries = []
    for each in _CERTIFICATE.findall(bundle):
        with warnings.catch_warnings(), contextlib.suppress(ValueError):  # some roots keep to older rules
            warnings.simplefilter("ignore")
            entries.append(pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(each), None))
    return pkcs12.serialize_java_truststore(entries, serialization.NoEncryption())


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write whole or not at all: a reader never sees half a file."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
