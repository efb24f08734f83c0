"""How the list of checks is shown."""

from sidecar.cli.doctor.checked import Mark, Section, told
from sidecar.cli.legible import Paint

PLAIN, PAINTED = Paint(False), Paint(True)
SECTION, OTHER = Section("certificates"), Section("agent")


def test_sections_signs_and_hints_are_laid_out() -> None:
    checks = [
        SECTION.passed("the CA is good"),
        SECTION.failed("there is no bundle", "start it anew"),
        OTHER.warning("odd", "look"),
        OTHER.noted("by the way"),
    ]
    assert list(told(checks, PLAIN, 80)) == [
        "certificates",
        "√ the CA is good",
        "\N{MULTIPLICATION SIGN} there is no bundle",
        "    → start it anew",
        "",
        "agent",
        "‼ odd",
        "    → look",
        "· by the way",
        "",
        "1 failed, 1 warning",
    ]


def test_a_list_without_trouble_says_so() -> None:
    assert list(told([SECTION.passed("x"), SECTION.noted("y")], PLAIN, 80))[-1] == "all is well"
    assert list(told([SECTION.warning("x", "y"), SECTION.warning("x", "y")], PLAIN, 80))[-1] == "0 failed, 2 warnings"


def test_signs_are_coloured_and_text_is_clean() -> None:
    lines = list(told([SECTION.failed("bad\x1b[2J\nmore", "do\x1bthis")], PAINTED, 80))
    assert lines[1] == "\x1b[31m\N{MULTIPLICATION SIGN}\x1b[0m bad�[2J"
    assert lines[2] == "  more"
    assert "do�this" in lines[3]


def test_marks_are_words_for_programs() -> None:
    assert [mark.value for mark in Mark] == ["passed", "warning", "failed", "noted"]
