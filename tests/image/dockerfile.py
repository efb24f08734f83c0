"""What a Dockerfile says, as values. What ours does not use is refused, so that nothing is passed over."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from msgspec import Struct

#: What is executed, and what only describes the image.
EXECUTED: Final = frozenset({"ARG", "FROM", "ENV", "WORKDIR", "COPY", "RUN"})
DESCRIBING: Final = frozenset({"LABEL", "USER", "EXPOSE", "ENTRYPOINT", "CMD"})
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class Unknown(Exception):
    """Something that is not understood, and where."""


class Instruction(Struct, frozen=True):
    name: str
    options: Mapping[str, str]
    """``--from=build`` and the like, without the hyphens."""
    rest: str
    line: int


class Stage(Struct, frozen=True):
    name: str
    base: str
    instructions: tuple[Instruction, ...]

    def words(self, name: str) -> list[str]:
        """What the last instruction *name* has, be it a JSON list or not; empty for none."""
        found = [each.rest for each in self.instructions if each.name == name]
        if not found:
            return []
        words: list[str] = json.loads(found[-1]) if found[-1].startswith("[") else found[-1].split()
        return words

    def pairs(self, name: str) -> dict[str, str]:
        """``ENV`` or ``LABEL``: names and values."""
        given = (word for each in self.instructions if each.name == name for word in shlex.split(each.rest))
        return dict(word.split("=", 1) for word in given)


class Recipe(Struct, frozen=True):
    """A Dockerfile with its variables put in: but those of RUN, which are the shell's."""

    stages: tuple[Stage, ...]

    def named(self, name: str) -> Stage:
        (found,) = (stage for stage in self.stages if stage.name == name)
        return found


def recipe(text: str, arguments: Mapping[str, str]) -> Recipe:
    """The Dockerfile *text* with the build's *arguments* in place of the defaults.

    Raises:
        Unknown: it has something that is not understood.
    """
    stages: list[Stage] = []
    before: dict[str, str] = {}  # arguments that stand before the first FROM are for all of these
    known: dict[str, str] = {}
    for each in _instructions(text):
        each = _put_in(each, known if stages else before)
        if each.name == "FROM":
            base, *named = each.rest.split()
            stages.append(Stage(named[-1] if named else str(len(stages)), base, ()))
            known = {}
        elif not stages:
            before |= _argument(each, arguments)
        else:
            if each.name == "ARG":
                known |= (value := _argument(each, {**before, **arguments}))
                each = Instruction("ARG", {}, "=".join(*value.items()), each.line)
            last = stages.pop()
            stages.append(Stage(last.name, last.base, (*last.instructions, each)))
    return Recipe(tuple(stages))


def defaults(text: str) -> dict[str, str]:
    """The arguments that the build can be given, and what they are if it is not."""
    return dict(_pair(each) for each in _instructions(text) if each.name == "ARG")


def _argument(each: Instruction, given: Mapping[str, str]) -> dict[str, str]:
    if each.name != "ARG":
        raise Unknown(f"line {each.line}: {each.name} before the first FROM")
    name, default = _pair(each)
    return {name: given.get(name, default)}


def _pair(each: Instruction) -> tuple[str, str]:
    name, _, default = each.rest.partition("=")
    return name, default


def _put_in(each: Instruction, values: Mapping[str, str]) -> Instruction:
    if each.name == "RUN":
        return each

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in values:
            raise Unknown(f"line {each.line}: ${name} has no ARG before it")
        return values[name]

    return Instruction(each.name, each.options, _VARIABLE.sub(value, each.rest), each.line)


def _instructions(text: str) -> Iterator[Instruction]:
    for number, line in _joined(text.splitlines()):
        name, _, rest = line.partition(" ")
        if name not in EXECUTED | DESCRIBING:
            raise Unknown(f"line {number}: {name} is not known here")
        options = {}
        while (match := re.match(r"--(\w+)=(\S+)\s+", rest := rest.strip())) is not None:
            options[match[1]] = match[2]
            rest = rest[match.end() :]
        if rest.startswith(("--", "<<")):
            raise Unknown(f"line {number}: {rest.split()[0]} is not known here")
        yield Instruction(name, options, rest, number)


def _joined(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Lines as if those that end in a backslash did not, without comments; with the number of the first."""
    begun, parts = 0, list[str]()
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        begun = begun if parts else number
        parts.append(line.rstrip().removesuffix("\\").strip())
        if not line.rstrip().endswith("\\"):
            yield begun, " ".join(parts)
            parts = []
    if parts:
        raise Unknown(f"line {begun}: ends in a backslash")


def ignored(path: str, patterns: str) -> bool:
    """Whether .dockerignore's *patterns* keep *path* from the build: of those that fit, the last decides."""
    verdict = False
    here = PurePosixPath(path)
    for line in patterns.splitlines():
        if not (line := line.strip()) or line.startswith("#"):
            continue
        expression = _expression(line.removeprefix("!"))
        if any(expression.fullmatch(str(each)) for each in (here, *here.parents)):
            verdict = not line.startswith("!")
    return verdict


def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.strip("/"))
    meanings = {"**/": r"(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meanings.get(part) or re.escape(part) for part in parts))
