"""What injectors keep: no key that signs for others, and nothing taken for a certificate that is none."""

import datetime as dt
import ssl
from collections.abc import Mapping

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from sidecar.lab.certificates import Authority
from sidecar.webhook.certificate import LIFE, MOST_ROOTS, SKEW, Kept, Unusable, made, read, roots_in
from sidecar.webhook.presented import Presented
from tests.sidecar.webhook.cluster import OBJECTS

NOW = dt.datetime.now(dt.UTC).replace(microsecond=0)
NAMES = OBJECTS.names
KEPT = made(NAMES, NOW)
DAY = dt.timedelta(days=1)


def reaches(presented: Presented, trusted: bytes, name: str) -> bool:
    """Whether a client that trusts *trusted* and nothing else takes what is presented for *name*; without a network."""
    client = ssl.create_default_context(cadata=trusted.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = presented.context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (ours, theirs):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError:
                return False
    return True


@pytest.mark.parametrize("name", NAMES)
def test_who_trusts_its_root_reaches_the_service_by_its_names(name: str) -> None:
    presented = Presented()
    presented.take(KEPT.certificate, KEPT.key)
    assert reaches(presented, KEPT.roots, name)
    assert not reaches(presented, KEPT.roots, "kubernetes.default.svc")
    assert not reaches(presented, made(NAMES, NOW).roots, name), "another injector's root"
    assert presented.expires_seconds == (NOW + LIFE).timestamp()


def test_no_key_is_kept_that_can_sign_certificates() -> None:
    certificate = x509.load_pem_x509_certificate(KEPT.certificate)
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign is False
    assert KEPT.key.count(b"BEGIN") == 1
    assert b"".join(KEPT.data.values()).count(b"PRIVATE KEY") == 2, "one, which begins and ends"
    key = serialization.load_pem_private_key(KEPT.key, None).public_key()
    assert key == certificate.public_key()
    assert key != x509.load_pem_x509_certificate(KEPT.root).public_key()


def test_clocks_that_are_behind_take_it_and_it_ends_with_its_life() -> None:
    for pem in (KEPT.certificate, KEPT.root):
        each = x509.load_pem_x509_certificate(pem)
        assert (each.not_valid_before_utc, each.not_valid_after_utc) == (NOW - SKEW, NOW + LIFE)
    assert dt.timedelta(hours=1) <= SKEW


def test_what_is_kept_is_read_as_it_was_made() -> None:
    assert read(KEPT.data, NAMES, NOW) == KEPT


def test_its_key_is_not_shown() -> None:
    assert "PRIVATE" not in f"{KEPT!r} {KEPT}"


def test_a_new_one_trusts_those_before_it_until_they_expire() -> None:
    second = made(NAMES, NOW + 60 * DAY, [KEPT.roots])
    assert second.roots == second.root + KEPT.root
    third = made(NAMES, NOW + 120 * DAY, [second.roots])
    assert third.roots == third.root + second.root, "the first has expired"
    assert made(NAMES, NOW, [b"", b"rubbish", KEPT.roots, KEPT.roots]).roots.count(KEPT.root) == 1


def test_what_is_made_again_and_again_does_not_grow() -> None:
    kept = KEPT
    for hours in range(10):
        kept = made(NAMES, NOW + dt.timedelta(hours=hours + 1), [kept.roots])
    assert kept.roots.count(b"BEGIN") == MOST_ROOTS
    assert KEPT.root not in kept.roots


def test_roots_of_others_are_not_taken_over() -> None:
    foreign = Authority().pem
    assert roots_in([foreign + KEPT.root], NOW) == [KEPT.root]
    assert read({**KEPT.data, "ca.crt": KEPT.roots + foreign}, NAMES, NOW).roots == KEPT.roots


def _signed_by_another() -> Kept:
    other = made(NAMES, NOW)
    return Kept(KEPT.certificate, KEPT.key, other.roots, other.root, NOW, NOW + LIFE)


_FOREIGN = Authority()
_CHAIN = _FOREIGN.chain(NAMES)
_WITH_PASSWORD = serialization.load_pem_private_key(KEPT.key, None).private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"password")
)
UNUSABLE: Mapping[str, tuple[dict[str, bytes], str]] = {
    "nothing": ({}, "it is empty"),
    "empty values": (dict.fromkeys(KEPT.data, b""), "it is empty"),
    "no key": ({**KEPT.data, "tls.key": b""}, "it has no tls.key"),
    "no PEM": ({**KEPT.data, "tls.crt": b"rubbish"}, "tls.crt is no certificate in PEM"),
    "half a certificate": ({**KEPT.data, "tls.crt": KEPT.certificate[:300]}, "tls.crt is no certificate in PEM"),
    "half a key": ({**KEPT.data, "tls.key": KEPT.key[:100]}, "tls.key is no key in PEM"),
    "a key with a password": ({**KEPT.data, "tls.key": _WITH_PASSWORD}, "tls.key is no key in PEM without a password"),
    "another key": ({**KEPT.data, "tls.key": made(NAMES, NOW).key}, "tls.key does not belong to tls.crt"),
    "no roots": ({**KEPT.data, "ca.crt": b"\xff\xfe"}, "ca.crt is no certificate in PEM"),
    "another root": (_signed_by_another().data, "tls.crt is not agent-sidecar-injector"),
    "other names": (made(["a.b.svc"], NOW).data, "tls.crt is not agent-sidecar-injector.agent-sidecar-system.svc's"),
    "not all names": (made(NAMES[:1], NOW).data, "tls.crt is not agent-sidecar-injector.agent-sidecar-system.svc.clu"),
    "expired": (made(NAMES, NOW - LIFE).data, "tls.crt expired at "),
    "of the future": (made(NAMES, NOW + 2 * SKEW).data, "tls.crt is not valid before "),
    "a foreign one": (
        {"tls.crt": _CHAIN, "tls.key": _CHAIN, "ca.crt": _FOREIGN.pem},
        "ca.crt has no certificate of an injector's making",
    ),
    "the root in its place": ({**KEPT.data, "tls.crt": KEPT.root}, "tls.key does not belong to tls.crt"),
}


@pytest.mark.parametrize(("data", "why"), UNUSABLE.values(), ids=list(UNUSABLE))
def test_what_cannot_be_served_is_told_from_what_can(data: dict[str, bytes], why: str) -> None:
    with pytest.raises(Unusable) as raised:
        read(data, NAMES, NOW)
    assert str(raised.value).startswith(why)
    assert "PRIVATE" not in str(raised.value)


parts = st.sampled_from(sorted(KEPT.data))


@given(st.dictionaries(parts, st.binary(max_size=300)))
def test_random_bytes_are_no_certificate(data: dict[str, bytes]) -> None:
    with pytest.raises(Unusable):
        read({**KEPT.data, **data} if len(data) < 3 and data else data, NAMES, NOW)


@given(parts, st.integers(0, 2000), st.integers(1, 255))
def test_what_is_read_of_a_damaged_one_can_be_served(part: str, at: int, flip: int) -> None:
    damaged = bytearray(KEPT.data[part])
    damaged[at % len(damaged)] ^= flip
    try:
        kept = read({**KEPT.data, part: bytes(damaged)}, NAMES, NOW)
    except Unusable:
        return
    presented = Presented()
    presented.take(kept.certificate, kept.key)
    assert reaches(presented, kept.roots, NAMES[0])


@given(st.lists(st.binary(max_size=100) | st.just(KEPT.roots), max_size=3))
def test_any_bytes_may_stand_where_roots_do(bundles: list[bytes]) -> None:
    assert roots_in(bundles, NOW) == ([KEPT.root] if KEPT.roots in bundles else [])
