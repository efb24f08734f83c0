"""The certificate that injectors keep in common: how it is made, and whether what is kept is one. No network.

A certificate authority is made for each server's certificate, signs it, and its key is thrown away before anything is
kept: whoever reads what is kept can be the injector, and sign for nobody.
"""

import datetime as dt
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from sidecar.certificates import authority_builder, leaf_builder, load_chain, named, new_key, pem, private_pem

LIFE: Final = dt.timedelta(days=90)
#: Clocks of API servers may be behind ours by as much.
SKEW: Final = dt.timedelta(hours=1)
#: How many are trusted at most, the newest first: what somebody empties every minute must not grow.
MOST_ROOTS: Final = 4
CERTIFICATE, KEY, ROOTS = "tls.crt", "tls.key", "ca.crt"
_OURS: Final = "agent-sidecar injector"


class Unusable(Exception):
    """What is kept cannot be served; the message says why."""


@dataclass(frozen=True)
class Kept:
    """PEM, all of it; `roots` are those to trust, that of this certificate first."""

    certificate: bytes
    key: bytes = field(repr=False)
    roots: bytes
    root: bytes
    made: dt.datetime
    expires: dt.datetime

    @property
    def data(self) -> dict[str, bytes]:
        """As it is kept."""
        return {CERTIFICATE: self.certificate, KEY: self.key, ROOTS: self.roots}


def made(names: Sequence[str], now: dt.datetime, earlier: Iterable[bytes] = ()) -> Kept:
    """A new one for *names*, with the certificates (PEM) of *earlier* trusted beside it; see `roots_in`."""
    now = now.replace(microsecond=0)
    valid = (now - SKEW, now + LIFE)
    root_key, key = new_key(), new_key()
    # each has a name of its own: clients look for who has signed by name first
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, _OURS),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{_OURS} {x509.random_serial_number():x}"),
        ]
    )
    root = authority_builder(subject, subject, root_key, valid, path_length=0).sign(root_key, hashes.SHA256())
    certificate = leaf_builder(named(_OURS), names, root, key, valid).sign(root_key, hashes.SHA256())
    del root_key
    roots = b"".join(dict.fromkeys((pem(root), *roots_in(earlier, now))[:MOST_ROOTS]))
    return Kept(pem(certificate), private_pem(key), roots, pem(root), now, now + LIFE)


def roots_in(bundles: Iterable[bytes], now: dt.datetime) -> list[bytes]:
    """Those in *bundles* (PEM) that injectors have made and that have not expired, the newest first; PEM each."""
    found: dict[bytes, dt.datetime] = {}
    for bundle in bundles:
        try:
            found |= {pem(each): each.not_valid_before_utc for each in _ours(bundle) if now < each.not_valid_after_utc}
        except Exception:  # whatever cryptography makes of what somebody put there
            continue
    return sorted(found, key=lambda root: found[root], reverse=True)


def _ours(bundle: bytes) -> list[x509.Certificate]:
    """
    Raises:
        ValueError: it is no certificate in PEM.
    """
    return [each for each in x509.load_pem_x509_certificates(bundle) if _is_ours(each)]


def _is_ours(root: x509.Certificate) -> bool:
    if not any(name.value == _OURS for name in root.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)):
        return False
    try:
        root.verify_directly_issued_by(root)
    except (InvalidSignature, ValueError, TypeError):  # damaged: not everybody would notice who trusts it
        return False
    return _is_whole(root)


def _is_whole(certificate: x509.Certificate) -> bool:
    """Whether its signature is written as all read it: cryptography ignores a count of unused bits."""
    return certificate.public_bytes(serialization.Encoding.DER).endswith(b"\0" + certificate.signature)


def read(data: Mapping[str, bytes], names: Sequence[str], now: dt.datetime) -> Kept:
    """What is kept as *data*, if it can be served under *names* to those who trust its roots.

    Raises:
        Unusable
    """
    missing = [each for each in (CERTIFICATE, KEY, ROOTS) if not data.get(each)]
    if missing:
        raise Unusable("it is empty" if len(missing) == 3 else f"it has no {' and no '.join(missing)}")
    try:
        return _read(data, names, now)
    except Unusable:
        raise
    except Exception as error:  # whatever cryptography makes of what somebody put there
        raise Unusable(f"it cannot be read: {type(error).__name__}") from None


def _read(data: Mapping[str, bytes], names: Sequence[str], now: dt.datetime) -> Kept:
    try:
        certificate = x509.load_pem_x509_certificate(data[CERTIFICATE])
    except ValueError:
        raise Unusable(f"{CERTIFICATE} is no certificate in PEM") from None
    if not _is_whole(certificate):
        raise Unusable(f"{CERTIFICATE} is damaged")
    try:
        key = serialization.load_pem_private_key(data[KEY], None)
    except (ValueError, TypeError):  # the latter if it has a password
        raise Unusable(f"{KEY} is no key in PEM without a password") from None
    try:
        roots = _ours(data[ROOTS])[:MOST_ROOTS]
    except ValueError:
        raise Unusable(f"{ROOTS} is no certificate in PEM") from None
    if key.public_key() != certificate.public_key():
        raise Unusable(f"{KEY} does not belong to {CERTIFICATE}")
    if not roots:
        raise Unusable(f"{ROOTS} has no certificate of an injector's making")
    starts, expires = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if expires <= now:
        raise Unusable(f"{CERTIFICATE} expired at {expires:%Y-%m-%d %H:%M} UTC")
    if now < starts:
        raise Unusable(f"{CERTIFICATE} is not valid before {starts:%Y-%m-%d %H:%M} UTC")
    verifying = PolicyBuilder().store(Store(roots[:1])).time(now)
    for name in names:
        try:
            verifying.build_server_verifier(x509.DNSName(name)).verify(certificate, [])
        except VerificationError as error:
            raise Unusable(f"{CERTIFICATE} is not {name}'s by the first of {ROOTS}: {error}") from None
    try:
        # as it was read, and not as it was written, which others may read otherwise
        load_chain(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), pem(certificate), data[KEY])
    except ssl.SSLError as error:
        raise Unusable(f"it cannot be served: {error.reason or error}") from None
    bundle = b"".join(map(pem, roots))
    return Kept(pem(certificate), data[KEY], bundle, pem(roots[0]), starts + SKEW, expires)
