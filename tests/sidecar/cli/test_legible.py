"""Text for people: colours only where they are wanted, columns, nothing that a terminal obeys."""

import io

import pytest

from sidecar.cli.legible import Paint, clean, columns, cut, paint_for, wrapped


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "no_color", "environ", "coloured"),
    [
        (Terminal(), False, {}, True),
        (io.StringIO(), False, {}, False),
        (Terminal(), True, {}, False),
        (Terminal(), False, {"NO_COLOR": "1"}, False),
        (Terminal(), False, {"NO_COLOR": ""}, True),
        (Terminal(), False, {"TERM": "dumb"}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    stream: io.StringIO, no_color: bool, environ: dict[str, str], coloured: bool
) -> None:
    assert paint_for(stream, no_color, environ).enabled is coloured


def test_paint_colours_or_leaves_alone() -> None:
    assert Paint(True)("ok", "green") == "\x1b[32mok\x1b[0m"
    assert Paint(False)("ok", "green") == "ok"
    assert Paint(True)("", "green") == ""


def test_what_a_terminal_would_obey_is_replaced() -> None:
    assert clean("model\x1b[31m\r\n\x07") == "model�[31m���"
    assert clean("größe 音声") == "größe 音声"


def test_text_is_cut_to_its_width() -> None:
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "ab…"


def test_columns_stand_below_each_other() -> None:
    assert columns([("a", "bb", "c"), ("aaa", "b", "")], "  ") == ["  a    bb  c", "  aaa  b"]
    assert columns([]) == []


def test_long_lines_are_wrapped_at_words() -> None:
    lines = wrapped("→ " + "word " * 20, 40, indent=4)
    assert len(lines) > 1
    assert all(len(line) <= 40 for line in lines)
    assert lines[0].startswith("    → word")
    assert lines[1].startswith("      word")
    assert wrapped("x" * 90, 40, indent=0) == ["x" * 90]
