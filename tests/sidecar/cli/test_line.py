"""A call as one line."""

from sidecar.cli.legible import Paint
from sidecar.cli.line import HEADING, asked_for, line
from sidecar.cli.quantities import clock
from tests.sidecar.cli.calls import attempt, call, fault, verdict

PLAIN = Paint(False)


def test_a_line_has_its_columns_under_the_heading() -> None:
    told = line(call(verdicts=(verdict("cache", "miss"),)), PLAIN)
    expected = {
        "TIME": clock(call().at_ns),
        "ID": "3f9a2c1d",
        "OPERATION": "chat",
        "PROVIDER": "openai",
        "MODEL/VOICE": "gpt-4o-mini",
        "STATUS": "200",
        "NOTES": "cache: miss",
    }
    for name, value in expected.items():
        assert told[HEADING.index(name) :].startswith(value)
    for name, value in {"TTFB": "610ms", "TOOK": "1.00s", "UP": "1.1kB", "DOWN": "8.4kB", "CHUNKS": "24"}.items():
        assert told[: HEADING.index(name) + len(name)].endswith(f" {value}")


def test_lines_are_aligned_whatever_is_in_them() -> None:
    noted = (verdict("x", "y"),)
    calls = (
        call(verdicts=noted),
        call(operation="passthrough", model="m" * 99, provider="p" * 40, status=None, verdicts=noted),
        call(first_byte_seconds=None, duration_seconds=3599, response_bytes=99_999_999_999, verdicts=noted),
        call(messages_sent=120, messages_received=40, outcome="cancelled", verdicts=noted),
    )
    assert {line(each, PLAIN).index("x: y") for each in calls} == {HEADING.index("NOTES")}


def test_who_answered_instead_is_shown() -> None:
    assert " openai→cache " in line(call(answered_by="cache"), PLAIN)
    assert " openai " in line(call(answered_by="agent-sidecar"), PLAIN)
    assert " openai " in line(call(answered_by=None), PLAIN)


def test_model_and_voice_share_a_column_and_the_endpoint_stands_in() -> None:
    assert asked_for(call(model="tts-1", voice="alloy")) == "tts-1/alloy"
    assert asked_for(call(model=None, voice="alloy")) == "alloy"
    assert asked_for(call(model=None)) == "chat.completions"
    assert asked_for(call(model=None, endpoint="")) == "/v1/chat/completions"


def test_what_went_wrong_stands_in_the_notes() -> None:
    told = line(
        call(
            outcome="failed",
            status=502,
            error="no connection",
            attempts=(attempt(), attempt(number=1)),
            verdicts=(verdict("cache", "miss"), verdict("ordering", "moved")),
            faults=(fault("decisions", "hung"),),
        ),
        PLAIN,
    )
    assert " 502 failed " in told
    assert told.endswith("cache: miss · ordering: moved · 2 attempts · fault in decisions: hung · no connection")


def test_a_socket_counts_messages_both_ways() -> None:
    told = line(call(messages_sent=12, messages_received=40, close_code=1000, status=101), PLAIN)
    assert " 12/40 " in told
    assert told.endswith("closed 1000")


def test_colours_do_not_move_the_columns() -> None:
    painted = line(call(status=500, outcome="failed", error="bad"), Paint(True))
    assert "\x1b[31m500 failed" in painted
    assert "\x1b[32m200" in line(call(), Paint(True))
    assert "\x1b[33m200 cancelled" in line(call(outcome="cancelled"), Paint(True))


def test_what_agents_send_cannot_command_the_terminal() -> None:
    told = line(call(model="\x1b]0;owned\x07", error="\x1b[2J\r\n", verdicts=(verdict("\x1b", "\n"),)), PLAIN)
    assert told.isprintable()
