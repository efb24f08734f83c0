"""What is kept of the last calls is what is told of them, and no more."""

import weakref

from sidecar.errors import UpstreamBroken
from sidecar.exchange import Record
from sidecar.journal import Journal, tell
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
