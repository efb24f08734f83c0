"""One call, explained."""

from sidecar.cli.explain import told
from sidecar.cli.legible import Paint
from tests.sidecar.cli.calls import ID, attempt, call, fault, verdict

PLAIN = Paint(False)


def lines(**fields: object) -> list[str]:
    return list(told(call(**fields), PLAIN, 100))


def test_it_says_who_asked_whom_for_what_and_how_it_ended() -> None:
    text = "\n".join(lines(voice="alloy", language="en", format="mp3", stream=True))
    assert text.startswith(f"call {ID}\n")
    assert "by base URL" in text
    assert "openai for chat: POST /v1/chat/completions" in text
    assert "endpoint chat.completions, model gpt-4o-mini, voice alloy, language en, format mp3, as a stream" in text
    assert "200 by openai, completed after 1.00s" in text
    assert "1.1kB up, 8.4kB down, 24 chunks, longest pause 210ms" in text
    assert "what went wrong" not in text
    assert "what plugins did" not in text


def test_it_draws_where_the_time_went() -> None:
    found = lines()
    start = found.index("where the time went")
    assert found[start + 1 :] == [
        f"    sidecar   +0.00ms    1.0ms  {'▌'}",
        "  attempt 1: openai at https://api.openai.com (192.0.2.1:443) answered 200",
        f"    connect    +1.0ms     99ms  {'█' * 6}",
        f"    send       +100ms    100ms  {' ' * 6}{'█' * 6}",
        f"    wait       +200ms    400ms  {' ' * 12}{'█' * 24}",
        f"    answer     +600ms    400ms  {' ' * 36}{'█' * 24}",
        "  first byte to the agent at +610ms, all done at +1.00s",
    ]


def test_verdicts_come_with_their_reasons() -> None:
    found = lines(
        answered_by="cache", verdicts=(verdict("cache", "hit", "same key", age_seconds=3), verdict("x", "y", n=1))
    )
    assert "  +0.40ms  cache  hit  same key (age_seconds=3)" in found
    assert "  +0.40ms  x      y    n=1" in found
    assert any("200 by cache instead of openai" in line for line in found)


def test_failures_come_with_what_to_do() -> None:
    broken = attempt(
        error="no connection", error_kind="connection_refused", connect_seconds=0.0, requested_seconds=None,
        first_byte_seconds=None, status=None, peer="",
    )  # fmt: skip
    found = lines(
        outcome="failed",
        status=502,
        answered_by="agent-sidecar",
        error="no connection",
        error_kind="connection_refused",
        attempts=(broken,),
        faults=(fault("cache", "hung"),),
    )
    text = "\n".join(found)
    assert "502 by the sidecar itself, in the name of openai, failed after" in text
    assert "attempt 1: openai at https://api.openai.com failed: no connection" in text
    assert found[next(i for i, line in enumerate(found) if line.startswith("    connect"))].endswith(" ✗")
    assert "cache  around_exchange  hung  → bypassed" in text
    assert "  no connection  (connection_refused)" in text
    assert "  → nothing takes connections at https://api.openai.com" in text


def test_a_socket_says_its_messages_and_how_it_was_closed() -> None:
    text = "\n".join(lines(messages_sent=3, messages_received=4, close_code=1000))
    assert "3 messages up, 4 down, closed with 1000" in text
    assert "closed without a code" in "\n".join(lines(messages_sent=3, messages_received=4))


def test_a_connection_that_was_open_is_said_to_have_been() -> None:
    text = "\n".join(lines(attempts=(attempt(connect_seconds=None, dropped_trailers=("x-checksum",)),)))
    assert "(192.0.2.1:443, connection was open)" in text
    assert "trailers not passed on: x-checksum" in text


def test_what_a_new_connection_took_is_told_and_whether_tls_was_resumed() -> None:
    parts = {"dns_seconds": 0.019, "tcp_seconds": 0.03, "tls_seconds": 0.05, "tls": "TLSv1.3"}
    found = lines(attempts=(attempt(**parts),))
    assert "(192.0.2.1:443, TLSv1.3) answered 200" in "\n".join(found)
    assert [
        line.split()[:3] for line in found if line.startswith(("    dns", "    tcp", "    tls", "    connect"))
    ] == [
        ["dns", "+1.0ms", "19ms"],
        ["tcp", "+20ms", "30ms"],
        ["tls", "+50ms", "50ms"],
    ]
    resumed = lines(attempts=(attempt(**parts, resumed=True),))
    assert "(192.0.2.1:443, TLSv1.3, resumed)" in "\n".join(resumed)


def test_a_trace_of_the_agents_own_is_named() -> None:
    assert "trace" not in "\n".join(lines())
    assert "trace     0af7651916cd43dd8448eb211c80319c, which the agent brought" in "\n".join(
        lines(trace_id="0af7651916cd43dd8448eb211c80319c")
    )


def test_nothing_in_it_can_command_the_terminal() -> None:
    evil = "\x1b[2J\n"
    found = lines(
        model=evil, path=evil, error=evil, error_kind="x", verdicts=(verdict("p", evil, evil, k=evil),),
        faults=(fault("p", evil),), attempts=(attempt(error=evil, server=evil),),
    )  # fmt: skip
    assert all(line.isprintable() for line in found)


def test_it_fits_the_terminal() -> None:
    for width in (60, 80, 120):
        assert all(len(line) <= max(width, 80) for line in told(call(), PLAIN, width))
