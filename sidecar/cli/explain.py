"""``sidecar explain``: everything that is known of one call."""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

import click
import msgspec
from msgspec import Struct

from sidecar.cli import received
from sidecar.cli.asking import Asking, Refused
from sidecar.cli.exits import EPILOG, Exit, Stop
from sidecar.cli.hints import hints
from sidecar.cli.legible import Paint, clean, columns, json_text, paint_for, say, wrapped
from sidecar.cli.line import OURS, colour_of
from sidecar.cli.options import admin_option, colour_option, output_option
from sidecar.cli.quantities import moment, seconds, size
from sidecar.cli.waterfall import Phase, before, drawn, phases
from sidecar.errors import AdminUnreachable
from sidecar.journal import AttemptTold, CallTold

_NARROWEST, _WIDEST, _MARGIN = 20, 60, 38

_DOORS = {
    "base_url": "by base URL",
    "port": "by the provider's own port",
    "forward": "through the forward proxy",
    "connect": "through the forward proxy (CONNECT)",
    "transparent": "by redirection",
}


class KeyPart(Struct, frozen=True):
    name: str
    digest: str


class KeyTold(Struct, frozen=True):
    """What a plugin says to ``key/KEY``."""

    parts: tuple[KeyPart, ...]


@click.command(epilog=EPILOG)
@click.argument("call_id", metavar="ID|last")
@admin_option
@output_option
@colour_option
def explain(call_id: str, admin: str, output: str, no_color: bool) -> None:
    """Show all that is known of one call: who asked whom for what, what plugins did and why, where the time went.

    ID is the beginning of an id, from sidecar tail or from the answer's header x-sidecar-request-id. The last calls
    are kept (journal.calls in the configuration), without content, credentials and query strings.
    """
    if not call_id.isalnum():
        raise click.UsageError("expected the beginning of an id, or last")
    asking = Asking(admin)
    try:
        raw = asking.call(call_id)
    except Refused as error:
        raise Stop(f"{error}; sidecar tail --no-follow -n 50 lists the last ones", Exit.NO) from error
    if output == "json":
        click.echo(json_text(msgspec.Raw(raw)))
        return
    call = received.call(raw)
    paint = paint_for(sys.stdout, no_color)
    say("\n".join(told(call, paint, shutil.get_terminal_size((100, 24)).columns)), paint)
    for line in keys_told(call, asking, paint):
        say(line, paint)


def told(call: CallTold, paint: Paint, width: int) -> Iterator[str]:
    """*call* for people, on lines of about *width* characters."""
    yield paint(f"call {call.id}", bold=True)
    yield from columns(_facts(call, paint), "  ")
    if call.verdicts:
        yield from ("", paint("what plugins did", bold=True))
        rows = [
            (
                f"+{seconds(each.at_seconds)}",
                clean(each.plugin),
                clean(each.outcome),
                clean(_why(each.reason, each.detail)),
            )
            for each in call.verdicts
        ]
        yield from columns(rows, "  ")
        for each in call.verdicts:
            if table := numbered(each.detail):
                yield from ("", paint(f"what {clean(each.plugin)} chose from", bold=True))
                yield from columns(table, "  ")
    yield from ("", paint("where the time went", bold=True))
    yield from _time_line(call, paint, max(_NARROWEST, min(_WIDEST, width - _MARGIN)))
    if call.faults:
        yield from ("", paint("plugins' faults", "red", bold=True))
        faults = [
            (f"+{seconds(each.at_seconds)}", clean(each.plugin), each.hook, clean(each.reason), f"→ {each.action}")
            for each in call.faults
        ]
        yield from columns(faults, "  ")
    advice = hints(call)
    if call.error or advice:
        yield from ("", paint("what went wrong", colour_of(call), bold=True))
        if call.error:
            yield f"  {clean(call.error)}" + (f"  ({call.error_kind})" if call.error_kind else "")
        for hint in advice:
            yield from wrapped(f"→ {clean(hint)}", width, indent=2)


def keys_told(call: CallTold, asking: Asking, paint: Paint) -> Iterator[str]:
    """What the keys in verdicts are made of, where the plugin tells that of them."""
    named = {(each.plugin, str(each.detail["key"])) for each in call.verdicts if "key" in each.detail}
    for plugin, key in sorted(named):
        try:
            made_of = msgspec.json.decode(asking.plugin(plugin, f"key/{quote(key, safe='')}"), type=KeyTold)
            rows = [(clean(part.name), clean(part.digest)) for part in made_of.parts]
            lines = columns(rows, "  ") or ["  it is not known any more"]
        except Refused as error:
            if key not in str(error):
                continue  # it has nothing to say of keys
            lines = [f"  {clean(str(error))}"]
        except (AdminUnreachable, msgspec.DecodeError):
            continue
        yield from ("", paint(f"what the key {clean(key)} of {clean(plugin)} is made of", bold=True), *lines)


def _facts(call: CallTold, paint: Paint) -> list[tuple[str, str]]:
    asked = [f"{name} {value}" for name, value in _asked(call)]
    rows = [
        ("came in", f"{moment(call.at_ns):%Y-%m-%d %H:%M:%S.%f%z}, {_DOORS.get(call.door, call.door)}"),
        ("asked", clean(f"{call.provider} for {call.operation}: {call.method} {call.path}")),
    ]
    if call.trace_id != call.id:
        rows.append(("trace", f"{call.trace_id}, the agent's own"))
    if asked:
        rows.append(("wanted", clean(", ".join(asked))))
    answer = f"{call.status or 'no status'} by {_by(call)}, {call.outcome} after {seconds(call.duration_seconds)}"
    rows.append(("answered", paint(clean(answer), colour_of(call))))
    rows.append(("size", _size(call)))
    if call.trace_id != call.id:
        rows.append(("trace", clean(f"{call.trace_id}, which the agent brought")))
    return rows


def _by(call: CallTold) -> str:
    if call.answered_by == OURS:
        return f"the sidecar itself, in the name of {call.provider}"
    if call.answered_by in (None, call.provider):
        return call.answered_by or "nobody"
    return f"{call.answered_by} instead of {call.provider}"


def _asked(call: CallTold) -> Iterator[tuple[str, str]]:
    for name, value in (
        ("endpoint", call.endpoint),
        ("model", call.model),
        ("voice", call.voice),
        ("language", call.language),
        ("format", call.format),
    ):
        if value:
            yield name, value
    if call.stream:
        yield "as", "a stream"


def _size(call: CallTold) -> str:
    parts = [f"{size(call.request_bytes)} up", f"{size(call.response_bytes)} down"]
    if call.messages_sent is not None:
        parts.append(f"{call.messages_sent} messages up, {call.messages_received} down")
        parts.append("closed without a code" if call.close_code is None else f"closed with {call.close_code}")
    elif call.chunks > 1:
        parts.append(f"{call.chunks} chunks, longest pause {seconds(call.longest_gap_seconds)}")
    return ", ".join(parts)


def numbered(detail: Mapping[str, str | int | float | bool]) -> list[tuple[str, ...]]:
    """What a verdict tells of several things, as a table with a heading: ``2.price`` is the price of the second."""
    rows: dict[int, dict[str, str]] = {}
    for name, value in detail.items():
        number, dot, column = name.partition(".")
        if dot and number.isdecimal():
            shown = f"{value:.3g}" if isinstance(value, float) else str(value)
            rows.setdefault(int(number), {})[column] = clean(shown)
    names = dict.fromkeys(column for row in rows.values() for column in row)
    if not names:
        return []
    heading = ("", *(clean(name.removesuffix("_seconds")) for name in names))
    return [heading, *((str(number), *(row.get(name, "") for name in names)) for number, row in sorted(rows.items()))]


def _why(reason: str, detail: Mapping[str, str | int | float | bool]) -> str:
    shown = ", ".join(
        f"{name}={value:.3g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in detail.items()
        if not name.partition(".")[0].isdecimal()
    )
    return f"{reason} ({shown})" if reason and shown else reason or shown


def _time_line(call: CallTold, paint: Paint, width: int) -> Iterator[str]:
    total = call.duration_seconds
    yield from _drawn([before(call)], total, width, paint)
    for attempt in call.attempts:
        yield f"  attempt {attempt.number + 1}: {clean(_attempt(attempt))}"
        yield from _drawn(phases(attempt, total), total, width, paint)
    if call.first_byte_seconds is not None:
        yield f"  first byte to the agent at +{seconds(call.first_byte_seconds)}, all done at +{seconds(total)}"


def _drawn(rows: Sequence[Phase], total: float, width: int, paint: Paint) -> Iterator[str]:
    for phase, (name, start, lasting, bar) in zip(rows, drawn(rows, total, width), strict=True):
        colour = "red" if phase.broke else _COLOURS.get(name)
        yield f"    {name:<8}{start:>9} {lasting:>8}  {paint(bar, colour)}"


_COLOURS = {
    **dict.fromkeys(("connect", "dns", "tcp", "tls"), "magenta"),
    "send": "blue",
    "wait": "yellow",
    "answer": "green",
}


def _connection(attempt: AttemptTold) -> Iterator[str]:
    if not attempt.connect_seconds:
        yield "connection was open"
    elif attempt.tls:
        yield f"{attempt.tls}{', resumed' if attempt.resumed else ''}"


def _attempt(attempt: AttemptTold) -> str:
    parts = [f"{attempt.provider} at {attempt.server}"]
    if attempt.peer:
        parts.append(f"({', '.join((attempt.peer, *_connection(attempt)))})")
    if attempt.status is not None:
        parts.append(f"answered {attempt.status}")
    if attempt.error is not None:
        parts.append(f"failed: {attempt.error}")
    if attempt.dropped_trailers:
        parts.append(f"(trailers not passed on: {', '.join(attempt.dropped_trailers)})")
    return " ".join(parts)
