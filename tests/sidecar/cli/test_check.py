"""`sidecar check`: everything that is wrong, at once."""

import json
from pathlib import Path

import pytest

from sidecar.cli.exits import Exit
from tests.sidecar.cli.processes import Invoke

NO_PLUGINS = ("--set", "plugins=[]")

BROKEN = """
listen:
  adress: 127.0.0.1:1
plugins:
  - use: greeter
    config: {tone: hot}
  - use: nobody
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sidecar.yaml"


def test_a_good_configuration_is_summed_up(invoke: Invoke, file: Path) -> None:
    file.write_text(
        "plugins: []\nproviders:\n  openai: {port: 15081}\n  mine: {url: http://mine.internal:8000, dialect: openai}\n"
    )
    done = invoke("check", "-c", str(file))
    assert done.exit_code == Exit.OK
    first, listens, providers, plugins = done.stdout.splitlines()
    assert first.startswith(f"ok: {file}, digest ")
    assert (
        listens == "  listens    proxy 127.0.0.1:15080, admin 127.0.0.1:15088, probes 0.0.0.0:15089, "
        "openai on port 15081"
    )
    assert providers.endswith("of which configured here: openai, mine")
    assert plugins == "  plugins    none"


def test_the_defaults_are_checked_where_no_file_is_named(invoke: Invoke) -> None:
    assert "ok: the defaults, digest" in invoke("check", *NO_PLUGINS).stdout


def test_the_environment_names_the_file_and_the_option_holds_before_it(invoke: Invoke, file: Path) -> None:
    file.write_text("plugins: []")
    assert f"ok: {file}" in invoke("check", env={"SIDECAR_CONFIG": str(file)}).stdout
    other = invoke("check", "-c", str(file), env={"SIDECAR_CONFIG": "/nowhere.yaml"})
    assert other.exit_code == Exit.OK


def test_problems_of_the_file_and_of_plugins_come_together(invoke: Invoke, file: Path, greeter: Path) -> None:
    file.write_text(BROKEN.replace("  - use: nobody\n", ""))
    done = invoke("check", "-c", str(file))
    assert done.exit_code == Exit.CONFIGURATION
    assert done.stdout.startswith("3 problems in the configuration\n")
    assert f"{file}:3:3: listen.adress: is not a setting" in done.stdout
    assert f"{file}:6:14: plugins[0].config.tone" in done.stdout or "plugins[0].config.tone" in done.stdout
    assert "plugins[0].config.greeting: is missing" in done.stdout


def test_every_plugin_that_cannot_be_used_is_named(invoke: Invoke, file: Path, greeter: Path) -> None:
    file.write_text(BROKEN.replace("listen:\n  adress: 127.0.0.1:1\n", ""))
    told = invoke("check", "-c", str(file)).stdout
    assert 'plugins[1].use: nothing installed is named "nobody"' in told
    assert "plugins[0].config.greeting" in told


def test_a_file_that_is_no_yaml_or_not_there_is_a_problem_too(invoke: Invoke, file: Path) -> None:
    assert "there is no such file" in invoke("check", "-c", str(file)).stdout
    file.write_text("listen: [")
    assert invoke("check", "-c", str(file)).exit_code == Exit.CONFIGURATION


WARNED = """
plugins: []
listen: {address: "0.0.0.0:15080", allow_remote: true}
providers: {openai: {credential: "${env:LAB_KEY}"}}
"""


def test_warnings_are_told_and_fail_only_when_strict(invoke: Invoke, file: Path) -> None:
    file.write_text(WARNED)
    lenient = invoke("check", "-c", str(file), env={"LAB_KEY": "k"})
    assert lenient.exit_code == Exit.OK
    assert "warning: listen.address" in lenient.stdout
    assert "ok:" in lenient.stdout
    strict = invoke("check", "--strict", "-c", str(file), env={"LAB_KEY": "k"})
    assert strict.exit_code == Exit.CONFIGURATION
    assert "ok:" not in strict.stdout


SECRETS = """
providers: {openai: {credential: "${env:LAB_KEY}"}}
plugins:
  - use: greeter
    config: {greeting: hello, key: "${file:/run/secrets/none}"}
"""


def test_secrets_that_are_only_missing_here_can_be_tolerated(invoke: Invoke, file: Path, greeter: Path) -> None:
    file.write_text(SECRETS)
    plain = invoke("check", "-c", str(file))
    assert plain.exit_code == Exit.CONFIGURATION
    assert "2 problems" in plain.stdout
    tolerant = invoke("check", "--allow-missing", "--strict", "-c", str(file))
    assert tolerant.exit_code == Exit.OK
    assert "not looked at: 2 references to what is not here" in tolerant.stdout


def test_tolerance_ends_at_what_is_wrong_anywhere(invoke: Invoke, file: Path, greeter: Path) -> None:
    file.write_text(SECRETS.replace("greeting: hello", "greeting: hello, tone: hot"))
    done = invoke("check", "--allow-missing", "-c", str(file))
    assert done.exit_code == Exit.CONFIGURATION
    assert "1 problem in the configuration" in done.stdout
    assert "tone" in done.stdout


def test_programs_get_the_problems_as_data(invoke: Invoke, file: Path, greeter: Path) -> None:
    file.write_text(BROKEN)
    told = json.loads(invoke("check", "-c", str(file), "-o", "json").stdout)
    assert told["valid"] is False
    assert told["file"] == str(file)
    first = told["problems"][0]
    assert (first["line"], first["column"], first["path"], first["severity"]) == (3, 3, "listen.adress", "error")
    good = json.loads(invoke("check", *NO_PLUGINS, "-o", "json").stdout)
    assert (good["valid"], good["problems"]) == (True, [])
    assert len(good["digest"]) == 12


def test_stacks_shows_the_way_of_a_call(invoke: Invoke, greeter: Path) -> None:
    options = ("--set", "plugins=[{use: greeter, operations: [chat], config: {greeting: hi}}]")
    done = invoke("stacks", *options)
    assert done.exit_code == Exit.OK, done.stderr
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert lines["chat"] == "greeter › (dispatch) › (upstream)"
    assert lines["tts"] == "(dispatch) › (upstream)"
    assert json.loads(invoke("stacks", *options, "-o", "json").stdout) == lines


def test_stacks_of_an_invalid_configuration_are_not_shown(invoke: Invoke) -> None:
    done = invoke("stacks", "--set", "plugins=[{use: nobody}]")
    assert (done.exit_code, done.stdout) == (Exit.CONFIGURATION, "")
    assert 'nothing installed is named "nobody"' in done.stderr
