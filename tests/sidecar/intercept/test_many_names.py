"""However many names an agent calls, what is kept of them is bounded."""

import gc
import ssl
import weakref
from pathlib import Path

import pytest
from cryptography import x509

from sidecar.intercept.authority import open_authority
from sidecar.metrics import MAX_SERIES, Metrics
from sidecar.trust import Trust
from tests.sidecar.intercept.stage import Names, get, names, stage
from tests.wire import answer, answering

__all__ = ["names"]

SUFFIX = "many.example.com"


def made_out_to(context: ssl.SSLContext, name: str) -> list[str]:
    """The names on the leaf that *context* serves to those who ask for *name*, and trust whoever they meet."""
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname = False
    asking.verify_mode = ssl.CERT_NONE
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = asking.wrap_bio(to_client, to_server, server_hostname=name)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            pass
    der = client.getpeercert(binary_form=True)
    assert der is not None
    certificate = x509.load_der_x509_certificate(der)
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    )


@pytest.mark.parametrize(
    ("name", "leaf"),
    [
        ("eastus.many.example.com", "*.many.example.com"),
        ("a.b.many.example.com", "*.b.many.example.com"),
        ("many.example.com", "many.example.com"),  # the names beside it are not ours to sign for
        ("api.openai.com", "api.openai.com"),
        ("a_b.many.example.com", "a_b.many.example.com"),  # to OpenSSL a star stands for no underscore
        ("x.lan", "x.lan"),  # and for nothing right below a top-level domain
    ],
)
def test_a_leaf_is_made_out_to_all_names_beside_each_other_where_clients_accept_that(
    tmp_path: Path, name: str, leaf: str
) -> None:
    authority = open_authority(tmp_path, [SUFFIX, "api.openai.com", "lan"])
    assert made_out_to(authority.context(name), name) == [leaf]


def test_names_beside_each_other_share_what_was_made(tmp_path: Path) -> None:
    authority = open_authority(tmp_path, [SUFFIX])
    assert len({id(authority.context(f"region-{number}.{SUFFIX}")) for number in range(1000)}) == 1


def test_of_the_certificates_that_are_made_the_last_used_are_kept(tmp_path: Path) -> None:
    authority = open_authority(tmp_path, [SUFFIX])
    contexts: weakref.WeakSet[ssl.SSLContext] = weakref.WeakSet()
    used = authority.context(f"a.used.{SUFFIX}")
    for number in range(300):
        contexts.add(authority.context(f"a.n{number}.{SUFFIX}"))
        assert authority.context(f"a.used.{SUFFIX}") is used
    gc.collect()
    assert len(contexts) < 256


async def test_a_provider_that_is_called_by_many_names_has_few_pools(names: Names) -> None:
    named = f"providers.other={{hosts: ['*.{SUFFIX}'], dialect: openai}}"
    async with stage(answering(answer()), named) as between:
        service = between.sidecar.application.service
        most = len(service.providers) + 65
        trusting = ssl.create_default_context(cafile=str(between.sidecar.bundle))
        for number in range(most + 10):
            agent = await between.agent_over_tls(f"region-{number}.{SUFFIX}", trusting)
            assert (await agent.ask(get())).status == 502, "there is no such name; that it was asked for is enough"
            agent.leave()
        assert len(service._upstreams) <= most
        page = between.sidecar.application.metrics_text()
        assert page.count('\nsidecar_upstream_connections{provider="other"}') == 1, "a series for all of them"


def test_counts_by_name_are_folded_where_there_are_too_many() -> None:
    metrics = Metrics()
    for number in range(MAX_SERIES + 10):
        metrics.count("distrusted", name=f"n{number}.{SUFFIX}")
    counted = metrics.counted("distrusted")
    assert len(counted) == MAX_SERIES + 1
    assert counted["other"] == 10


def test_what_was_warned_of_is_forgotten_in_time() -> None:
    trust = Trust()
    for number in range(1000):
        trust.distrusted(f"n{number}.{SUFFIX}", "unknown ca")
    assert len(trust._warned) <= 256
