"""How certificates are made here: EC P-256, as PEM, and into TLS without a file. Who signs what is up to callers."""

import contextlib
import datetime as dt
import os
import ssl
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: Beyond it no common name may go (RFC 5280, ub-common-name).
_MOST_OF_A_NAME = 63


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def named(common_name: str) -> x509.Name:
    """Empty where *common_name* is too long to be one."""
    fits = len(common_name) <= _MOST_OF_A_NAME
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if fits else [])


def authority_builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    valid: tuple[dt.datetime, dt.datetime],
    *,
    path_length: int,
) -> x509.CertificateBuilder:
    """One that may sign others, *path_length* deep below those that it signs."""
    return (
        _builder(subject, issuer, key, valid)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(certificates=True), critical=True)
    )


def leaf_builder(
    subject: x509.Name,
    names: Sequence[str],
    issuer: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    valid: tuple[dt.datetime, dt.datetime],
    addresses: Sequence[str] = (),
) -> x509.CertificateBuilder:
    """A server's, who is all of *names* and *addresses*."""
    nameless = not list(subject)
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ip_address(address)) for address in addresses]
    return (
        _builder(subject, issuer.subject, key, valid)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=nameless)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issued_by(issuer), critical=False)
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, valid: tuple[dt.datetime, dt.datetime]
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(*, digital_signature: bool = False, certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def issued_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_chain(context: ssl.SSLContext, certificates: bytes, key: bytes) -> None:
    """Have *context* serve with *certificates*, the server's first, and its *key*; PEM. `load_cert_chain` takes only
    files; these exist in memory alone.

    Raises:
        ssl.SSLError: they cannot be used, a key with a password for one. What *context* had may be gone.
    """
    with _in_memory(certificates) as file, _in_memory(key) as key_file:
        # without a password of ours the terminal would be asked for one
        context.load_cert_chain(file, key_file, password=b"")


@contextlib.contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    with os.fdopen(os.memfd_create("pem"), "wb") as file:
        file.write(content)
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"
