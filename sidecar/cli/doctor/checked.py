"""What a check says. No I/O."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

from msgspec import Struct

from sidecar.cli.legible import Paint, clean, wrapped


class Mark(StrEnum):
    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    NOTED = "noted"
    """Good to know; nothing was to be decided."""


_SIGNS = {Mark.PASSED: "√", Mark.WARNING: "‼", Mark.FAILED: "\N{MULTIPLICATION SIGN}", Mark.NOTED: "·"}
_COLOURS = {Mark.PASSED: "green", Mark.WARNING: "yellow", Mark.FAILED: "red", Mark.NOTED: None}


class Checked(Struct, frozen=True, kw_only=True):
    """One line of the list."""

    section: str
    mark: Mark
    message: str
    """What is so."""
    hint: str = ""
    """What to do about it; of those that failed or warn."""


class Section(Struct, frozen=True):
    """Makes the lines of one section."""

    name: str

    def passed(self, message: str) -> Checked:
        return Checked(section=self.name, mark=Mark.PASSED, message=message)

    def noted(self, message: str) -> Checked:
        return Checked(section=self.name, mark=Mark.NOTED, message=message)

    def warning(self, message: str, hint: str) -> Checked:
        return Checked(section=self.name, mark=Mark.WARNING, message=message, hint=hint)

    def failed(self, message: str, hint: str) -> Checked:
        return Checked(section=self.name, mark=Mark.FAILED, message=message, hint=hint)


def told(checks: Iterable[Checked], paint: Paint, width: int) -> Iterator[str]:
    """The list for people, section by section, with a count at its end."""
    section, counts = "", dict.fromkeys(Mark, 0)
    for check in checks:
        if check.section != section:
            if section:
                yield ""
            section = check.section
            yield paint(section, bold=True)
        counts[check.mark] += 1
        head, *more = _laid_out(check.message, width - 2)
        yield f"{paint(_SIGNS[check.mark], _COLOURS[check.mark])} {head}"
        yield from (f"  {line}" for line in more)
        if check.hint:
            yield from wrapped(f"→ {clean(check.hint)}", width, indent=4)
    yield ""
    failed, warned = counts[Mark.FAILED], counts[Mark.WARNING]
    verdict = f"{failed} failed, {warned} warning{'s' * (warned != 1)}" if failed or warned else "all is well"
    yield paint(verdict, "red" if failed else "yellow" if warned else "green", bold=True)


def _laid_out(message: str, width: int) -> list[str]:
    """Lines of at most *width*; one that is set in, such as part of a file, stays as it is."""
    lines: list[str] = []
    for line in map(clean, message.splitlines()):
        lines += [line] if line.startswith(" ") else wrapped(line, width, indent=0)
    return lines
