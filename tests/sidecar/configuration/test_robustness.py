"""Whatever is in a file, loading it ends in a configuration or in problems that have their places in it."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sidecar.configuration import Configuration, InvalidConfiguration, load
from sidecar.configuration.document import parsed
from sidecar.configuration.problem import LINE_BREAK, Finding, Source

DEFAULT = (Path(__file__).parents[3] / "config" / "sidecar.yaml").read_text(encoding="utf-8")
BARE = re.sub(r"(?m)^ *#.*\n", "", DEFAULT)
SNIPPETS = (
    "[",
    "]",
    "{",
    "}",
    ":",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\t",
    "#",
    "'",
    '"',
    "|",
    ">",
    "&a ",
    "*a",
    "<<: ",
    "!",
    "!!str ",
    "---\n",
    "...\n",
    "%",
    "@",
    "`",
    "\\",
    ",",
    "?",
    "? ",
    "~",
    "null",
    "no",
    "1:30",
    "012",
    "1e3",
    ".nan",
    "${env:A}",
    "${file:/}",
    "${",
    "$${",
    "é",
    "\u2028",
    "\x85",
    "\r",
    "\x00",
    "\ufeff",
    "\U0001f600",
    "-1",
    "9" * 5000,
    "0s",
    "5 s",
)
YAML_LIKE = st.lists(st.sampled_from(SNIPPETS) | st.sampled_from(BARE.split("\n")) | st.text(max_size=5)).map("".join)
QUIET = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def spoiled(draw: st.DrawFn) -> str:
    """The default file with some of it cut out and something put in."""
    text = BARE
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        text = text[:start] + draw(st.sampled_from(SNIPPETS) | st.text(max_size=5)) + text[end:]
    return text


def loaded(path: Path, environ: dict[str, str] | None) -> Configuration | InvalidConfiguration:
    try:
        return load(path, environ)
    except InvalidConfiguration as error:
        return error


def check(text: str, path: Path, environ: dict[str, str] | None = None) -> None:
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    lines = LINE_BREAK.split(text.removeprefix("\ufeff"))
    outcome = loaded(path, environ)
    if isinstance(outcome, Configuration):
        assert set(outcome.effective) == set(load().effective)
        assert outcome.provenance
        assert len(outcome.digest) == 12
        return
    assert outcome.problems
    for problem in outcome.problems:
        assert problem.message
        if problem.file == str(path) and problem.line:
            assert 1 <= problem.line <= len(lines)
            assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
            assert (problem.caret == 0) == (len(lines[problem.line - 1]) > 2000)
            assert problem.caret <= len(problem.excerpt) + 1


@QUIET
@given(text=st.text(alphabet=st.characters()))
def test_any_text(text: str, tmp_path: Path) -> None:
    check(text, tmp_path / "sidecar.yaml")


@QUIET
@given(text=YAML_LIKE)
@example(text="a: &a\n  b: &b [*a]")
@example(text="? ")
@example(text="{: }")
@example(text="providers: {? : {}}")
@example(text="providers: {'': {}}")
@example(text="plugins: [{use: cache, config: {1: 2, [a]: b}}]")
@example(text="a: " + "9" * 5000)
def test_text_that_looks_like_yaml(text: str, tmp_path: Path) -> None:
    check(text, tmp_path / "sidecar.yaml")


@QUIET
@given(text=spoiled())
def test_a_spoiled_default(text: str, tmp_path: Path) -> None:
    check(text, tmp_path / "sidecar.yaml")


@QUIET
@given(
    path=st.lists(st.sampled_from(("LISTEN", "ADDRESS", "PLUGINS", "CACHE", "PROVIDERS", "OPENAI", "", "[0]", "X"))),
    value=st.text(alphabet=st.characters()) | YAML_LIKE,
)
def test_any_variable(path: list[str], value: str, tmp_path: Path) -> None:
    check("", tmp_path / "sidecar.yaml", {f"SIDECAR__{'__'.join(path)}": value})


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "- " * 100_000, "{a: " * 100_000, "[" * 100_000 + "]" * 100_000, "a: &a [" + "&b [" * 5000],
    ids=["lists", "block lists", "mappings", "closed lists", "anchors"],
)
def test_deep_nesting_does_not_end_the_process(text: str, tmp_path: Path) -> None:
    path = tmp_path / "sidecar.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidConfiguration, match="is nested more than 32 levels deep"):
        load(path)


def test_aliases_of_aliases_do_not_fill_the_memory() -> None:
    levels = "\n".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 10))
    findings: list[Finding] = []
    assert parsed(Source("c.yaml", f"l0: &l0 [{', '.join('1' * 10)}]\n{levels}"), findings.append) is None
    assert [finding.message for finding in findings] == ["there are more than 20000 values"]
