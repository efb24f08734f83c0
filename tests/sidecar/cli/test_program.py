"""The command as a whole: what is imported, what help says, how it ends."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module

import click
import pytest
from click.testing import Result

from sidecar import __version__
from sidecar.cli.exits import MEANINGS, Exit
from sidecar.cli.program import COMMANDS, program
from tests.sidecar.cli.processes import Invoke, environment


def imported_by(*arguments: str, env: Mapping[str, str] | None = None) -> set[str]:
    """The modules that a process has imported by the time it has done *arguments*."""
    code = (
        "import sys, json, atexit\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        f"sys.argv = ['sidecar', *{arguments!r}]\n"
        "from sidecar.cli import main\n"
        "main()"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment(env or {}), capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_help_imports_click_and_next_to_nothing() -> None:
    modules = imported_by("--help")
    heavy = {"asyncio", "msgspec", "aiohttp", "yaml", "ssl", "http.client", "cryptography"}
    assert not modules & heavy
    assert {name for name in modules if name.startswith("sidecar")} == {
        "sidecar",
        "sidecar.cli",
        "sidecar.cli.exits",
        "sidecar.cli.program",
        "sidecar.errors",
    }


def test_the_server_is_started_without_the_other_commands() -> None:
    modules = imported_by("run", "--help")
    assert "sidecar.application" in modules
    commands = {entry.module for name, entry in COMMANDS.items() if name != "run"}
    assert not modules & commands
    assert not {name for name in modules if name.startswith(("sidecar.lab", "opentelemetry", "sidecar_"))}


def test_asking_a_sidecar_imports_no_server() -> None:
    modules = imported_by("tail", "--help")
    assert not {name for name in modules if name.startswith(("aiohttp", "uvloop", "sidecar.application"))}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_where_the_table_says(name: str) -> None:
    command = program.get_command(click.Context(program), name)
    assert command is not None
    assert command.name == name
    assert command.help
    assert hasattr(import_module(COMMANDS[name].module), name)


def test_help_lists_every_command_and_exit_code(invoke: Invoke) -> None:
    told = invoke("--help").stdout
    for name, entry in COMMANDS.items():
        assert f"{name:<9} {entry.help}" in told
    for code, meaning in MEANINGS.items():
        assert f"{code:d}  {meaning}" in told


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_both_ways_of_asking_for_help_work_everywhere(invoke: Invoke, flag: str) -> None:
    for name in COMMANDS:
        assert invoke(name, flag).exit_code == Exit.OK


def test_a_command_that_does_not_exist_is_a_usage_error_with_the_nearest_name(invoke: Invoke) -> None:
    wrong = invoke("tial")
    assert wrong.exit_code == Exit.USAGE
    assert "no command is called tial; did you mean tail?" in wrong.stderr
    assert "there are run, check" in invoke("zzz").stderr


def test_the_version_is_told_in_short_and_at_length(invoke: Invoke) -> None:
    assert invoke("--version").stdout == f"agent-sidecar {__version__}\n"
    assert f"agent-sidecar {__version__}\npython 3." in invoke("version").stdout
    told = json.loads(invoke("version", "-o", "json").stdout)
    assert told["agent-sidecar"] == __version__
    assert told["aiohttp"].startswith("3.")


def completed(invoke: Invoke, words: str, index: int) -> list[str]:
    variables = {"_SIDECAR_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(index)}
    result: Result = invoke(env=variables)
    return [line.partition(",")[2] for line in result.stdout.splitlines()]


def test_the_shell_completes_commands_and_options(invoke: Invoke) -> None:
    assert completed(invoke, "sidecar s", 1) == ["stacks", "schema", "status"]
    assert "--no-follow" in completed(invoke, "sidecar tail --no", 2)
    assert completed(invoke, "sidecar config s", 2) == ["schema", "show"]


def test_completing_a_commands_name_imports_no_command() -> None:
    variables = {"_SIDECAR_COMPLETE": "bash_complete", "COMP_WORDS": "sidecar ", "COMP_CWORD": "1"}
    assert not imported_by(env=variables) & {entry.module for entry in COMMANDS.values()}


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        command = [sys.executable, "-m", "sidecar", "schema"]
        done = subprocess.run(
            command, env=environment({}), stdout=writing, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (Exit.OK, "")
