"""`sidecar config show`: what is configured, where it comes from, and no secrets."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.cli.exits import Exit
from sidecar.cli.yaml_text import written
from sidecar.configuration import load
from sidecar.configuration.document import parsed, plain
from sidecar.configuration.problem import Source
from tests.sidecar.cli.processes import Invoke

SECRET = "sk-do-not-tell"

FILE = """
listen:
  limits: {header_size: 32KiB}
providers:
  openai: {credential: "${env:LAB_KEY}", timeouts: {connect: 1s}}
forward:
  connect_ports: [443, 8443]
plugins:
  - use: greeter
    config: {greeting: "hi: there", key: "${env:LAB_KEY}"}
"""
ENVIRON = {"LAB_KEY": SECRET, "SIDECAR__LOG__LEVEL": "debug"}


@pytest.fixture
def file(tmp_path: Path, greeter: Path) -> Path:
    path = tmp_path / "sidecar.yaml"
    path.write_text(FILE)
    return path


def test_what_is_given_is_shown_with_its_origin(invoke: Invoke, file: Path) -> None:
    done = invoke("config", "show", "-c", str(file), "--set", "journal.calls=7", env=ENVIRON)
    assert done.exit_code == Exit.OK, done.stderr
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert f"header_size: 32KiB # {file}:3:25" in lines
    assert f'credential: "${{env:LAB_KEY}}" # {file}:5:24' in lines
    assert "level: debug # SIDECAR__LOG__LEVEL" in lines
    assert "calls: 7 # --set" in lines
    assert f"connect_ports: [443, 8443] # {file}:7:18" in lines
    assert "tone: warm # default" in lines  # an entry of a list stands whole
    assert not any(line.startswith("admin") for line in lines)


def test_everything_is_shown_on_demand(invoke: Invoke, file: Path) -> None:
    told = invoke("config", "show", "--effective", "-c", str(file), env=ENVIRON).stdout
    lines = [" ".join(line.split()) for line in told.splitlines()]
    assert "url: https://api.openai.com # catalogue" in lines
    assert "address: 127.0.0.1:15088 # default" in lines
    assert "pause: 1s # default" in lines
    assert "calls: 3 # default" in lines


@pytest.mark.parametrize("options", [(), ("--effective",), ("-o", "json"), ("--effective", "-o", "json")])
def test_secrets_are_never_shown(invoke: Invoke, file: Path, options: tuple[str, ...]) -> None:
    done = invoke("config", "show", *options, "-c", str(file), env=ENVIRON)
    assert done.exit_code == Exit.OK
    assert SECRET not in done.output
    assert "${env:LAB_KEY}" in done.stdout


def test_a_secret_that_stands_in_the_file_is_refused_and_not_shown(invoke: Invoke, file: Path) -> None:
    file.write_text(FILE.replace('key: "${env:LAB_KEY}"', f"key: {SECRET}"))
    done = invoke("config", "show", "--effective", "-c", str(file), env=ENVIRON)
    assert done.exit_code == Exit.CONFIGURATION
    assert SECRET not in done.output


@pytest.mark.parametrize("options", [(), ("--effective",)])
def test_what_is_shown_is_itself_a_configuration_that_means_the_same(
    invoke: Invoke, file: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    shown = tmp_path / "shown.yaml"
    shown.write_text(invoke("config", "show", *options, "-c", str(file), env=ENVIRON).stdout)
    before, after = (load(path, ENVIRON) for path in (file, shown))
    assert load(shown, {"LAB_KEY": SECRET}).settings.log.level == "debug"
    for name in ("listen", "providers", "forward", "tls", "upstream", "log"):
        assert getattr(after.settings, name) == getattr(before.settings, name)
    assert after.settings.plugins[0].use == "greeter"
    own = after.settings.plugins[0].config
    assert own == {
        "greeting": "hi: there",
        "tone": "warm",
        "pause": "1s",
        "key": "${env:LAB_KEY}",
        "limits": {"calls": 3},
    }


def test_programs_get_values_origins_and_digest(invoke: Invoke, file: Path) -> None:
    told = json.loads(invoke("config", "show", "-c", str(file), "-o", "json", env=ENVIRON).stdout)
    assert told["values"]["log"] == {"level": "debug"}
    assert told["origins"]["log.level"] == "SIDECAR__LOG__LEVEL"
    assert told["origins"]["plugins[0].config.greeting"] == f"{file}:10:24"
    assert told["origins"]["plugins[0].config.limits.calls"] == "default"
    assert told["digest"] == load(file, ENVIRON).digest


def test_where_nothing_is_given_it_says_so(invoke: Invoke) -> None:
    told = invoke("config", "show", "--set", "plugins=[]").stdout
    assert "plugins: []" in told
    assert "nothing is given" not in told
    assert "# nothing is given, so the defaults hold" in invoke("config", "show").stdout


def test_what_is_only_missing_here_can_be_tolerated(invoke: Invoke, file: Path) -> None:
    assert invoke("config", "show", "-c", str(file)).exit_code == Exit.CONFIGURATION
    done = invoke("config", "show", "--allow-missing", "-c", str(file))
    assert done.exit_code == Exit.OK
    assert "${env:LAB_KEY}" in done.stdout


def test_what_is_missing_here_is_shown_as_it_is_written_and_changes_no_digest(invoke: Invoke, tmp_path: Path) -> None:
    file, ca = tmp_path / "sidecar.yaml", tmp_path / "ca.pem"
    ca.touch()
    file.write_text('tls: {extra_ca_files: ["${env:CA}", "${env:CA}"], directory: "${env:TLS}"}\nplugins: []\n')
    options = ("config", "show", "--allow-missing", "-c", str(file), "-o", "json")
    without, present = (json.loads(invoke(*options, env=env).stdout) for env in ({}, {"CA": str(ca), "TLS": "/tls"}))
    assert without == present
    assert without["values"]["tls"] == {"extra_ca_files": ["${env:CA}", "${env:CA}"], "directory": "${env:TLS}"}


LEAVES = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text(st.characters(codec="utf-8"), max_size=12)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029"), min_size=1, max_size=8)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, VALUES, max_size=4))
@settings(max_examples=200, deadline=None)
def test_what_is_written_is_read_as_the_same(values: dict[str, Any]) -> None:
    comments = dict.fromkeys(values, "somewhere")
    found: list[Any] = []
    node = parsed(Source("written", written(values, comments)), found.append)
    assert not found
    assert ({} if node is None else plain(node)) == values


@pytest.mark.parametrize("text", ["no", "012", "1:30", "1e3", "0o14", "~", "", "null", "- a", "a: b", "# c", "'", "é"])
def test_texts_that_yaml_would_take_for_something_else_are_quoted(text: str) -> None:
    node = parsed(Source("written", written({"key": text}, {})), lambda finding: pytest.fail(str(finding)))
    assert node is not None
    assert plain(node) == {"key": text}


def test_a_list_within_a_list_keeps_its_shape() -> None:
    values = {"a": [[1, 2], [{"b": [3]}], []], "c": [{"d": {}, "e": [{"f": 1}]}]}
    node = parsed(Source("written", written(values, {})), lambda finding: pytest.fail(str(finding)))
    assert node is not None
    assert plain(node) == values
