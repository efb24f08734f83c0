"""docs/cli.md says what the command line does."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sidecar.cli.exits import MEANINGS, Exit
from sidecar.cli.program import COMMANDS, of_plugins, program
from sidecar.cli.selection import FIELDS, Selection
from tests.sidecar.cli.calls import call
from tests.sidecar.cli.processes import Invoke

TEXT = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (sidecar [a-z ]+)\n(.*?)(?=^## |\Z)", TEXT, re.DOTALL | re.MULTILINE))
EXAMPLES = re.findall(r"^```console\n\$ (sidecar .*)\n((?:.*\n)*?)```", TEXT, re.MULTILINE)
FILE = re.search(r"mean this one:\n\n```yaml\n(.*?)```", TEXT, re.DOTALL)
#: Commands whose examples depend on nothing but their options and the file of the examples.
EXECUTED = ("check", "stacks", "plugins list", "config show")


def commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command by the words that call it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            yield (*path, name), child
            yield from commands(child, (*path, name))


ALL = dict(commands(program, ()))


def test_every_command_has_a_section_and_no_section_is_without_a_command() -> None:
    assert {" ".join(("sidecar", *path)) for path in ALL} - {"sidecar config"} == set(SECTIONS)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_option_is_documented_where_its_command_is(path: tuple[str, ...], invoke: Invoke) -> None:
    helped = invoke(*path, "--help")
    assert helped.exit_code == Exit.OK
    offered = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", helped.stdout.partition("Options:\n")[2].split("\n\n")[0]))
    names = {name for parameter in ALL[path].params for name in (*parameter.opts, *parameter.secondary_opts)}
    names = {name for name in names if name.startswith("-")}
    assert names <= offered
    section = SECTIONS.get(" ".join(("sidecar", *path)), "")
    table = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*(?=[ `])", "".join(re.findall(r"^\| (`.*?`) \|", section, re.M))))
    assert table == names


def test_every_command_is_in_the_table_at_the_top() -> None:
    listed = re.findall(r"^\| \[`([a-z ]+)`\]\(#([a-z-]+)\) \|", TEXT, re.MULTILINE)
    assert [name.split()[0] for name, _ in listed] == [*COMMANDS, *of_plugins()]
    for name, anchor in listed:
        assert f"## sidecar {name}\n" in TEXT
        assert anchor == f"sidecar-{name}".replace(" ", "-")


def test_every_exit_code_is_documented() -> None:
    for code, meaning in MEANINGS.items():
        assert f"| {code:d} | {meaning} |" in TEXT


def test_every_filter_is_documented_and_every_documented_filter_works() -> None:
    table = TEXT.partition("### Filters")[2].partition("\n## ")[0]
    shown = [code for row in re.findall(r"^\| (`.*?`) \|", table, re.M) for code in re.findall(r"`([^`]+)`", row)]
    assert FIELDS.keys() <= {re.split(r"[:<>=]", code)[0] for code in shown}
    for code in shown:
        assert Selection([code], ["cache"])(call()) in (True, False)


def test_every_environment_variable_of_an_option_is_documented() -> None:
    variables = {str(each.envvar) for command in ALL.values() for each in command.params if each.envvar}
    assert variables == {"SIDECAR_CONFIG", "SIDECAR_ADMIN"}
    for name in variables:
        assert f"| `{name}` |" in TEXT


@pytest.mark.parametrize("example", [command for command, _ in EXAMPLES])
def test_every_example_is_a_command_line_that_exists(example: str, invoke: Invoke) -> None:
    arguments = [word for word in shlex.split(example.partition(" > ")[0])[1:] if word != "|"]
    done = invoke(*arguments, "--help")
    assert done.exit_code == Exit.OK, done.output


def without_digests(text: str) -> str:
    return re.sub(r"digest [0-9a-f]{12}", "digest …", text)


@pytest.mark.parametrize(
    ("example", "shown"), [each for each in EXAMPLES if each[0].removeprefix("sidecar ").startswith(EXECUTED)]
)
def test_examples_show_what_really_comes(
    example: str, shown: str, invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FILE is not None
    (tmp_path / "sidecar.yaml").write_text(FILE[1])
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    done = invoke(*shlex.split(example)[1:])
    assert without_digests(done.stdout) == without_digests(shown)


def test_the_examples_cover_every_command() -> None:
    shown = {tuple(word for word in shlex.split(command)[1:3] if word.isalpha()) for command, _ in EXAMPLES}
    for path in ALL:
        if path not in (("config",), ("plugins",), ("config", "schema")):
            assert any(words[: len(path)] == path for words in shown), path
