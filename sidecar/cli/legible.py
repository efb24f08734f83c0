"""Text for people: colours where they help, columns, and nothing that a terminal would take for a command."""

import os
from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any, TextIO

import click
import msgspec


class Paint:
    """Colours text, or leaves it as it is."""

    def __init__(self, enabled: bool = False) -> None:
        self.enabled = enabled

    def __call__(self, text: str, colour: str | None = None, *, bold: bool = False, dim: bool = False) -> str:
        if not self.enabled or not text:
            return text
        return click.style(text, fg=colour, bold=bold or None, dim=dim or None)


def paint_for(stream: TextIO, no_color: bool, environ: Mapping[str, str] | None = None) -> Paint:
    """Colours only on a terminal, and only if nobody asked for none (https://no-color.org)."""
    environ = os.environ if environ is None else environ
    refused = no_color or bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb"
    return Paint(not refused and stream.isatty())


def say(text: str, paint: Paint) -> None:
    """Write data. What is coloured was decided by *paint* already."""
    click.echo(text, color=paint.enabled)


def clean(text: str) -> str:
    """*text* without what would move a cursor or change a colour: agents and providers may send anything."""
    return text if text.isprintable() else "".join(each if each.isprintable() else "�" for each in text)


def cut(text: str, width: int) -> str:
    """At most *width* characters of *text*."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def wrapped(text: str, width: int, *, indent: int) -> list[str]:
    """*text* on lines of at most *width* characters, the further ones two more to the right; words stay whole."""
    start = " " * indent
    return wrap(
        text,
        max(width, 40),
        initial_indent=start,
        subsequent_indent=f"{start}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def columns(rows: Sequence[Sequence[str]], indent: str = "") -> list[str]:
    """*rows* as lines whose columns stand below each other; the last column is not padded."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    return [
        (indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))).rstrip()
        for row in rows
    ]


def json_text(value: Any, *, indent: int = 2) -> str:
    """Anything msgspec can encode, for a file or a pipe."""
    encoded = msgspec.json.encode(value)
    return (msgspec.json.format(encoded, indent=indent) if indent else encoded).decode()
