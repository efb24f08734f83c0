"""`sidecar plugins` and `sidecar schema`: what is installed, and what there is to configure."""

import json
from pathlib import Path

from sidecar.cli.exits import Exit
from tests.sidecar.cli.processes import Invoke

TWICE = ("--set", "plugins=[{use: greeter, config: {greeting: hi}}, {use: greeter, name: second}, {use: nobody}]")


def test_installed_plugins_are_listed_with_where_they_come_from(invoke: Invoke, greeter: Path) -> None:
    done = invoke("plugins", "list", *TWICE)
    assert done.exit_code == Exit.OK, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert rows[0] == ["NAME", "ENABLED", "FROM", "CODE"]
    assert ["greeter", "as", "greeter,", "second", "agent-greeter", "1.2", "agent_greeter:Greeter"] in rows
    assert ["nobody", "yes", "not", "installed", "-"] in rows
    assert next(row for row in rows if row[0] == "cache")[1] == "no"


def test_listing_is_what_plugins_does_by_itself(invoke: Invoke, greeter: Path) -> None:
    assert invoke("plugins", *TWICE).stdout == invoke("plugins", "list", *TWICE).stdout
    assert invoke("plugins", *TWICE, "-o", "json").exit_code == Exit.OK


def test_listing_imports_no_plugin(invoke: Invoke, greeter: Path) -> None:
    (greeter / "agent_greeter.py").write_text("raise RuntimeError('imported')")
    told = json.loads(invoke("plugins", "list", *TWICE, "-o", "json").stdout)
    entry = next(each for each in told if each["name"] == "greeter")
    assert entry == {
        "name": "greeter",
        "distribution": "agent-greeter 1.2",
        "code": "agent_greeter:Greeter",
        "enabled_as": ["greeter", "second"],
    }


def test_what_is_only_missing_here_does_not_stop_the_list(invoke: Invoke) -> None:
    done = invoke("plugins", "--set", "providers.openai.credential=${env:NOT_HERE}")
    assert done.exit_code == Exit.OK


def test_an_invalid_configuration_does(invoke: Invoke) -> None:
    done = invoke("plugins", "--set", "listen.adress=1")
    assert done.exit_code == Exit.CONFIGURATION
    assert "listen.adress: is not a setting" in done.stderr


def test_one_plugin_is_shown_with_every_setting(invoke: Invoke, greeter: Path) -> None:
    done = invoke("plugins", "info", "greeter", "--set", "plugins=[]")
    assert done.exit_code == Exit.OK, done.stderr
    told = done.stdout
    assert "from     agent-greeter 1.2" in told
    assert f"agent_greeter:Greeter  ({greeter / 'agent_greeter.py'})" in told
    assert "enabled  no; add it under plugins: as  - use: greeter" in told
    assert "hooks    around_exchange" in told
    assert "its layers stand around WebSockets too" in told
    assert "  Greets every call.\n\n  And means it." in told
    assert "  greeting: text (required)\n      What is said." in told
    assert '  tone: one of cool, warm (default "warm")' in told
    assert '  pause: a duration with a unit, such as 300ms, 5s, 2m or 1h30m (default "1s")' in told
    assert "  key: ${env:NAME} or ${file:/path}, or null (default null)" in told
    assert "  limits.calls: a whole number of at least 1 (default 3)\n      How many calls are greeted." in told


def test_one_plugin_is_shown_to_programs(invoke: Invoke, greeter: Path) -> None:
    told = json.loads(invoke("plugins", "info", "greeter", *TWICE, "-o", "json").stdout)
    assert told["enabled_as"] == ["greeter", "second"]
    assert told["hooks"] == ["around_exchange"]
    assert told["keys"][2] == {
        "path": "pause",
        "expected": "a duration with a unit, such as 300ms, 5s, 2m or 1h30m",
        "required": False,
        "default": "1s",
        "description": "Before it is said.",
    }


def test_a_plugin_that_is_not_there_or_broken_is_a_no(invoke: Invoke, greeter: Path) -> None:
    unknown = invoke("plugins", "info", "greter")
    assert unknown.exit_code == Exit.NO
    assert 'nothing installed is named "greter"; did you mean "greeter"?' in unknown.stderr
    (greeter / "agent_greeter.py").write_text("raise RuntimeError('broken')")
    broken = invoke("plugins", "info", "greeter")
    assert broken.exit_code == Exit.NO
    assert "cannot be imported: RuntimeError: broken" in broken.stderr


def test_the_schema_knows_the_settings_of_installed_plugins(invoke: Invoke, greeter: Path) -> None:
    done = invoke("schema")
    assert done.exit_code == Exit.OK
    schema = json.loads(done.stdout)
    plugins = {
        branch["if"]["properties"]["use"]["const"]: branch["then"]["properties"]["config"]
        for branch in schema["$defs"]["PluginSettings"]["allOf"]
    }
    assert plugins["greeter"]["required"] == ["greeting"]
    assert plugins["greeter"]["additionalProperties"] is False
    assert invoke("config", "schema").stdout == done.stdout


def test_the_schema_does_without_a_plugin_that_is_broken(invoke: Invoke, greeter: Path) -> None:
    (greeter / "agent_greeter.py").write_text("raise RuntimeError('broken')")
    done = invoke("schema")
    assert done.exit_code == Exit.OK
    assert "left out:" in done.stderr
    assert '"greeter"' not in done.stdout
    json.loads(done.stdout)
