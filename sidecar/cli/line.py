"""A call as one line: what `sidecar tail` writes."""

from sidecar.cli.legible import Paint, clean, cut
from sidecar.cli.quantities import clock, seconds, size
from sidecar.journal import CallTold

#: Digits of an id: enough to tell the last calls apart.
ID_DIGITS = 8
#: Who answered where nobody else did: errors of our own.
OURS = "agent-sidecar"
_PROVIDER, _MODEL, _STATUS = 18, 20, 13

HEADING = (
    f"{'TIME':<12} {'ID':<{ID_DIGITS}} {'OPERATION':<11} {'PROVIDER':<{_PROVIDER}} {'MODEL/VOICE':<{_MODEL}} "
    f"{'STATUS':<{_STATUS}} {'TTFB':>6} {'TOOK':>6} {'UP':>6} {'DOWN':>6} {'CHUNKS':>6}  NOTES"
)


def line(call: CallTold, paint: Paint) -> str:
    """The columns of `HEADING`; what has no fixed width comes last."""
    columns = (
        paint(clock(call.at_ns), dim=True),
        call.id[:ID_DIGITS],
        paint(f"{call.operation:<11}", "cyan"),
        f"{cut(clean(_provider(call)), _PROVIDER):<{_PROVIDER}}",
        f"{cut(clean(asked_for(call)), _MODEL):<{_MODEL}}",
        paint(f"{status(call):<{_STATUS}}", colour_of(call)),
        f"{seconds(call.first_byte_seconds):>6}",
        f"{seconds(call.duration_seconds):>6}",
        f"{size(call.request_bytes):>6}",
        f"{size(call.response_bytes):>6}",
        f"{_chunks(call):>6}",
    )
    return f"{' '.join(columns)}  {_notes(call, paint)}".rstrip()


def asked_for(call: CallTold) -> str:
    """``tts-1/alloy``, ``gpt-4o``, or the endpoint where neither model nor voice is known."""
    return "/".join(part for part in (call.model, call.voice) if part) or call.endpoint or call.path


def status(call: CallTold) -> str:
    """``200``, ``502 failed``, ``cancelled``"""
    told = "" if call.status is None else str(call.status)
    return told if call.outcome == "completed" else f"{told} {call.outcome}".strip()


def colour_of(call: CallTold) -> str:
    if call.outcome == "failed" or (call.status or 0) >= 500:
        return "red"
    if call.outcome == "cancelled" or (call.status or 0) >= 400:
        return "yellow"
    return "green"


def _provider(call: CallTold) -> str:
    """Whom the agent called; and who answered, if that was somebody else."""
    if call.answered_by in (None, OURS, call.provider):
        return call.provider
    return f"{call.provider}→{call.answered_by}"


def _chunks(call: CallTold) -> str:
    """Of the answer; of a WebSocket the messages each way."""
    if call.messages_sent is None:
        return str(call.chunks)
    return f"{call.messages_sent}/{call.messages_received}"


def _notes(call: CallTold, paint: Paint) -> str:
    notes = [f"{verdict.plugin}: {verdict.outcome}" for verdict in call.verdicts]
    if len(call.attempts) > 1:
        notes.append(f"{len(call.attempts)} attempts")
    if call.close_code is not None:
        notes.append(f"closed {call.close_code}")
    shown = [clean(note) for note in notes]
    shown += [paint(clean(f"fault in {fault.plugin}: {fault.reason}"), "red") for fault in call.faults]
    if call.error:
        shown.append(paint(clean(call.error), colour_of(call)))
    return " · ".join(shown)
