"""A kept answer for one more agent: in the form that it asks for, with identifiers and times of its own."""

import time

from sidecar import Body, Exchange, Headers, Operation, Response
from sidecar_cache.control import Control
from sidecar_cache.entry import Entry
from sidecar_cache.forms import Unconvertible, given_as, is_accepted, plainly, renewal_of, stamps_in, wanted_of
from sidecar_cache.holdings import Given, Holdings
from sidecar_cache.identity import Identity, read_head
from sidecar_cache.replay import replayed


def ready(held: Holdings, exchange: Exchange, identity: Identity, entry: Entry) -> Given:
    """*entry* in the form that *exchange* asks for.

    Raises:
        Unconvertible: there is none.
    """
    given = held.given(identity.key, identity.delivery)
    if given is None:
        given = _made(exchange, entry, held.control)
        held.hold(identity.key, identity.delivery, entry, given)
    return given


def response_of(given: Given, age: float, name: str, pace: float | None) -> Response:
    """
    Args:
        age: in seconds.
        name: of the plugin.
        pace: see `replayed`.
    """
    data = given.entry.data if given.renewal is None else given.renewal.made(time.time_ns() // 1_000_000_000)
    return replayed(given.entry, data, given.headers(age), answered_by=name, pace=pace)


def _made(exchange: Exchange, entry: Entry, control: Control) -> Given:
    wanted, accepted = wanted_of(exchange), read_head(exchange.request.headers).codings
    turned, renewal = entry if wanted is None else given_as(entry, wanted), None
    if exchange.operation is Operation.CHAT or not is_accepted(turned, accepted):
        coded, turned = turned, plainly(turned)
        if turned is not coded and not accepted.plain:
            raise Unconvertible("the agent does not accept it without a content coding")
    if exchange.operation is Operation.CHAT and exchange.call is not None:
        renewal = renewal_of(turned.data, stamps_in(turned, exchange.call.endpoint))
    turned_bytes = 0 if turned.data is entry.data else turned.held_bytes
    return Given(turned, renewal, turned_bytes + (0 if renewal is None else renewal.held_bytes), control)


def gateway_timeout(exchange: Exchange, name: str) -> Response:
    """RFC 9111 section 5.2.1.7."""
    dialect = exchange.provider.dialect
    assert dialect is not None, "without one nothing has a key"
    phrase = dialect.phrase_error(504, "only_if_cached", "agent-sidecar: nothing is kept that would answer this")
    headers = Headers.of(content_type=phrase.content_type, content_length=str(len(phrase.body)))
    return Response(status=504, headers=headers, body=Body(phrase.body), answered_by=name)
