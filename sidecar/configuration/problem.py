"""What is wrong with a configuration, where it stands, and how that is shown.

A `Source` is a text that values come from: the file, a variable of the environment, an option of the command line. A
`Problem` is plain data, and says to a person::

    sidecar.yaml:3:12: listen.address: "localhost" has no port; expected an IP address and a port, such as …
      3 |   address: localhost
        |            ^
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Struct

from sidecar.errors import ConfigurationError

if TYPE_CHECKING:
    from sidecar.configuration.inforce import Configuration

#: What YAML 1.1 takes for the end of a line.
LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")

_WIDTH = 100
_HIDDEN = "…"
_LONGEST_LINE = 2000
_MOST_SHOWN = 100

# What stands behind such a key is not shown, wherever it is: it may be misplaced or in a file that cannot be parsed at
# all, so that nobody knows that a secret is meant.
_SECRET_KEY = r"""(?:credential|secret|token|password|passwd|api[_-]?key|authorization)[\w.-]*["']?\s*[:=]\s*"""
_NO_REFERENCE = r"""(?!["']?\$\{)"""
_USER = r"://(?P<value>[^/@\s\"']+)@"
_CONFIDENTIAL = rf"""(?i){_SECRET_KEY}{_NO_REFERENCE}(?P<value>"[^"]*"|'[^']*'|[^\s,}}\]][^,}}\]]*)"""
_CONFIDENTIAL_UNPARSED = rf"""(?i){_SECRET_KEY}{_NO_REFERENCE}(?P<value>\S.*)"""


class Source:
    """A text with a name. ``prefix`` is what stands before it where it is no file: ``SIDECAR__LISTEN__ADDRESS=``."""

    def __init__(self, name: str, text: str = "", prefix: str = "") -> None:
        self.name = name
        self.text = text
        self.prefix = prefix

    @cached_property
    def lines(self) -> list[str]:
        return LINE_BREAK.split(self.text)


#: Where values come from that nothing else gives.
DEFAULTS = Source("default")


class Place(Struct, frozen=True, eq=False):
    """A position in a source. Both counts begin at 1; line 0 stands for the source as a whole."""

    source: Source
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        source = self.source
        return source.name if not self.line or source.prefix else f"{source.name}:{self.line}:{self.column}"


class Span(Struct, frozen=True, eq=False):
    """From one position to another, which does not belong to it."""

    start: Place
    end: Place


class Finding(Struct, frozen=True, eq=False, kw_only=True):
    """A problem while others are still looked for."""

    place: Place
    path: str
    message: str
    hint: str = ""
    severity: str = "error"
    hides: tuple[Span, ...] = ()
    """What no excerpt may show because of it."""
    unparsed: bool = False
    """Whether the source makes no sense as a whole, so that it is not known where values end."""
    missing: bool = False

    def problem(self, secrets: Iterable[Span]) -> "Problem":
        """The problem, with an excerpt that shows none of *secrets* of its line."""
        place = self.place
        in_file = place.line > 0 and not place.source.prefix
        excerpt, caret = _excerpt(place, secrets, _CONFIDENTIAL_UNPARSED if self.unparsed else _CONFIDENTIAL)
        return Problem(
            file=place.source.name,
            line=place.line if in_file else 0,
            column=place.column if in_file else 0,
            path=self.path,
            message=self.message,
            hint=self.hint,
            severity=self.severity,
            missing=self.missing,
            excerpt=excerpt,
            caret=caret,
        )


class Problem(Struct, frozen=True, kw_only=True):
    """One thing that is wrong. Lines and columns count from 1; 0 where there is no such position."""

    file: str
    """The file, or what else the value came from: the name of a variable, ``--set``."""
    line: int = 0
    column: int = 0
    path: str = ""
    """Which setting: ``plugins[1].config.ttl``."""
    message: str
    """What is wrong, and what is expected."""
    hint: str = ""
    """What to do about it."""
    severity: str = "error"
    """error, or warning: it works, but hardly as wanted."""
    missing: bool = False
    """Whether all that is wrong is that a variable or a file is not here; it may be where the sidecar will run."""
    excerpt: str = ""
    """The line in question, without what is or may be secret."""
    caret: int = 0
    """Where in *excerpt* the trouble is, from 1; 0 without an excerpt."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        severity = "" if self.severity == "error" else self.severity
        head = ": ".join(part for part in (place, severity, self.path, self.message) if part)
        if self.hint:
            head = f"{head}; {self.hint}"
        if not self.caret:
            return head
        number = str(self.line or "")
        return f"{head}\n  {number} | {self.excerpt}\n  {' ' * len(number)} | {' ' * (self.caret - 1)}^"


class InvalidConfiguration(ConfigurationError):
    """``problems`` are all that were found; ``str()`` shows them, or the first hundred."""

    def __init__(self, problems: Sequence[Problem], configuration: "Configuration | None" = None) -> None:
        super().__init__(rendered(problems))
        self.problems = tuple(problems)
        self.configuration = configuration
        """With the default for what is wrong, for who looks for more that is; None if there is nothing to look at."""


def ordered(findings: Sequence[Finding]) -> tuple[Problem, ...]:
    """The problems in the order of the file, then those of variables and options; each once."""
    secrets: dict[tuple[Source, int], list[Span]] = defaultdict(list)
    for finding in findings:
        for span in finding.hides:
            for line in range(span.start.line, span.end.line + 1):
                secrets[span.start.source, line].append(span)

    def position(finding: Finding) -> tuple[bool, str, int, int]:
        place = finding.place
        return bool(place.source.prefix), place.source.name, place.line, place.column

    found = sorted(findings, key=position)
    return tuple(dict.fromkeys(each.problem(secrets.get((each.place.source, each.place.line), ())) for each in found))


def without_user(text: str) -> str:
    """*text* with what stands before the host of a URL hidden: it may be a password."""
    return re.sub(_USER, f"://{_HIDDEN}@", text)


def rendered(problems: Sequence[Problem]) -> str:
    """All problems, for people to read, their number first."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    left_out = [f"… and {len(problems) - _MOST_SHOWN} more"] if len(problems) > _MOST_SHOWN else []
    return "\n".join((f"{count} in the configuration", *map(str, problems[:_MOST_SHOWN]), *left_out))


def _excerpt(place: Place, secrets: Iterable[Span], confidential: str) -> tuple[str, int]:
    """The line at *place* and where in it the caret belongs, from 1; 0 if there is no line to show."""
    if not place.line:
        return "", 0
    source = place.source
    line = source.lines[place.line - 1]
    prefix = source.prefix if place.line == 1 else ""
    if len(prefix) + len(line) > _LONGEST_LINE:
        return "", 0  # nobody reads that, and looking for secrets in it takes its time
    hidden = [_on_line(span, place, len(line)) for span in secrets]
    ranges = [(start + len(prefix), end + len(prefix)) for start, end in hidden if start < end]
    caret = place.column - 1 + len(prefix)
    line = prefix + line
    ranges += [matched.span("value") for found in (confidential, _USER) for matched in re.finditer(found, line)]
    # from the right, so that what is still to come keeps its place
    for start, end in reversed(_united(ranges)):
        line = line[:start] + _HIDDEN + line[end:]
        if caret >= start:
            caret = start if caret < end else caret - (end - start) + len(_HIDDEN)
    line = "".join(character if character.isprintable() else " " for character in line.rstrip())
    return _windowed(line, min(caret, len(line)))


def _united(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The ranges in order, those that overlap made one."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if united and start <= united[-1][1]:
            united[-1] = united[-1][0], max(end, united[-1][1])
        else:
            united.append((start, end))
    return united


def _on_line(span: Span, place: Place, length: int) -> tuple[int, int]:
    """The part of *span* on the line of *place*, as indices; an empty one if there is none."""
    start, end = span.start, span.end
    if start.source is not place.source or not start.line <= place.line <= end.line:
        return 0, 0
    return start.column - 1 if start.line == place.line else 0, end.column - 1 if end.line == place.line else length


def _windowed(line: str, caret: int) -> tuple[str, int]:
    if len(line) <= _WIDTH:
        return line, caret + 1
    start = max(0, min(caret - _WIDTH // 2, len(line) - _WIDTH))
    end = start + _WIDTH
    shown = (_HIDDEN if start else "") + line[start:end] + (_HIDDEN if end < len(line) else "")
    return shown, caret - start + (1 if start else 0) + 1
