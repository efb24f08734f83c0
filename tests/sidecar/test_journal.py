"""What is kept of the last calls is what is told of them, and no more."""

import weakref

from sidecar.errors import UpstreamBroken
from sidecar.exchange import Record
from sidecar.journal import Journal, tell
from sidecar.notes import Connecting
from sidecar.testing import call
from tests import making


class Large:
    """Something that a call has in its hands when it fails."""


def failing(large: Large) -> None:
    raise UpstreamBroken("it broke off", begun=True)


def test_errors_are_kept_without_what_the_call_had_in_its_hands() -> None:
    large = Large()
    gone, attempt = weakref.ref(large), making.attempt()
    try:
        failing(large)
    except UpstreamBroken as error:
        attempt.record.failed(error)
        record = Record(exchange=attempt.exchange, outcome="failed", error=error)
    journal = Journal()
    journal.add(record)
    del large, record, attempt
    assert gone() is None
    (kept,) = journal.last(1)
    assert tell(kept).error == "it broke off"


def test_what_is_read_for_the_telling_is_not_kept() -> None:
    exchange = call("openai", "/v1/chat/completions", {"model": "m", "messages": []})
    exchange.notes.release()
    record = Record(exchange=exchange, outcome="completed", answer_tail=b'{"id": "a"}')
    assert tell(record).model == "m"
    assert record.answer.id == "a"
    assert exchange.notes._payload is exchange.notes._answer is None


def test_what_a_new_connection_took_is_told() -> None:
    attempt = making.attempt()
    record = Record(exchange=attempt.exchange, outcome="completed")
    attempt.record.connect_seconds = 0.06
    (told,) = tell(record).attempts
    assert (told.connect_seconds, told.dns_seconds, told.tcp_seconds, told.tls_seconds) == (0.06, None, None, None)
    attempt.record.connecting = Connecting(0.01, 0.02, 0.03, "TLSv1.3", resumed=True)
    (told,) = tell(record).attempts
    assert (told.dns_seconds, told.tcp_seconds, told.tls_seconds, told.tls, told.resumed) == (
        *(0.01, 0.02, 0.03),
        "TLSv1.3",
        True,
    )
    attempt.record.connecting = Connecting(0.01, 0.02)
    (told,) = tell(record).attempts
    assert (told.tcp_seconds, told.tls_seconds, told.tls, told.resumed) == (0.02, None, "", False)
