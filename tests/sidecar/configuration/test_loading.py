"""What holds when a configuration is loaded, and where it came from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar.catalogue import CATALOGUE
from sidecar.configuration import InvalidConfiguration, load
from sidecar.settings import Settings
from sidecar.units import Duration

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Puts a text into ``sidecar.yaml`` of a directory of its own and says how the file is called there."""
    monkeypatch.chdir(tmp_path)

    def write(text: str) -> str:
        Path("sidecar.yaml").write_text(text, encoding="utf-8")
        return "sidecar.yaml"

    return write


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n", "{}\n", "listen:\nproviders:\ntls: null\n"])
def test_a_file_without_settings_means_the_defaults(text: str, write: Write) -> None:
    assert load(write(text)).settings == load().settings


def test_the_defaults_are_those_of_the_types_and_the_catalogue() -> None:
    settings = load().settings
    for name in Settings.__struct_fields__:
        expected = dict(CATALOGUE) if name == "providers" else getattr(Settings(), name)
        assert getattr(settings, name) == expected


def test_flags_hold_before_the_environment_before_the_file_before_the_defaults(write: Write) -> None:
    path = write("upstream: {max_connections: 2, dns_ttl: 2s, idle_timeout: 2s}\n")
    environ = {"SIDECAR__UPSTREAM__MAX_CONNECTIONS": "3", "SIDECAR__UPSTREAM__DNS_TTL": "3s"}
    configuration = load(path, environ, ["upstream.max_connections=4"])
    upstream = configuration.settings.upstream
    assert (upstream.max_connections, upstream.dns_ttl, upstream.idle_timeout, upstream.client) == (
        4,
        Duration("3s"),
        Duration("2s"),
        "lean",
    )
    assert {
        path: configuration.provenance[f"upstream.{path}"]
        for path in configuration.effective["upstream"]
        if path != "timeouts"
    } == {
        "client": "default",
        "resolver": "default",
        "max_connections": "--set",
        "idle_timeout": "sidecar.yaml:1:59",
        "dns_ttl": "SIDECAR__UPSTREAM__DNS_TTL",
    }


def test_the_environment_sets_any_kind_of_value() -> None:
    environ = {
        "SIDECAR__LISTEN__ADDRESS": "127.0.0.1:1",
        "SIDECAR__PROBES__ADDRESS": "null",
        "SIDECAR__TLS__INTERCEPT": "no",
        "SIDECAR__FORWARD__CONNECT_PORTS": "[443, 8443]",
        "SIDECAR__UPSTREAM__TIMEOUTS": "{connect: 1s}",
        "SIDECAR__UPSTREAM__TIMEOUTS__TOTAL": "1m",
        "SIDECAR__PROVIDERS__OPENAI__URL": "http://localhost:8000",
        "SIDECAR__PROVIDERS__AZURE_OPENAI__ENABLED": "false",
        "SIDECAR__PROVIDERS__MY_OWN__URL": "http://own:8000",
        "SIDECAR__LOG__LEVEL": "",
        "SIDECAR_LOG__FORMAT": "no prefix of ours",
    }
    settings = load(None, environ).settings
    assert settings.listen.address == "127.0.0.1:1"
    assert settings.probes.address is None
    assert settings.tls.intercept is False
    assert settings.forward.connect_ports == (443, 8443)
    timeouts = settings.upstream.timeouts
    assert (timeouts.connect, timeouts.first_byte, timeouts.total) == (Duration("1s"), Duration("5m"), Duration("1m"))
    assert settings.providers["openai"].url == "http://localhost:8000"
    assert settings.providers["openai"].dialect == "openai"
    assert settings.providers["azure-openai"].enabled is False
    assert settings.providers["my-own"].url == "http://own:8000"
    assert settings.log.level == "info"


def test_the_environment_reaches_plugins_by_name(write: Write) -> None:
    path = write(
        """
        plugins:
          - {use: tracing, config: {sample: 0.1}}
          - {use: cache, name: answers, config: {ttl: 5m, store: {kind: memory}}}
        """
    )
    environ = {
        "SIDECAR__PLUGINS__TRACING__SAMPLE": "0.5",
        "SIDECAR__PLUGINS__ANSWERS__CONFIG__TTL": "1m",
        "SIDECAR__PLUGINS__ANSWERS__STORE__SIZE": "10MiB",
        "SIDECAR__PLUGINS__ANSWERS__ON_FAULT": "fail",
    }
    configuration = load(path, environ, ["plugins[1].budget=5ms"])
    tracing, cache = configuration.settings.plugins
    assert tracing.config == {"sample": 0.5}
    assert cache.config == {"ttl": "1m", "store": {"kind": "memory", "size": "10MiB"}}
    assert (cache.on_fault, cache.budget) == ("fail", 0.005)
    assert configuration.provenance["plugins[0].use"] == "sidecar.yaml:3:19"
    assert configuration.provenance["plugins[1].config.ttl"] == "SIDECAR__PLUGINS__ANSWERS__CONFIG__TTL"
    assert configuration.provenance["plugins[1].budget"] == "--set"


def test_the_default_plugins_can_be_reached_without_a_file() -> None:
    configuration = load(None, {"SIDECAR__PLUGINS__CACHE__TTL": "5m"})
    assert [plugin.use for plugin in configuration.settings.plugins] == ["tracing", "cache"]
    assert configuration.settings.plugins[1].config == {"ttl": "5m"}
    assert configuration.provenance["plugins[1].use"] == "default"
    assert configuration.provenance["plugins[1].config.ttl"] == "SIDECAR__PLUGINS__CACHE__TTL"


def test_what_a_variable_sets_can_be_more_exact_than_what_another_sets() -> None:
    environ = {"SIDECAR__LOG__LEVEL": "debug", "SIDECAR__LOG": "{level: error, calls: all}"}
    log = load(None, environ).settings.log
    assert (log.level, log.calls) == ("debug", "all")


def test_a_built_in_provider_keeps_what_is_not_given(write: Write) -> None:
    configuration = load(write("providers:\n  deepgram: {keep_warm: 2, timeouts: {total: 5s}}\n"))
    deepgram = configuration.settings.providers["deepgram"]
    assert (deepgram.dialect, deepgram.url, deepgram.keep_warm) == ("deepgram", "https://api.deepgram.com", 2)
    assert (deepgram.timeouts.total, deepgram.timeouts.connect) == (Duration("5s"), None)
    provenance = configuration.provenance
    assert provenance["providers.deepgram.url"] == "catalogue"
    assert provenance["providers.deepgram.port"] == "default"
    assert provenance["providers.deepgram.keep_warm"] == "sidecar.yaml:2:25"


def test_without_the_catalogue_there_are_only_the_providers_of_the_file(write: Write) -> None:
    configuration = load(write("catalogue: false\nproviders: {openai: {url: 'http://own:1'}}\n"))
    assert list(configuration.settings.providers) == ["openai"]
    assert configuration.settings.providers["openai"].dialect is None
    assert configuration.provenance["providers.openai.dialect"] == "default"


def test_anchors_and_merging_spare_repetition(write: Write) -> None:
    text = """
        providers:
          a: {url: "http://a:1", timeouts: &patient {connect: 1s, total: 2h}}
          b: {url: "http://b:1", timeouts: *patient}
          c: {url: "http://c:1", timeouts: {<<: *patient, connect: 3s}}
        """
    # what is set for one of them is not set for the other, though they share it in the file
    settings = load(write(text), {"SIDECAR__PROVIDERS__B__TIMEOUTS__TOTAL": "3h"}).settings
    totals = [settings.providers[name].timeouts.total for name in ("a", "b", "c")]
    assert totals == [Duration("2h"), Duration("3h"), Duration("2h")]
    assert settings.providers["c"].timeouts.connect == Duration("3s")


def test_json_is_yaml(write: Write) -> None:
    assert load(write('{"log": {"level": "debug"}, "forward": {"deny": ["*"]}}')).settings.log.level == "debug"


@pytest.mark.parametrize("written", ["true", "yes", "on", "True", "YES"])
def test_a_switch_can_be_put_in_any_way_that_yaml_knows(written: str, write: Write) -> None:
    assert load(write(f"listen: {{allow_remote: {written}}}")).settings.listen.allow_remote is True


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(write: Write) -> None:
    path = Path(write(""))
    path.write_bytes("\ufefflog:\r\n  level: debug\r\n".encode())
    assert load(path).settings.log.level == "debug"


def test_a_file_that_is_not_there_is_a_problem() -> None:
    with pytest.raises(InvalidConfiguration, match=r"^1 problem in the configuration\nnowhere.yaml: cannot be read: "):
        load("nowhere.yaml")


def test_a_directory_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="cannot be read: is a directory"):
        load(tmp_path)


def test_a_file_that_is_not_utf8_is_a_problem(write: Write) -> None:
    path = Path(write(""))
    path.write_bytes(b"log:\n  level: \xff\n")
    with pytest.raises(InvalidConfiguration, match=r"is not UTF-8 from byte 14 on \(line 2\)"):
        load(path)


def test_a_file_that_is_too_large_is_a_problem(write: Write) -> None:
    with pytest.raises(InvalidConfiguration, match="is larger than 1048576 bytes"):
        load(write("#" * (1 << 20) + "\n"))


def test_problems_of_a_broken_file_and_of_variables_come_together(write: Write) -> None:
    with pytest.raises(InvalidConfiguration) as raised:
        load(write("log: [\n"), {"SIDECAR__LOG__LEVEL": "["})
    assert [problem.file for problem in raised.value.problems] == ["sidecar.yaml", "SIDECAR__LOG__LEVEL"]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        (
            "listen: {address: '0.0.0.0:1', allow_remote: true}\nproviders: {openai: {credential: '${env:KEY}'}}",
            "sidecar.yaml:1:19: warning: listen.address: whoever reaches this address calls providers with the "
            "credentials configured here",
        ),
        (
            "providers: {openai: {url: 'http://llm.example.com', credential: '${env:KEY}'}}",
            "sidecar.yaml:1:27: warning: providers.openai.url: the credential goes there unencrypted; expected https://",
        ),
        ("providers: {openai: {url: 'http://vllm.default.svc:8000', credential: '${env:KEY}'}}", None),
        ("providers: {openai: {url: 'http://10.0.0.5:8000', credential: '${env:KEY}'}}", None),
    ],
)
def test_what_works_but_hardly_as_wanted_is_a_warning(text: str, warning: str | None, write: Write) -> None:
    warnings = load(write(text), {"KEY": "k"}).warnings
    assert [str(each).partition("\n")[0] for each in warnings] == ([] if warning is None else [warning])


def test_loading_again_gives_the_same(write: Write) -> None:
    path = write("providers: {openai: {credential: '${env:KEY}'}}")
    once, again, other = (load(path, {"KEY": key}) for key in ("k", "k", "another"))
    assert once.settings == again.settings
    assert once.settings != other.settings
    assert once.digest == again.digest == other.digest
    assert once.digest != load().digest


def test_what_is_no_mapping_stays_wrong_whatever_is_put_over_it(write: Write) -> None:
    with pytest.raises(InvalidConfiguration, match="the configuration is a list"):
        load(write("- listen\n"), {"SIDECAR__LOG__LEVEL": "debug"}, ["log.format=json"])
