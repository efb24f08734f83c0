"""What the demonstration writes to the terminal."""

import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sidecar.cli.legible import Paint, columns, paint_for, say
from sidecar.cli.line import colour_of, status
from sidecar.cli.quantities import seconds, size
from sidecar.journal import CallTold
from sidecar.lab.collector import Told

_STEPS = (("stt", "hearing"), ("chat", "thinking"), ("tts", "speaking, to the first sound"))
#: Attributes of spans that say most about a call, and what they are called here.
_TELLING = ("gen_ai.provider.name", "server.address", "http.response.status_code")


class Round(NamedTuple):
    """A conversation that is over."""

    calls: Sequence[CallTold]
    waits_seconds: Sequence[float]
    """From the question to the first sound of its answer, as the agent measured it, by question."""

    @property
    def wait_seconds(self) -> float:
        return sum(self.waits_seconds) / len(self.waits_seconds) if self.waits_seconds else 0.0


class Show:
    def __init__(self, no_color: bool = False) -> None:
        self.paint: Paint = paint_for(sys.stdout, no_color)
        self._began = time.monotonic()

    def part(self, title: str) -> None:
        """A new part, and how long it took to come to it."""
        self._write(
            f"\n{self.paint(title, bold=True)} {self.paint(f'[{time.monotonic() - self._began:.0f} s]', dim=True)}"
        )

    def text(self, text: str) -> None:
        self._write(textwrap.fill(text, min(shutil.get_terminal_size((100, 24)).columns, 110), break_long_words=False))

    def progress(self, step: str) -> None:
        self._write(self.paint(f"  … {step}", dim=True))

    def agent(self, said: str) -> None:
        """A line of the agent's own output."""
        self._write(f"  agent │ {said}")

    def call(self, call: CallTold) -> None:
        """A call that is over; `sidecar tail` says more, on longer lines."""
        by_provider = call.answered_by in (None, call.provider)
        columns = (
            self.paint("sidecar", "cyan"),
            "│",
            f"{call.operation:<4}",
            f"{call.provider if by_provider else f'{call.provider}→{call.answered_by}':<16}",
            self.paint(status(call), colour_of(call)),
            f"first byte {seconds(call.first_byte_seconds):>6}, all {seconds(call.duration_seconds):>6},",
            f"{size(call.request_bytes):>5} up, {size(call.response_bytes):>5} down ",
            " · ".join(f"{verdict.plugin}: {verdict.outcome}" for verdict in call.verdicts),
        )
        self._write(" ".join(columns).rstrip())

    def compare(self, rounds: Sequence[Round]) -> None:
        """The rounds beside each other, by means."""
        rows = [("", *(f"round {number}" for number in range(1, len(rounds) + 1)), "")]
        for operation, words in _STEPS:
            rows.append((words, *(seconds(_mean(played.calls, operation)) for played in rounds), ""))
        answered = [sum(call.answered_by == "cache" for call in played.calls) for played in rounds]
        shares = (f"{hits} of {len(played.calls)}" for hits, played in zip(answered, rounds, strict=True))
        rows.append(("answered by the cache", *shares, ""))
        waits = [played.wait_seconds for played in rounds]
        gain = f"{waits[0] / waits[-1]:.0f} times sooner" if waits[-1] else ""
        rows.append(("question to first sound, for the caller", *map(seconds, waits), gain))
        for row in columns(rows, "  "):
            self._write(row)

    def trace(self, spans: Sequence[Told]) -> None:
        """The spans of one trace as a tree."""
        children: dict[str, list[Told]] = {}
        known = {span.span_id for span in spans}
        for span in sorted(spans, key=lambda span: span.start_ns):
            children.setdefault(span.parent_id if span.parent_id in known else "", []).append(span)
        for text in _tree(children, "", "  ", lambda text: self.paint(text, dim=True)):
            self._write(text)

    def _write(self, text: str) -> None:
        say(text, self.paint)


def _mean(calls: Sequence[CallTold], operation: str) -> float:
    taken = [
        (call.first_byte_seconds or 0.0) if operation == "tts" else call.duration_seconds
        for call in calls
        if call.operation == operation
    ]
    return sum(taken) / len(taken) if taken else 0.0


def _tree(children: dict[str, list[Told]], parent: str, indent: str, dim: Callable[[str], str]) -> Iterator[str]:
    for span in children.get(parent, ()):
        told = [str(span.attributes[key]) for key in _TELLING if key in span.attributes]
        yield f"{indent}{span.name}  {seconds((span.end_ns - span.start_ns) / 1e9)}  {dim(' '.join(told))}".rstrip()
        for _, event in span.events:
            if "sidecar.verdict" in event:
                reason = f" ({event['sidecar.reason']})" if "sidecar.reason" in event else ""
                yield dim(f"{indent}  · {event['sidecar.plugin']}: {event['sidecar.verdict']}{reason}")
        yield from _tree(children, span.span_id, indent + "  ", dim)
