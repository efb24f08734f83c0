"""Each way to get a configuration wrong, and what is said about it, to the letter: see ``cases.txt``."""

from pathlib import Path

import msgspec
import pytest
from _pytest.mark import ParameterSet

from sidecar.configuration import InvalidConfiguration, Problem, load

ENVIRONMENT = {"KEY": "k-1", "NOTHING": "", "SPACED": "k 1 tip-top", "NUMBER": "12"}
SECRETS = ("sk-live", "0123456789", "9876543210", "tip-top")


def cases() -> list[ParameterSet]:
    text = Path(__file__).with_name("cases.txt").read_text(encoding="utf-8")
    parameters = []
    for case in text.removeprefix("### ").split("\n### "):
        title, _, rest = case.partition("\n")
        given, _, expected = rest.partition("-----\n")
        parameters.append(pytest.param(given, expected.strip("\n"), id=title))
    return parameters


@pytest.mark.parametrize(("given", "expected"), cases())
def test_what_is_said_about(given: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = given.splitlines(keepends=True)
    variables = dict(line[2:].rstrip("\n").split("=", 1) for line in lines if line.startswith("$ "))
    options = [line.removeprefix("--set ").rstrip("\n") for line in lines if line.startswith("--set ")]
    text = "".join(line for line in lines if not line.startswith(("$ ", "--set ")))
    monkeypatch.chdir(tmp_path)
    Path("sidecar.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InvalidConfiguration) as raised:
        load("sidecar.yaml", {**ENVIRONMENT, **variables}, options)
    shown = str(raised.value)
    assert "\n".join(map(str, raised.value.problems)) == expected
    assert not any(secret in shown or secret in repr(raised.value.problems) for secret in SECRETS)


def test_problems_are_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sidecar.yaml").write_text("log:\n  level: wrong\n", encoding="utf-8")
    with pytest.raises(InvalidConfiguration) as raised:
        load("sidecar.yaml")
    (problem,) = raised.value.problems
    assert msgspec.json.decode(msgspec.json.encode(problem), type=Problem) == problem
    assert (problem.file, problem.line, problem.column, problem.path) == ("sidecar.yaml", 2, 10, "log.level")


def test_of_very_many_problems_the_first_hundred_are_shown(tmp_path: Path) -> None:
    path = tmp_path / "sidecar.yaml"
    path.write_text("".join(f"key{number}: 1\n" for number in range(150)), encoding="utf-8")
    with pytest.raises(
        InvalidConfiguration, match=r"(?s)^150 problems in the configuration\n.*\n… and 50 more$"
    ) as raised:
        load(path)
    assert len(raised.value.problems) == 150
