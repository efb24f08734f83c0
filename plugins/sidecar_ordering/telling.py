"""What is told of a call: to the agent if nobody answers, to its trace in any case. No I/O."""

from collections.abc import AsyncIterator

from sidecar import Body, Exchange, Response, Verdict
from sidecar.failure import Failure, Kind
from sidecar.interruption import interruption
from sidecar.phrasing import final_failure, phrase_failure
from sidecar_ordering.driving import Driven, failures_of
from sidecar_ordering.score import Place


def verdict_of(plugin: str, driven: Driven, exchange: Exchange) -> Verdict:
    """Whom the call was sent to, why, and what came of it.

    What is told of the candidate at place N has names that begin with ``N.``; most of it are numbers, and all of it is
    of few shapes, so that traces can be written quickly.
    """
    ranking, sent, winner = driven.course.ranking, driven.sent, driven.last.winner
    places = (*ranking.order, *ranking.resorts, *ranking.closed)
    detail: dict[str, str | int | float | bool] = {}
    if len(places) > 1 or len(sent) > 1:
        for number, place in enumerate(places, 1):
            _tell(place, number, detail)
    for send in sent:
        detail[f"attempt.{send.number}"] = f"{send.why} {send.candidate.name}: {_became(driven, send.number)}"
    if winner is None:
        return Verdict(plugin, "failed", "nobody answers", detail, exchange.notes.since())
    detail["first_byte_seconds"] = driven.seconds[winner]
    first = sent[0].candidate.name
    answering = next(send for send in sent if send.number == winner)
    if len(sent) == 1:
        reason = f"{first} is first of {len(places)}" if len(places) > 1 else f"{first} is the only one"
        return Verdict(plugin, "sent", reason, detail, exchange.notes.since())
    reason = f"{answering.candidate.name} answers ({answering.why}), {first} was first"
    return Verdict(plugin, answering.why.value, reason, detail, exchange.notes.since())


def _became(driven: Driven, number: int) -> str:
    """Of an attempt."""
    outcome = driven.outcomes.get(number)
    if number == driven.last.winner:
        return "answers"
    if outcome is None or outcome.failure is None:
        return "let go"
    if outcome.obstacle is not None:
        return f"cannot, {outcome.obstacle}"
    return f"failed, {outcome.failure.kind}"


def _tell(place: Place, number: int, detail: dict[str, str | int | float | bool]) -> None:
    detail[f"{number}.candidate"] = place.candidate.name
    detail[f"{number}.predicted_seconds"] = place.predicted_seconds
    detail[f"{number}.chance"] = place.chance
    detail[f"{number}.value"] = place.value
    detail[f"{number}.speed"] = place.speed_part
    detail[f"{number}.quality"] = place.quality_part
    detail[f"{number}.price"] = place.price_part
    if place.reason:
        detail[f"{number}.{place.standing}"] = place.reason


def counted(counts: dict[tuple[str, str], int], driven: Driven) -> None:
    for send in driven.sent:
        key = (send.why.value, send.candidate.name)
        counts[key] = counts.get(key, 0) + 1


def told_failure(driven: Driven, exchange: Exchange, plugin: str) -> Response:
    """What the agent gets if nobody answers: what its own provider said, or an error in its words.

    Raises:
        UpstreamError: there is none, and nobody else was asked: as without this plugin.
    """
    failures = failures_of(driven)
    dialect = exchange.provider.dialect
    outcomes = [driven.outcomes[number] for number in sorted(driven.outcomes)]
    if not failures:
        wait = driven.last.retry_after_seconds
        kind = Kind.RATE if wait is not None else Kind.TIMEOUT
        words = "every provider that could answer is to be left alone for now" if wait is not None else ""
        failures = [Failure(kind=kind, code="no_candidate", retry_after_seconds=wait, message=words, sent=False)]
    failure = final_failure(failures)
    own = next((each for each in reversed(outcomes) if each.failure is failure and each.option.own), None)
    if own is not None and own.response is not None and own.response.body.data:
        return _final(own.response, exchange, len(driven.sent))
    if own is not None and own.error is not None and len(driven.sent) == 1:
        raise own.error
    assert dialect is not None, "nothing else is ordered"
    phrase = phrase_failure(dialect, failure)
    headers = phrase.headers.with_field("Content-Type", phrase.content_type)
    headers = headers.with_field("Content-Length", str(len(phrase.body)))
    return Response(status=phrase.status, headers=headers, body=Body(phrase.body), answered_by=plugin)


def interrupted(
    exchange: Exchange, response: Response, failure: Failure, error: Exception, tail: bytes
) -> AsyncIterator[bytes] | None:
    """What the agent gets after the last bytes of an answer that broke off; None if only the connection can tell it.

    Args:
        tail: those last bytes.
    """
    dialect, call = exchange.provider.dialect, exchange.call
    kind = response.headers.get_bytes(b"content-type") or b""
    if dialect is None or call is None or not kind.startswith(b"text/event-stream"):
        return None
    if "content-encoding" in response.headers or not tail.endswith((b"\n\n", b"\r\n\r\n")):
        return None

    async def told() -> AsyncIterator[bytes]:
        yield interruption(dialect, call, failure)
        raise error

    return told()


def _final(response: Response, exchange: Exchange, attempts: int) -> Response:
    dialect = exchange.provider.dialect
    if attempts < 2 or dialect is None or not dialect.heeds_should_retry:
        return response
    return response.with_headers(response.headers.with_field("x-should-retry", "false"))
